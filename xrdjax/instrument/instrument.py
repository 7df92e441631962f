"""The diffractometer: its radiation, the width that it adds, where it puts the lines.

All of it is traced. One compiled program serves any wavelength, width and alignment.
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Key

from xrdjax.crystals.dispersion import anomalous_scattering
from xrdjax.errors import InputError
from xrdjax.instrument.ranges import Range, Scalar, check_range, is_always, sample_range

# Cu K-alpha1 as Schopmans et al. (2023) and most databases have it, angstrom.
CU_K_ALPHA = 1.5406


@struct.dataclass
class Instrument:
    """A diffractometer in Bragg-Brentano geometry.

    Attributes:
        wavelengths: [L] emission lines, angstrom, the strongest first.
        weights: [L] their shares of the intensity.
        gaussian_deg: [] full width at half maximum that the optics add at 2 theta = 0,
            degrees; it grows as 1 / cos(theta), the square root of the term P of
            Thompson, Cox and Hastings, J. Appl. Cryst. 20 (1987) 79.
        caglioti: [3] U, V and W of the squared Gaussian width U tan^2 + V tan + W,
            square degrees; Caglioti, Paoletti and Ricci, Nucl. Instrum. 3 (1958) 223.
        lorentzian_deg: [] X of the Lorentzian width X tan, degrees.
        zero_deg: [] shift of all lines, degrees of 2 theta.
        displacement: [] depth of the specimen's surface below the axis, divided by
            the radius of the goniometer.
        transparency: [] 1 / (mu R), the penetration depth divided by that radius.
        polarization: [] cos^2 2 theta of the monochromator's reflection; 1 without one.
        axial: [] half the length of specimen and slit, each divided by the radius of
            the goniometer: S/L = H/L of Finger, Cox and Jephcoat (1994).
        anomalous: [Z, 2] f' and f'' of each element from `anomalous_scattering`,
            electrons. The values at the first wavelength serve for all lines: one |F|
            a reflection. None leaves them out, statically.
    """

    wavelengths: Float[Array | np.ndarray, "*B L"]
    weights: Float[Array | np.ndarray, "*B L"]
    gaussian_deg: Scalar
    caglioti: Float[Array | np.ndarray, "*B 3"]
    lorentzian_deg: Scalar
    zero_deg: Scalar
    displacement: Scalar
    transparency: Scalar
    polarization: Scalar
    axial: Scalar
    anomalous: Float[Array | np.ndarray, "*B Z 2"] | None = None


# Quantities with one range each: the domain, and the value without the effect.
_QUANTITIES = {
    "gaussian_deg": (0.0, math.inf, 0.0),
    "caglioti_u": (-math.inf, math.inf, 0.0),
    "caglioti_v": (-math.inf, math.inf, 0.0),
    "caglioti_w": (0.0, math.inf, 0.0),
    "lorentzian_deg": (0.0, math.inf, 0.0),
    "zero_deg": (-math.inf, math.inf, 0.0),
    "displacement": (-math.inf, math.inf, 0.0),
    "transparency": (0.0, math.inf, 0.0),
    "polarization": (0.0, 1.0, 1.0),
    "axial": (0.0, 0.2, 0.0),
}


@dataclasses.dataclass(frozen=True)
class InstrumentRanges:
    """From what instruments are sampled.

    Attributes:
        wavelengths: emission lines of all, angstrom, the strongest first.
        weights: range of the relative intensity of each, or the intensity itself.
        caglioti_u, caglioti_v, caglioti_w: U, V and W, square degrees.
        gaussian_deg, lorentzian_deg, zero_deg, displacement, transparency,
            polarization, axial: ranges of what `Instrument` has.
        anomalous: whether atoms have f' and f''.

    Raises:
        InputError: there is no such instrument.
    """

    wavelengths: tuple[float, ...] = (CU_K_ALPHA,)
    weights: tuple[float | Range, ...] = (1.0,)
    anomalous: bool = False
    gaussian_deg: Range = (0.0, 0.0)
    caglioti_u: Range = (0.0, 0.0)
    caglioti_v: Range = (0.0, 0.0)
    caglioti_w: Range = (0.0, 0.0)
    lorentzian_deg: Range = (0.0, 0.0)
    zero_deg: Range = (0.0, 0.0)
    displacement: Range = (0.0, 0.0)
    transparency: Range = (0.0, 0.0)
    polarization: Range = (1.0, 1.0)
    axial: Range = (0.0, 0.0)

    def __post_init__(self) -> None:
        for wavelength in self.wavelengths:
            if not (math.isfinite(wavelength) and wavelength > 0):
                raise InputError(
                    f"the wavelength is {wavelength} angstrom: expected a positive "
                    f"number, such as {CU_K_ALPHA} (Cu K-alpha1)"
                )
        if len(self.weights) != len(self.wavelengths):
            raise InputError(
                f"the emission lines have the weights {self.weights}: expected one "
                f"for each of the {len(self.wavelengths)} wavelengths"
            )
        for weight in self.weight_ranges:
            check_range("the weight of an emission line", weight, 0.0)
        if all(is_always(weight, 0.0) for weight in self.weight_ranges):
            raise InputError(
                f"the emission lines have the weights {self.weights}: expected one "
                "above 0"
            )
        for name, (least, most, _) in _QUANTITIES.items():
            check_range(name, getattr(self, name), least, most)

    @property
    def weight_ranges(self) -> tuple[Range, ...]:
        """Range of each emission line's relative intensity."""
        return tuple((w, w) if isinstance(w, int | float) else w for w in self.weights)

    @property
    def shifts(self) -> bool:
        """Whether any line can lie elsewhere than Bragg's law has it."""
        names = ("zero_deg", "displacement", "transparency")
        return not all(is_always(getattr(self, name), 0.0) for name in names)

    @property
    def is_uniform(self) -> bool:
        """Whether the optics give all peaks the same Gaussian width in sin(theta)."""
        names = ("caglioti_u", "caglioti_v", "caglioti_w", "lorentzian_deg")
        return all(is_always(getattr(self, name), 0.0) for name in names)


