"""The background under the peaks of a measured pattern."""

import numpy as np
from jaxtyping import Float

# The logarithms of the method are made for counts of about this maximum.
_MAXIMUM = 1e4


def estimate_background(
    two_theta: Float[np.ndarray, " R"],
    intensity: Float[np.ndarray, " R"],
    half_window_deg: float = 2.0,
    half_smoothing_deg: float = 0.3,
) -> Float[np.ndarray, " R"]:
    """Background by SNIP, which clips peaks and follows slopes.

    v = ln(ln(sqrt(y + 1) + 1) + 1); for p = m, m-1, ..., 1:
        v_i <- min(v_i, (v_{i-p} + v_{i+p}) / 2)
    Ryan et al., Nucl. Instrum. Methods B 34, 396 (1988), with the decreasing
    window of Morhac et al., Nucl. Instrum. Methods A 401, 113 (1997).

    Args:
        two_theta: [R] degrees, evenly spaced.
        intensity: [R] not negative, in any units; scaled to a maximum of 10,000
            counts for the logarithms.
        half_window_deg: half the width of the widest feature that counts as a peak,
            degrees; m is this many steps.
        half_smoothing_deg: half the width of the running mean that is taken first,
            degrees; without it, the background would follow the lowest noise.

    Returns:
        [R] background, in the units of the intensity.
    """
    scale = _MAXIMUM / intensity.max()
    step = (two_theta[-1] - two_theta[0]) / (len(two_theta) - 1)
    smooth = _running_mean(intensity * scale, round(half_smoothing_deg / step))
    window = min(max(round(half_window_deg / step), 1), (len(smooth) - 1) // 2)
    return _clip_peaks(smooth, window) / scale


def _running_mean(y: Float[np.ndarray, " R"], half: int) -> Float[np.ndarray, " R"]:
    """Mean of each point and `half` neighbours on either side; ends are repeated."""
    kernel = np.full(2 * half + 1, 1 / (2 * half + 1))
    return np.convolve(np.pad(y, half, mode="edge"), kernel, mode="valid")


def _clip_peaks(y: Float[np.ndarray, " R"], window: int) -> Float[np.ndarray, " R"]:
    """The iteration of SNIP, from a half width of `window` points down to one."""
    v = np.log(np.log(np.sqrt(y + 1) + 1) + 1)
    for p in range(window, 0, -1):
        v[p:-p] = np.minimum(v[p:-p], (v[: -2 * p] + v[2 * p :]) / 2)
    return np.maximum((np.exp(np.exp(v) - 1) - 1) ** 2 - 1, 0.0)
