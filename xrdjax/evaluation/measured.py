"""From a measured pattern to what a run's network can be asked."""

import dataclasses
import functools
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Bool, Float, Shaped

from xrdjax.errors import InputError
from xrdjax.evaluation.predict import classify_patterns, grid_deg
from xrdjax.instrument.radiation import ANODES, W_L_ALPHA1
from xrdjax.measured.resampling import (
    at_wavelength,
    average_onto,
    measured_share,
    resample,
    was_measured,
)
from xrdjax.models.measured_input import background_of
from xrdjax.run import Run

# Of the standard deviation of a normal distribution over its median distance.
_SIGMA_PER_MEDIAN = 1.4826
# Points of a mean, how many times its noise and which share of the maximum a peak is at
# least, how wide it is at most, and the least background.
_MEAN_OF, _LEAST_PEAK, _LEAST_SHARE = 5, 8.0, 0.01
_WIDEST_PEAK_DEG = 1.3
# Wider than one reflection with its doublet.
_APART_DEG = 1.5
# Steps in which peaks are looked for.
_STEP_DEG = 0.02
# Wavelengths of K-beta and tungsten's L-alpha over that of copper's K-alpha1.
_CU = ANODES["Cu"]
_OTHER_LINES = _CU.k_beta1 / _CU.k_alpha1, W_L_ALPHA1 / _CU.k_alpha1
_ROUNDING = 1e-5
# Errors of the diffractometer's zero that an answer is the mean over.
_ZEROS_DEG = (-0.08, -0.04, 0.0, 0.04, 0.08)


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A measured pattern on the grid of a run.

    Attributes:
        pattern: [T] with maximum 1; 0 where nothing was measured.
        mask: [T] which points were measured.
        share: of the grid's range that was measured, 0 to 1.
    """

    pattern: Float[np.ndarray, " T"]
    mask: Bool[np.ndarray, " T"]
    share: float


def reads_recorded(run: Run) -> bool:
    """Whether a network was trained on patterns with background, noise and a window."""
    return run.network_input.cells is not None


def classify_measured(
    run: Run, prepared: Sequence[Prepared], batch_size: int = 128
) -> Float[np.ndarray, "n K"]:
    """Probability of each space group of a run, for each measured pattern.

    The zero of a diffractometer is not known better than to some hundredths of a degree:
    the answer of a network for recorded patterns is the mean of those to the pattern
    shifted by as much.

    Args:
        run: a trained network; columns of the result follow `run.space_groups`.
        prepared: from `prepare_pattern`.
        batch_size: as for `classify_patterns`.
    """
    patterns = np.stack([one.pattern for one in prepared])
    masks = np.stack([one.mask for one in prepared])
    if not reads_recorded(run):
        return classify_patterns(run, patterns, batch_size, masks=masks)
    angles = grid_deg(run)
    steps = [round(zero / (angles[1] - angles[0])) for zero in _ZEROS_DEG]
    shifted = [
        np.concatenate([_shift(values, count) for count in steps])
        for values in (patterns, masks)
    ]
    probabilities = classify_patterns(run, shifted[0], batch_size, masks=shifted[1])
    return probabilities.reshape(len(steps), len(prepared), -1).mean(axis=0)


def _shift(values: Shaped[np.ndarray, "n T"], count: int) -> Shaped[np.ndarray, "n T"]:
    """Moved by a number of points; zero where nothing moves to."""
    moved = np.roll(values, count, axis=1)
    first, last = max(count, 0), moved.shape[1] + min(count, 0)
    moved[:, :first] = 0
    moved[:, last:] = 0
    return moved


# One program, where single operations would be compiled one by one.
_background = functools.partial(jax.jit, static_argnames=("step_deg", "opening_deg"))(
    background_of
)


def _require_peaks(
    angles: Float[np.ndarray, " R"],
    intensity: Float[np.ndarray, " R"],
    ends: tuple[float, float],
) -> None:
    """Refuses a pattern that does not rise above its background and noise twice.

    One peak, with its K-alpha2 and what is left of K-beta and tungsten's L-alpha, says
    nothing of a lattice.

    Args:
        angles: [R] degrees, at Cu K-alpha1.
        intensity: [R].
        ends: of the range that a network reads, degrees.
    """
    grid = np.linspace(*ends, round((ends[1] - ends[0]) / _STEP_DEG) + 1)
    heights = _heights(*average_onto(angles, intensity, grid))
    if not heights.any():
        raise InputError(
            "the pattern shows no peak above its background and noise, so that there is "
            "nothing to tell a space group from: measure it longer, or check its columns"
        )
    places, highest = grid[heights > 0], grid[heights.argmax()]
    for ratio in _OTHER_LINES:
        sine = ratio * np.sin(np.deg2rad(highest) / 2)
        ghost = 2 * np.rad2deg(np.arcsin(min(sine, 1.0)))
        places = places[np.abs(places - ghost) > _APART_DEG / 2]
    if np.ptp(places) < _APART_DEG:
        raise InputError(
            "the pattern shows one peak only, from which no space group can be told: "
            "measure a powder over a wider range, not a single crystal or one reflection"
        )


def _heights(
    pattern: Float[np.ndarray, " T"], mask: Bool[np.ndarray, " T"]
) -> Float[np.ndarray, " T"]:
    """Heights [T] above background and noise; 0 where there is no peak.

    Counts vary by the square root of their number, so that the noise is a multiple of
    the background's root: the median one of neighbours' differences, which peaks hardly
    change. The mean of five points must be eight times its own noise, and 1 % of the
    maximum above what is wider than 1.3 degrees.
    """
    background = _background(
        pattern[None],
        mask.astype(np.float32)[None],
        step_deg=_STEP_DEG,
        opening_deg=_WIDEST_PEAK_DEG,
    )
    level = np.asarray(background)[0]
    root = np.sqrt(np.maximum(level, _ROUNDING))
    measured = mask[1:] & mask[:-1]
    steps = np.abs(np.diff(pattern))[measured] / root[1:][measured]
    noise = _SIGMA_PER_MEDIAN * np.median(steps) / np.sqrt(2 * _MEAN_OF) * root
    net = np.where(mask, pattern - level, 0.0)
    means = np.convolve(net, np.full(_MEAN_OF, 1 / _MEAN_OF), mode="same")
    there = means > np.maximum(_LEAST_PEAK * noise, _LEAST_SHARE)
    return np.where(there, means, 0.0)


def prepare_pattern(
    run: Run,
    two_theta: Float[np.ndarray, " R"],
    intensity: Float[np.ndarray, " R"],
    wavelength: float | None = None,
    subtract_background: bool = True,
) -> Prepared:
    """Puts a measured pattern on the grid of a run.

    Args:
        run: whose network is to be asked.
        two_theta: [R] degrees, increasing.
        intensity: [R] not negative.
        wavelength: of the measurement, angstrom; by default that of the run.
        subtract_background: for a network that has seen clean patterns only; one that
            knows backgrounds removes them itself.

    Raises:
        InputError: too little of the grid was measured, or nothing is left there.
    """
    known = run.measurement.instruments.wavelengths[0]
    grid = grid_deg(run)
    angles = at_wavelength(two_theta, wavelength or known, known)
    there = np.isfinite(angles)
    if there.sum() < 2 or not intensity[there].any():
        raise InputError(
            f"the pattern has no intensity that {known:g} angstrom can reach: check its "
            "columns and the wavelength"
        )
    # without overflow, whatever the unit
    angles, intensity = angles[there], intensity[there] / intensity[there].max()
    _require_peaks(angles, intensity, (grid[0], grid[-1]))
    if reads_recorded(run):
        pattern, mask = average_onto(angles, intensity, grid)
        return Prepared(pattern, mask, float(mask.mean()))
    pattern = resample(angles, intensity, grid, subtract_background)
    mask = was_measured(angles, grid)
    return Prepared(pattern, mask, measured_share(angles, grid))
