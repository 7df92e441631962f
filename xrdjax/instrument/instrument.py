"""The diffractometer: its radiation, the width that it adds, where it puts the lines.

All of it is traced. One compiled program serves any wavelength, width and alignment.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Key

from xrdjax.errors import InputError

# Cu K-alpha1 as Schopmans et al. (2023) and most databases have it, angstrom.
CU_K_ALPHA = 1.5406

Scalar = Float[Array | np.ndarray, "*B"] | float
Range = tuple[float, float]


@struct.dataclass
class Instrument:
    """A diffractometer in Bragg-Brentano geometry.

    Attributes:
        wavelengths: [L] emission lines, angstrom, the strongest first.
        weights: [L] their shares of the intensity.
        gaussian_deg: [] full width at half maximum that the optics add at 2 theta = 0,
            degrees; it grows as 1 / cos(theta), the term P of Thompson, Cox and
            Hastings, J. Appl. Cryst. 20 (1987) 79.
        zero_deg: [] shift of all lines, degrees of 2 theta.
        displacement: [] depth of the specimen's surface below the axis, divided by
            the radius of the goniometer.
        transparency: [] 1 / (mu R), the penetration depth divided by that radius.
    """

    wavelengths: Float[Array | np.ndarray, "*B L"]
    weights: Float[Array | np.ndarray, "*B L"]
    gaussian_deg: Scalar
    zero_deg: Scalar
    displacement: Scalar
    transparency: Scalar


@dataclasses.dataclass(frozen=True)
class InstrumentRanges:
    """From what instruments are sampled: uniformly between two values each.

    Attributes:
        wavelengths: emission lines of all, angstrom, the strongest first.
        weights: their relative intensities.
        gaussian_deg, zero_deg, displacement, transparency: least and largest value,
            as in `Instrument`.

    Raises:
        InputError: there is no such instrument.
    """

    wavelengths: tuple[float, ...] = (CU_K_ALPHA,)
    weights: tuple[float, ...] = (1.0,)
    gaussian_deg: Range = (0.0, 0.0)
    zero_deg: Range = (0.0, 0.0)
    displacement: Range = (0.0, 0.0)
    transparency: Range = (0.0, 0.0)

    def __post_init__(self) -> None:
        for wavelength in self.wavelengths:
            if not (math.isfinite(wavelength) and wavelength > 0):
                raise InputError(
                    f"the wavelength is {wavelength} angstrom: expected a positive "
                    f"number, such as {CU_K_ALPHA} (Cu K-alpha1)"
                )
        if len(self.weights) != len(self.wavelengths) or not (
            all(weight >= 0 for weight in self.weights) and sum(self.weights) > 0
        ):
            raise InputError(
                f"the emission lines have the weights {self.weights}: expected one "
                f"nonnegative number for each of the {len(self.wavelengths)} wavelengths"
            )
        for name in ("gaussian_deg", "zero_deg", "displacement", "transparency"):
            low, high = getattr(self, name)
            if not (-math.inf < low <= high < math.inf) or (
                name in ("gaussian_deg", "transparency") and low < 0
            ):
                raise InputError(
                    f"{name} runs from {low} to {high}: expected two finite numbers, "
                    "the smaller one first, and no negative width or depth"
                )


def make_instrument(
    wavelengths: tuple[float, ...] = (CU_K_ALPHA,),
    weights: tuple[float, ...] | None = None,
    *,
    gaussian_deg: float = 0.0,
    zero_deg: float = 0.0,
    displacement: float = 0.0,
    transparency: float = 0.0,
) -> Instrument:
    """One instrument, checked, with NumPy leaves; by default that of the paper.

    Example: `make_instrument((1.54056, 1.54439), (2.0, 1.0), zero_deg=0.02)`

    Args:
        wavelengths: L emission lines, angstrom, the strongest first.
        weights: relative intensities of the lines; by default all alike.
        gaussian_deg, zero_deg, displacement, transparency: as in `Instrument`.

    Raises:
        InputError: there is no such instrument.
    """
    ranges = InstrumentRanges(
        wavelengths=tuple(wavelengths),
        weights=tuple(weights or [1.0] * len(wavelengths)),
        gaussian_deg=(gaussian_deg, gaussian_deg),
        zero_deg=(zero_deg, zero_deg),
        displacement=(displacement, displacement),
        transparency=(transparency, transparency),
    )
    return Instrument(
        wavelengths=np.array(ranges.wavelengths, np.float32),
        weights=np.array(ranges.weights, np.float32) / np.float32(sum(ranges.weights)),
        gaussian_deg=np.array(gaussian_deg, np.float32),
        zero_deg=np.array(zero_deg, np.float32),
        displacement=np.array(displacement, np.float32),
        transparency=np.array(transparency, np.float32),
    )


def sample_instruments(
    key: Key[Array, ""], ranges: InstrumentRanges, count: int
) -> Instrument:
    """Instruments with a leading axis B, each quantity uniform in its range.

    Args:
        key: random key.
        ranges: least and largest values.
        count: number of instruments B.
    """
    lines = (count, len(ranges.wavelengths))
    weights = np.array(ranges.weights, np.float32) / np.float32(sum(ranges.weights))
    names = ("gaussian_deg", "zero_deg", "displacement", "transparency")
    values = {
        name: sample_range(one, getattr(ranges, name), count)
        for name, one in zip(names, jax.random.split(key, len(names)), strict=True)
    }
    return Instrument(
        wavelengths=jnp.broadcast_to(jnp.float32(ranges.wavelengths), lines),
        weights=jnp.broadcast_to(weights, lines),
        **values,
    )


def sample_range(key: Key[Array, ""], ends: Range, count: int) -> Float[Array, " B"]:
    """Numbers [B] uniform in a range; all the same where its ends are."""
    low, high = ends
    if low == high:
        return jnp.full(count, low, jnp.float32)
    return jax.random.uniform(key, (count,), minval=low, maxval=high)
