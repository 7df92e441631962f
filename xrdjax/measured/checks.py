"""From a scan of a file to a powder pattern, or the reason why it is none."""

import dataclasses
import re

import numpy as np
from jaxtyping import Float, Int

from xrdjax.instrument.radiation import ANODES
from xrdjax.measured.pattern import MeasuredPattern, NotReadable, Scan

# Fewer points are a list of peaks, not a pattern.
MIN_POINTS = 100
# Axes that leave two theta where it is.
_ROCKING = {"omega", "om", "theta", "th", "rocking", "rockingcurve", "omegascan"}
_OTHER_AXES = {"chi", "khi", "psi", "phi", "x", "y", "z", "time", "tube"}
# Where no spacing of a crystal below 7 angstrom can be seen: 1/angstrom.
_LAST_Q_OF_REFLECTIVITY, _FIRST_Q_OF_REFLECTIVITY = 0.9, 0.1
# Steps of q: blocks they are taken over, least change and correlation.
_Q_BLOCKS, _SHRUNK, _STRAIGHT = 24, 0.9, 0.999
# How often two theta may turn round in one file, where ranges overlap.
_MOST_TURNS = 100
# Steps of peak lists: wide, in degrees, and changing by this share of themselves.
_WIDE_STEP, _IRREGULAR = 0.1, 0.5


def pattern_of(scan: Scan) -> MeasuredPattern:
    """Puts a scan in order: degrees of two theta, increasing, each angle once.

    Raises:
        NotReadable: it is no powder pattern, or values are missing.
    """
    _refuse_other_measurements(scan)
    _refuse_damage(scan)
    notes = list(scan.notes)
    scan = _ordered(scan, notes)
    x, y, sigma = _averaged(scan, notes)
    two_theta, wavelengths, source = _two_theta(scan, x, notes)
    there = ~(two_theta <= 0)
    if not there.all() and there.sum() >= MIN_POINTS:
        notes.append(f"Points at no positive angle, left out: {int((~there).sum())}.")
    else:
        there = np.ones_like(there)
    there &= np.isfinite(two_theta)
    if not there.all():
        two_theta, y = two_theta[there], y[there]
        sigma = None if sigma is None else sigma[there]
    _refuse_no_pattern(two_theta, y)
    if scan.quantity == "two_theta":
        _refuse_steps_of_q(two_theta)
    _refuse_reflectivity(two_theta, wavelengths)
    if (negative := int((y < 0).sum())) > 0:
        notes.append(f"Negative intensities, set to zero: {negative}.")
    return MeasuredPattern(
        two_theta_deg=np.ascontiguousarray(two_theta),
        intensity=np.ascontiguousarray(np.maximum(y, 0.0)),
        sigma=None if sigma is None else np.ascontiguousarray(sigma),
        wavelengths=wavelengths,
        ratio=scan.beam.ratio,
        anode=scan.beam.anode,
        scan_axis=scan.axis,
        origin=_origin(scan, sigma, wavelengths, source),
        notes=tuple(notes),
    )


def _origin(
    scan: Scan,
    sigma: Float[np.ndarray, " R"] | None,
    wavelengths: tuple[float, ...] | None,
    source: str,
) -> dict[str, str]:
    """Where each field comes from; only of those that there are."""
    known = {
        "two_theta_deg": (True, scan.about),
        "intensity": (True, scan.about),
        "sigma": (sigma is not None, scan.about),
        "wavelengths": (wavelengths is not None, source),
        "ratio": (scan.beam.ratio is not None, scan.beam.origin),
        "anode": (scan.beam.anode is not None, scan.beam.origin),
        "scan_axis": (scan.axis is not None, scan.about),
    }
    return {name: where for name, (there, where) in known.items() if there}


def _refuse_other_measurements(scan: Scan) -> None:
    """Refuses a scan that moved something else than two theta."""
    if scan.refusal:
        raise NotReadable(scan.refusal)
    if not scan.axis:
        return
    axis = re.sub(r"[^a-z0-9]", "", scan.axis.lower().replace("θ", "theta"))
    if axis in _ROCKING or "rocking" in axis:
        raise NotReadable(
            f"is a rocking curve (scan axis {scan.axis!r}), expected a scan of two "
            "theta: give a powder pattern"
        )
    if axis in _OTHER_AXES:
        raise NotReadable(
            f"is a scan of {scan.axis!r}, expected one of two theta: give a powder "
            "pattern"
        )


