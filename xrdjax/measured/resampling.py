"""From the angles of a measurement to those that a network reads."""

import numpy as np
from jaxtyping import Float

from xrdjax.errors import InputError
from xrdjax.measured.background import estimate_background

# Share of the grid's range that must have been measured.
_LEAST_MEASURED = 0.5
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
    inside = (grid_deg >= two_theta[0]) & (grid_deg <= two_theta[-1])
    if measured_share(two_theta, grid_deg) < _LEAST_MEASURED:
        raise InputError(
            f"the pattern was measured from {two_theta[0]:g} to {two_theta[-1]:g} "
            f"degrees, expected at least half of {grid_deg[0]:g} to {grid_deg[-1]:g} "
            "degrees: measure the rest, or convert the first column to two theta"
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


def measured_share(
    two_theta: Float[np.ndarray, " R"], grid_deg: Float[np.ndarray, " T"]
) -> float:
    """Share of the grid's range of 2 theta, in degrees, that was measured."""
    first, last = max(two_theta[0], grid_deg[0]), min(two_theta[-1], grid_deg[-1])
    return max(0.0, float((last - first) / (grid_deg[-1] - grid_deg[0])))
