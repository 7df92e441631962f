"""The specimen: what of its crystallites a powder pattern shows. All of it is traced."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Key

from xrdjax.errors import InputError
from xrdjax.instrument.ranges import Range, Scalar, check_range, is_always, sample_range

# Axes that crystallites like to align along: the normals of their usual faces.
_AXES = ((0, 0, 1), (1, 0, 0), (0, 1, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1))


@struct.dataclass
class Specimen:
    """A powder.

    Attributes:
        size_nm: [] crystallite size L of Scherrer's formula, nanometres.
        strain: [] epsilon of the width 4 epsilon tan(theta): microstrain.
        lorentzian: [] Lorentzian share of what size and strain add to the width.
        b_iso: [] displacement factor B = 8 pi^2 U that all atoms have besides their
            own, square angstrom.
        march: [] March's parameter r: 1 for a powder without texture, less for plates
            that lie flat.
        axis: [3] Miller indices of the normal of these plates.
    """

    size_nm: Scalar
    strain: Scalar
    lorentzian: Scalar
    b_iso: Scalar
    march: Scalar
    axis: Float[Array | np.ndarray, "*B 3"]


# Quantities with one range each: the domain, and the value without the effect.
_QUANTITIES = {
    "strain": (0.0, 0.1, 0.0),
    "lorentzian": (0.0, 1.0, 0.0),
    "b_iso": (0.0, math.inf, 0.0),
    "march": (0.1, 10.0, 1.0),
}


@dataclasses.dataclass(frozen=True)
class SpecimenRanges:
    """From what specimens are sampled.

    Attributes:
        size_nm: range of the crystallites' size, nanometres; the paper's by default.
        b_iso, strain, lorentzian, march: ranges of what `Specimen` has.

    Raises:
        InputError: there is no such specimen.
    """

    size_nm: Range = (20.0, 100.0)
    b_iso: Range = (0.0, 0.0)
    strain: Range = (0.0, 0.0)
    lorentzian: Range = (0.0, 0.0)
    march: Range = (1.0, 1.0)

    def __post_init__(self) -> None:
        check_range("the crystallite size (nm)", self.size_nm, 1e-3)
        for name, (least, most, _) in _QUANTITIES.items():
            check_range(name, getattr(self, name), least, most)

    @property
    def texture(self) -> bool:
        """Whether any specimen has texture."""
        return not is_always(self.march, 1.0)

    @property
    def is_uniform(self) -> bool:
        """Whether the specimen gives all peaks the same Gaussian width in sin(theta)."""
        return is_always(self.strain, 0.0) and is_always(self.lorentzian, 0.0)


def make_specimen(
    size_nm: float = 50.0,
    b_iso: float = 0.0,
    *,
    strain: float = 0.0,
    lorentzian: float = 0.0,
    march: float = 1.0,
    axis: tuple[int, int, int] = (0, 0, 1),
) -> Specimen:
    """One specimen, checked, with NumPy leaves.

    Args:
        size_nm: crystallite size, nanometres.
        b_iso: displacement factor of all atoms, square angstrom.
        strain, lorentzian, march, axis: as in `Specimen`.

    Raises:
        InputError: there is no such specimen.
    """
    values = {
        "size_nm": size_nm,
        "strain": strain,
        "lorentzian": lorentzian,
        "b_iso": b_iso,
        "march": march,
    }
    SpecimenRanges(**{name: (value, value) for name, value in values.items()})
    if not any(axis):
        raise InputError("the axis of the texture is (0, 0, 0): expected a normal hkl")
    return Specimen(
        axis=np.array(axis, np.float32),
        **{name: np.array(value, np.float32) for name, value in values.items()},
    )


def sample_specimens(
    key: Key[Array, ""], ranges: SpecimenRanges, count: int
) -> Specimen:
    """Specimens with a leading axis B, each quantity from its range.

    The axis of the texture is one of seven normals of low indices.

    Args:
        key: random key.
        ranges: of each quantity.
        count: number of specimens B.
    """
    size_key, others = jax.random.split(key)
    axis_key, *keys = jax.random.split(others, 1 + len(_QUANTITIES))
    axis = jax.random.randint(axis_key, (count,), 0, len(_AXES))
    return Specimen(
        size_nm=sample_range(size_key, ranges.size_nm, count),
        axis=jnp.asarray(_AXES, jnp.float32)[axis],
        **{
            name: sample_range(one, getattr(ranges, name), count, neutral)
            for one, (name, (_, _, neutral)) in zip(
                keys, _QUANTITIES.items(), strict=True
            )
        },
    )