def _refuse_damage(scan: Scan) -> None:
    """Refuses scans that are too short, or hold what is no number."""
    if len(scan.x) < MIN_POINTS:
        raise NotReadable(
            f"has {len(scan.x)} points, expected at least {MIN_POINTS}: give the whole "
            "pattern, not a list of peaks"
        )
    bad = ~np.isfinite(scan.x) | ~np.isfinite(scan.intensity)
    if bad.any():
        raise NotReadable(
            f"has {bad.sum()} values that are not finite, the first in point "
            f"{int(bad.argmax()) + 1}: remove these points"
        )


def _ordered(scan: Scan, notes: list[str]) -> Scan:
    """The scan with two theta increasing: descending files are turned round."""
    sigma = scan.sigma
    if sigma is not None and not (np.isfinite(sigma).all() and (sigma >= 0).all()):
        notes.append("The uncertainties are not all positive numbers: left out.")
        sigma = None
    if sigma is not None and not sigma.any():
        sigma = None
    # two theta rises as d falls
    rising = -scan.x if scan.quantity == "d" else scan.x
    back = slice(None, None, -1 if np.median(np.diff(rising)) < 0 else 1)
    return dataclasses.replace(
        scan,
        x=scan.x[back],
        intensity=scan.intensity[back],
        sigma=None if sigma is None else sigma[back],
    )


def _averaged(
    scan: Scan, notes: list[str]
) -> tuple[
    Float[np.ndarray, " S"], Float[np.ndarray, " S"], Float[np.ndarray, " S"] | None
]:
    """Each angle once: intensities measured twice are averaged."""
    steps = np.diff(-scan.x if scan.quantity == "d" else scan.x)
    if (steps < 0).any():
        which = _overlapping(scan, steps, notes)
    else:
        which = np.cumsum(np.concatenate([[0], steps > 0]))
    number = np.bincount(which)
    if len(number) == len(which) and (steps > 0).all():
        return scan.x, scan.intensity, scan.sigma
    if len(number) < MIN_POINTS:
        raise NotReadable(
            f"has {len(number)} different angles in {len(which)} points, expected at "
            f"least {MIN_POINTS}: check which column is two theta"
        )
    if twice := len(which) - len(number):
        notes.append(f"Angles measured more than once, averaged: {twice}.")
    x = np.bincount(which, scan.x) / number
    y = np.bincount(which, scan.intensity) / number
    sigma = scan.sigma
    if sigma is not None:
        sigma = np.sqrt(np.bincount(which, sigma**2)) / number
    return x, y, sigma


def _overlapping(
    scan: Scan, steps: Float[np.ndarray, " Q"], notes: list[str]
) -> Int[np.ndarray, " R"]:
    """Which angle each point belongs to, where ranges overlap: those of one step.

    Raises:
        NotReadable: the angles go back so often that they are none.
    """
    turns = int((np.diff(np.sign(steps[steps != 0])) != 0).sum())
    if turns > _MOST_TURNS or scan.quantity == "d":
        at = int((steps < 0).argmax())
        raise NotReadable(
            f"goes from {scan.x[at]:g} to {scan.x[at + 1]:g} at point {at + 2}, "
            "expected increasing values of two theta: sort the points, or give one "
            "scan only"
        )
    notes.append("Two theta goes back: ranges that overlap were merged.")
    step = float(np.median(steps[steps > 0]))
    bins = np.rint((scan.x - scan.x.min()) / step)
    return np.unique(bins, return_inverse=True)[1]