def make_instrument(
    wavelengths: tuple[float, ...] = (CU_K_ALPHA,),
    weights: tuple[float, ...] | None = None,
    *,
    caglioti: tuple[float, float, float] = (0.0, 0.0, 0.0),
    anomalous: bool = False,
    **quantities: float,
) -> Instrument:
    """One instrument, checked, with NumPy leaves; by default that of the paper.

    Example: `make_instrument((1.54056, 1.54439), (2.0, 1.0), zero_deg=0.02)`

    Args:
        wavelengths: L emission lines, angstrom, the strongest first.
        weights: relative intensities of the lines; by default all alike.
        caglioti: U, V and W, square degrees.
        anomalous: whether atoms have the f' and f'' of the first wavelength.
        quantities: gaussian_deg, lorentzian_deg, zero_deg, displacement, transparency,
            polarization, axial, as in `Instrument`; each absent by default.

    Raises:
        InputError: there is no such instrument.
    """
    names = [name for name in _QUANTITIES if not name.startswith("caglioti")]
    for name in quantities:
        if name not in names:
            raise InputError(
                f"an instrument has no quantity {name!r}: choose from "
                f"{', '.join(names)}"
            )
    uvw = dict(zip(("caglioti_u", "caglioti_v", "caglioti_w"), caglioti, strict=True))
    fixed: dict[str, Any] = {
        name: (value, value) for name, value in (quantities | uvw).items()
    }
    ranges = InstrumentRanges(
        wavelengths=tuple(wavelengths),
        weights=tuple(weights or [1.0] * len(wavelengths)),
        **fixed,
    )
    values = {name: quantities.get(name, _QUANTITIES[name][2]) for name in names}
    shares = np.array(weights or [1.0] * len(wavelengths), float)
    return Instrument(
        wavelengths=np.array(ranges.wavelengths, np.float32),
        weights=(shares / shares.sum()).astype(np.float32),
        caglioti=np.array(caglioti, np.float32),
        anomalous=anomalous_scattering(ranges.wavelengths[0]) if anomalous else None,
        **{name: np.array(value, np.float32) for name, value in values.items()},
    )


def sample_instruments(
    key: Key[Array, ""], ranges: InstrumentRanges, count: int
) -> Instrument:
    """Instruments with a leading axis B, each quantity from its range.

    Args:
        key: random key.
        ranges: of each quantity.
        count: number of instruments B.
    """
    keys = iter(jax.random.split(key, len(_QUANTITIES) + len(ranges.wavelengths)))
    values = {
        name: sample_range(next(keys), getattr(ranges, name), count, neutral)
        for name, (_, _, neutral) in _QUANTITIES.items()
    }
    caglioti = [values.pop(f"caglioti_{letter}") for letter in "uvw"]
    weights = jnp.stack(
        [sample_range(next(keys), weight, count) for weight in ranges.weight_ranges],
        axis=-1,
    )
    lines = (count, len(ranges.wavelengths))
    anomalous = None
    if ranges.anomalous:
        table = jnp.asarray(anomalous_scattering(ranges.wavelengths[0]))
        anomalous = jnp.broadcast_to(table, (count, *table.shape))
    return Instrument(
        wavelengths=jnp.broadcast_to(jnp.float32(ranges.wavelengths), lines),
        weights=weights / jnp.sum(weights, axis=-1, keepdims=True),
        caglioti=jnp.stack(caglioti, axis=-1),
        anomalous=anomalous,
        **values,
    )
