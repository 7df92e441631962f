"""From the angles of a measurement to those that a network reads."""

import numpy as np
from jaxtyping import Bool, Float

from xrdjax.errors import InputError
from xrdjax.measured.background import estimate_background

# Share of the grid's range that must have been measured.
_LEAST_MEASURED = 0.5
# The same, for a network that knows what was measured.
_LEAST_SEEN = 0.25
# Steps between neighbours that make a hole.
_HOLE = 5
# Height of the highest peak above the background, of the maximum; less is rounding.
_LEAST_HEIGHT = 1e-6


def resample(
    two_theta: Float[np.ndarray, " R"],
    intensity: Float[np.ndarray, " R"],
    grid_deg: Float[np.ndarray, " T"],
    subtract_background: bool = False,
) -> Float[np.ndarray, " T"]:
    """A measured pattern on the network's grid, divided by its maximum there.

    Linear interpolation; zero where nothing was measured.

    Args:
        two_theta: [R] degrees, increasing.
        intensity: [R] not negative.
        grid_deg: [T] two theta of the grid, degrees, increasing.
        subtract_background: whether to subtract `estimate_background` first, because
            a network that was trained on simulated patterns has seen none.

    Raises:
        InputError: less than half of the grid was measured, or nothing is left there.
    """
    inside = was_measured(two_theta, grid_deg)
    if (share := measured_share(two_theta, grid_deg)) < _LEAST_MEASURED:
        raise InputError(
            f"the pattern covers {100 * share:.0f} % of {grid_deg[0]:g} to "
            f"{grid_deg[-1]:g} degrees, from {two_theta[0]:g} to {two_theta[-1]:g} "
            "degrees: expected at least half, so measure the rest, or convert the first "
            "column to two theta"
        )
    values = np.zeros(len(grid_deg))
    values[inside] = measured = np.interp(grid_deg[inside], two_theta, intensity)
    if not measured.any():
        raise InputError(
            f"the pattern is zero everywhere from {grid_deg[0]:g} to {grid_deg[-1]:g} "
            "degrees: check its columns"
        )
    if subtract_background:
        values[inside] = _without_background(grid_deg[inside], measured)
    return (values / values.max()).astype(np.float32)


def _without_background(
    angles: Float[np.ndarray, " R"], intensity: Float[np.ndarray, " R"]
) -> Float[np.ndarray, " R"]:
    """Intensity above the background, which is estimated on even steps."""
    even = np.linspace(angles[0], angles[-1], len(angles))
    background = estimate_background(even, np.interp(even, angles, intensity))
    above = np.maximum(intensity - np.interp(angles, even, background), 0.0)
    if above.max() < _LEAST_HEIGHT * intensity.max():
        raise InputError(
            "the pattern is nothing but background, expected peaks: check its columns, "
            "or keep the background"
        )
    return above


def _holes(
    two_theta: Float[np.ndarray, " R"], grid_deg: Float[np.ndarray, " T"]
) -> Bool[np.ndarray, " R-1"]:
    """Which gaps are wider than five steps of the measurement, and of the grid."""
    gaps = np.diff(two_theta)
    return gaps > _HOLE * max(np.median(gaps), np.median(np.diff(grid_deg)))


def was_measured(
    two_theta: Float[np.ndarray, " R"], grid_deg: Float[np.ndarray, " T"]
) -> Bool[np.ndarray, " T"]:
    """Which points of a grid lie within the measurement and in none of its holes.

    Args:
        two_theta: [R] degrees, increasing.
        grid_deg: [T] degrees, increasing.
    """
    hole = _holes(two_theta, grid_deg)
    before = np.clip(
        np.searchsorted(two_theta, grid_deg, "right") - 1, 0, len(hole) - 1
    )
    within = (grid_deg >= two_theta[0]) & (grid_deg <= two_theta[-1])
    return within & ~hole[before]


def measured_share(
    two_theta: Float[np.ndarray, " R"], grid_deg: Float[np.ndarray, " T"]
) -> float:
    """Share of the grid's range of 2 theta, in degrees, that was measured."""
    ends = np.clip(two_theta, grid_deg[0], grid_deg[-1])
    covered = np.diff(ends)[~_holes(two_theta, grid_deg)].sum()
    return float(covered / (grid_deg[-1] - grid_deg[0]))


def at_wavelength(
    two_theta: Float[np.ndarray, " R"], measured: float, wanted: float
) -> Float[np.ndarray, " R"]:
    """Angles at which the same spacings appear for another wavelength, by Bragg's law.

    Args:
        two_theta: [R] degrees.
        measured: wavelength of the measurement, angstrom.
        wanted: wavelength that the network knows, angstrom.

    Returns:
        [R] degrees; NaN where no spacing appears at all.

    Raises:
        InputError: no such wavelength.
    """
    if not (np.isfinite(measured) and measured > 0):
        raise InputError(
            f"the wavelength is {measured} angstrom: expected a positive number, such "
            "as 1.5406 (Cu K-alpha1)"
        )
    sine = np.sin(np.deg2rad(two_theta) / 2) * (wanted / measured)
    return 2 * np.rad2deg(np.arcsin(np.where(sine <= 1, sine, np.nan)))


def average_onto(
    two_theta: Float[np.ndarray, " R"],
    intensity: Float[np.ndarray, " R"],
    grid_deg: Float[np.ndarray, " T"],
) -> tuple[Float[np.ndarray, " T"], Bool[np.ndarray, " T"]]:
    """A measured pattern on even steps, divided by its maximum, and what was measured.

    Each value is the mean, over a step around its angle, of the measurement
    interpolated linearly: sharp lines lose no area, whatever the two steps are.

    Args:
        two_theta: [R] degrees, increasing.
        intensity: [R] not negative.
        grid_deg: [T] degrees, even.

    Returns:
        [T] intensity, 0 where nothing was measured, and [T] `was_measured`.

    Raises:
        InputError: less than a quarter of the grid was measured, or nothing is left
            there.
    """
    there = np.isfinite(two_theta) & np.isfinite(intensity)
    angles, values = two_theta[there], intensity[there]
    half = (grid_deg[1] - grid_deg[0]) / 2
    edges = np.append(grid_deg - half, grid_deg[-1] + half)
    gaps = np.diff(angles)
    area = np.concatenate([[0], np.cumsum(gaps * (values[1:] + values[:-1]) / 2)])
    before = np.clip(np.searchsorted(angles, edges, "right") - 1, 0, len(angles) - 2)
    within = np.clip(edges - angles[before], 0, gaps[before])
    slope = (values[before + 1] - values[before]) / gaps[before]
    integral = area[before] + within * (values[before] + slope * within / 2)
    covered = np.diff(np.clip(edges, angles[0], angles[-1]))
    mean = np.diff(integral) / np.where(covered > 0, covered, 1.0)
    mask = was_measured(angles, grid_deg)
    if mask.mean() < _LEAST_SEEN:
        raise InputError(
            f"the pattern covers {100 * mask.mean():.0f} % of {grid_deg[0]:g} to "
            f"{grid_deg[-1]:g} degrees, from {angles[0]:.4g} to {angles[-1]:.4g} degrees "
            "at the network's wavelength: expected at least a quarter, so measure the "
            "rest, or name the wavelength of the measurement"
        )
    recorded = np.where(mask, np.maximum(mean, 0), 0.0)
    if not recorded.any():
        raise InputError(
            f"the pattern is zero everywhere from {grid_deg[0]:g} to {grid_deg[-1]:g} "
            "degrees: check its columns"
        )
    return (recorded / recorded.max()).astype(np.float32), mask
