"""What the readers of files return, and the pattern made of it."""

import dataclasses
from typing import Literal

import numpy as np
from jaxtyping import Float

from xrdjax.instrument.radiation import LONGEST, SHORTEST

# What the abscissa of a scan may be: degrees, 1/angstrom, angstrom.
Quantity = Literal["two_theta", "q", "d"]


@dataclasses.dataclass(frozen=True)
class MeasuredPattern:
    """A measured powder pattern, and what its file states of the measurement.

    Attributes:
        two_theta_deg: [R] degrees, increasing.
        intensity: [R] not negative, in the units of the file.
        sigma: [R] standard uncertainty of the intensity; None if not stated.
        wavelengths: K-alpha1 and, if not removed, K-alpha2, or the one wavelength of a
            monochromatic beam, angstrom; None if not stated.
        ratio: of the intensities K-alpha2 : K-alpha1; None if not stated.
        anode: symbol of the tube's element; None if not stated.
        scan_axis: name that the file gives to what was moved; None if not stated.
        origin: where each of the fields above comes from.
        notes: sentences for the user on what was changed or left out.
    """

    two_theta_deg: Float[np.ndarray, " R"]
    intensity: Float[np.ndarray, " R"]
    sigma: Float[np.ndarray, " R"] | None = None
    wavelengths: tuple[float, ...] | None = None
    ratio: float | None = None
    anode: str | None = None
    scan_axis: str | None = None
    origin: dict[str, str] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Beam:
    """What a file states of its radiation.

    Attributes: see MeasuredPattern.
    """

    wavelengths: tuple[float, ...] | None = None
    ratio: float | None = None
    anode: str | None = None
    origin: str = ""


@dataclasses.dataclass(frozen=True)
class Scan:
    """One scan as it stands in a file, before any check.

    Attributes:
        x: [R] in any order.
        intensity: [R].
        sigma: [R] or None.
        quantity: what x is.
        axis: name of what was moved, as the file gives it; None if not stated.
        beam: the radiation.
        about: the format, and whatever names this scan within the file.
        refusal: why this is no powder pattern, and what to do; None if it is one.
        notes: sentences for the user.
    """

    x: Float[np.ndarray, " R"]
    intensity: Float[np.ndarray, " R"]
    sigma: Float[np.ndarray, " R"] | None = None
    quantity: Quantity = "two_theta"
    axis: str | None = None
    beam: Beam = Beam()
    about: str = ""
    refusal: str | None = None
    notes: tuple[str, ...] = ()


class NotReadable(Exception):
    """What is wrong with the contents of a file, and how to fix it.

    The dispatcher puts the name of the file before it and raises an InputError.
    """


def make_beam(
    origin: str,
    alpha1: float | None,
    alpha2: float | None = None,
    ratio: float | None = None,
    anode: str | None = None,
) -> Beam:
    """The radiation of a tube; impossible values, such as 0, mean that none is stated.

    Args:
        origin: where it is stated.
        alpha1, alpha2: wavelengths, angstrom.
        ratio: of the intensities K-alpha2 : K-alpha1.
        anode: symbol of an element, in any case.
    """
    name = (anode or "").strip(" \x00'\"").capitalize()[:2]
    element = name if name.isascii() and name.isalpha() else None
    alpha1, alpha2 = (_possible(value) for value in (alpha1, alpha2))
    if not alpha1:
        return Beam(anode=element, origin=origin)
    if not alpha2 or alpha2 == alpha1:
        return Beam((float(alpha1),), None, element, origin)
    ratio = float(ratio) if ratio and 0 < ratio < 1 else None
    return Beam((float(alpha1), float(alpha2)), ratio, element, origin)


def _possible(wavelength: float | None) -> float | None:
    """A wavelength that a powder pattern can have; None for any other."""
    there = wavelength is not None and SHORTEST <= wavelength <= LONGEST
    return wavelength if there else None


def evenly(start: float, step: float, points: int) -> Float[np.ndarray, " R"]:
    """Angles from the first one and the step."""
    return start + step * np.arange(points)
