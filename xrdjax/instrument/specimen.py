"""The specimen: what of its crystallites a powder pattern shows. All of it is traced."""

import dataclasses
import math

import jax
import numpy as np
from flax import struct
from jaxtyping import Array, Key

from xrdjax.errors import InputError
from xrdjax.instrument.instrument import Range, Scalar, sample_range


@struct.dataclass
class Specimen:
    """A powder.

    Attributes:
        size_nm: [] crystallite size L of Scherrer's formula, nanometres.
        b_iso: [] displacement factor B = 8 pi^2 U that all atoms have besides their
            own, square angstrom.
    """

    size_nm: Scalar
    b_iso: Scalar


@dataclasses.dataclass(frozen=True)
class SpecimenRanges:
    """From what specimens are sampled: uniformly between two values each.

    Attributes:
        size_nm: smallest and largest crystallite, nanometres; the paper's by default.
        b_iso: least and largest displacement factor, square angstrom.

    Raises:
        InputError: there is no such specimen.
    """

    size_nm: Range = (20.0, 100.0)
    b_iso: Range = (0.0, 0.0)

    def __post_init__(self) -> None:
        low, high = self.size_nm
        if not 0 < low <= high < math.inf:
            raise InputError(
                f"crystallite sizes run from {low} to {high} nm: expected positive "
                "numbers, the smaller one first"
            )
        low, high = self.b_iso
        if not 0 <= low <= high < math.inf:
            raise InputError(
                f"displacement factors run from {low} to {high} square angstrom: "
                "expected numbers of 0 or more, the smaller one first"
            )


def make_specimen(size_nm: float = 50.0, b_iso: float = 0.0) -> Specimen:
    """One specimen, checked, with NumPy leaves.

    Args:
        size_nm: crystallite size, nanometres.
        b_iso: displacement factor of all atoms, square angstrom.

    Raises:
        InputError: there is no such specimen.
    """
    SpecimenRanges((size_nm, size_nm), (b_iso, b_iso))
    return Specimen(np.array(size_nm, np.float32), np.array(b_iso, np.float32))


def sample_specimens(
    key: Key[Array, ""], ranges: SpecimenRanges, count: int
) -> Specimen:
    """Specimens with a leading axis B, each quantity uniform in its range.

    Args:
        key: random key.
        ranges: least and largest values.
        count: number of specimens B.
    """
    size_key, b_key = jax.random.split(key)
    return Specimen(
        size_nm=sample_range(size_key, ranges.size_nm, count),
        b_iso=sample_range(b_key, ranges.b_iso, count),
    )