def _two_theta(
    scan: Scan, x: Float[np.ndarray, " R"], notes: list[str]
) -> tuple[Float[np.ndarray, " R"], tuple[float, ...] | None, str]:
    """Two theta in degrees, the wavelengths it belongs to, and where they are from."""
    stated = scan.beam.wavelengths
    if scan.quantity == "two_theta":
        return x, stated, scan.beam.origin
    # q and d hold for every wavelength, so any may be taken
    wavelength = stated[0] if stated else ANODES["Cu"].k_alpha1
    if (x <= 0).any():
        raise NotReadable(
            f"has {scan.quantity} of {x.min():g}, expected positive values: check "
            "which column it is"
        )
    inverse_d = x / (2 * np.pi) if scan.quantity == "q" else 1 / x
    sine = wavelength * inverse_d / 2
    with np.errstate(invalid="ignore"):
        two_theta = 2 * np.rad2deg(np.arcsin(sine))
    reached = np.isfinite(two_theta)
    if reached.sum() < MIN_POINTS:
        raise NotReadable(
            f"has {reached.sum()} points within two theta of 180 degrees for "
            f"{wavelength:g} angstrom, expected {MIN_POINTS}: check the unit of "
            f"{scan.quantity}"
        )
    notes.append(
        f"Converted from {scan.quantity} to two theta for {wavelength:g} angstrom."
    )
    if not reached.all():
        notes.append(
            f"Points that {wavelength:g} angstrom cannot reach, left out: "
            f"{int((~reached).sum())}."
        )
    origin = scan.beam.origin if stated else "chosen for the conversion"
    return two_theta, stated or (wavelength,), origin


def _refuse_no_pattern(
    two_theta: Float[np.ndarray, " R"], y: Float[np.ndarray, " R"]
) -> None:
    """Refuses angles and intensities of something else."""
    if two_theta[0] < 0 or two_theta[-1] > 180:
        raise NotReadable(
            f"runs from {two_theta[0]:g} to {two_theta[-1]:g}, expected two theta "
            "in degrees between 0 and 180: convert the first column"
        )
    if not (y > 0).any():
        raise NotReadable("has no positive intensity: expected it in the second column")
    if y.min() == y.max():
        raise NotReadable(
            f"has the intensity {y[0]:g} everywhere, expected peaks: check its columns"
        )
    steps = np.diff(two_theta)
    change = np.median(np.abs(np.diff(steps)))
    if np.median(steps) > _WIDE_STEP and change > _IRREGULAR * np.median(steps):
        raise NotReadable(
            f"has irregular steps of {steps.min():.3g} to {steps.max():.3g} degrees, "
            "as a list of peaks has: give the measured pattern itself"
        )


def _refuse_steps_of_q(x: Float[np.ndarray, " R"]) -> None:
    """Refuses an axis whose steps shrink as those of q do over even two theta.

    q = 4 pi sin(theta) / wavelength, so that dq^2 = a - b q^2 with b > 0.
    """
    size = (len(x) - 1) // _Q_BLOCKS
    at = x[::size][: _Q_BLOCKS + 1]
    squares = np.diff(at) ** 2
    middles = ((at[1:] + at[:-1]) / 2) ** 2
    if squares[-1] > _SHRUNK * squares[0] or np.ptp(middles) == 0:
        return
    if np.corrcoef(squares, middles)[0, 1] < -_STRAIGHT:
        raise NotReadable(
            f"has steps that shrink from {(at[1] - at[0]) / size:.3g} to "
            f"{(at[-1] - at[-2]) / size:.3g} as those of q do, expected two theta: put "
            "a line with the names of the columns, such as 'q_1/nm I', above them"
        )


def _refuse_reflectivity(
    two_theta: Float[np.ndarray, " R"], wavelengths: tuple[float, ...] | None
) -> None:
    """Refuses scans that start in the direct beam and end before any reflection."""
    if not wavelengths:
        return
    ends = two_theta[[0, -1]]
    first, last = 4 * np.pi / wavelengths[0] * np.sin(np.deg2rad(ends / 2))
    if first < _FIRST_Q_OF_REFLECTIVITY and last < _LAST_Q_OF_REFLECTIVITY:
        raise NotReadable(
            f"runs from {ends[0]:g} to {ends[1]:g} degrees, where reflectivity is "
            "measured and no powder has reflections: give a powder pattern"
        )
