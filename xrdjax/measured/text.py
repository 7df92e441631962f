"""Measured powder patterns: reading two-column files, background, the network's grid."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from xrdjax.errors import InputError

# Fewer points than this are a peak list, not a diffractogram.
MIN_POINTS = 100
# Marks that begin a remark in the formats of the field's programs.
_REMARK_MARKS = ("#", "!", "'", ";", "%", "/")
# Between two columns: white space, or one comma or semicolon with or without it.
_SEPARATOR = re.compile(r"\s*[,;]\s*|\s+")


def _numbers(line: str) -> list[float] | None:
    """The numbers of one row, or None if anything else stands there."""
    if ";" in line:
        # Where a semicolon parts the columns, a comma can only be a decimal sign.
        line = line.replace(",", ".")
    try:
        return [float(word) for word in _SEPARATOR.split(line.strip().rstrip(",;"))]
    except ValueError:
        return None


def _read_rows(path: Path) -> Float[np.ndarray, "R 2"]:
    """The first two columns of a text file, header and remarks left out."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise InputError(
            f"cannot read the pattern {str(path)!r} ({error.strerror}): name a text "
            "file with columns two theta and intensity"
        ) from error
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith(_REMARK_MARKS):
            continue
        values = _numbers(line)
        if values is None and not rows:
            continue  # a header without a mark of its own
        if values is None or not 2 <= len(values) <= 3:
            raise InputError(
                f"line {number} of {str(path)!r} is {line.strip()[:40]!r}, expected "
                "two theta (degrees), intensity and, if known, its uncertainty, with "
                "decimal points: remove or mend the line"
            )
        rows.append(values[:2])
    if not rows:
        raise InputError(
            f"{str(path)!r} has no line with two numbers: export the pattern as "
            "text (.xy, .xye or .csv) with columns two theta and intensity"
        )
    return np.array(rows, dtype=np.float64)


def read_pattern(
    path: str | Path,
) -> tuple[Float[np.ndarray, " R"], Float[np.ndarray, " R"]]:
    """Reads a measured pattern from an .xy, .xye or .csv file.

    Columns are parted by white space, comma or semicolon; a third column (the
    uncertainty) is left out, and so are a header and lines that begin with one
    of # ! ' ; % /. Negative intensities, which a subtracted background leaves
    behind, become zero.

    Returns:
        two_theta: [R] degrees, increasing.
        intensity: [R] as measured.

    Raises:
        InputError: the file is unreadable, too short, or no diffractogram.
    """
    path = Path(path)
    two_theta, intensity = _read_rows(path).T
    name = f"the pattern {str(path)!r}"
    if len(two_theta) < MIN_POINTS:
        raise InputError(
            f"{name} has {len(two_theta)} points, expected at least {MIN_POINTS}: give "
            "the whole diffractogram, not a list of peaks"
        )
    bad = ~np.isfinite(two_theta) | ~np.isfinite(intensity)
    if bad.any():
        raise InputError(
            f"{name} has {bad.sum()} values that are not finite, the first in point "
            f"{int(bad.argmax()) + 1}: remove these points"
        )
    steps = np.diff(two_theta)
    if (steps <= 0).any():
        at = int((steps <= 0).argmax())
        raise InputError(
            f"two theta of {name} goes from {two_theta[at]:g} to {two_theta[at + 1]:g} "
            f"degrees at point {at + 2}, expected increasing values: sort the points "
            "and average those measured twice"
        )
    if two_theta[0] < 0 or two_theta[-1] > 180:
        raise InputError(
            f"two theta of {name} runs from {two_theta[0]:g} to {two_theta[-1]:g}, "
            "expected degrees between 0 and 180: convert the first column"
        )
    if not (intensity > 0).any():
        raise InputError(
            f"{name} has no positive intensity: check that the second column holds it"
        )
    return two_theta, np.maximum(intensity, 0.0)


def estimate_background(
    two_theta: Float[np.ndarray, " R"],
    intensity: Float[np.ndarray, " R"],
    half_window_deg: float = 2.0,
    half_smoothing_deg: float = 0.3,
) -> Float[np.ndarray, " R"]:
    """Background under the peaks by SNIP: peaks are clipped, slopes are kept.

    v = ln(ln(sqrt(y + 1) + 1) + 1); for p = m, m-1, ..., 1:
        v_i <- min(v_i, (v_{i-p} + v_{i+p}) / 2)
    Ryan et al., Nucl. Instrum. Methods B 34, 396 (1988), with the decreasing
    window of Morhac et al., Nucl. Instrum. Methods A 401, 113 (1997).

    Args:
        two_theta: [R] degrees, evenly spaced.
        intensity: [R] not negative; scaled to a maximum of 10,000 inside, since
            the logarithms expect counts.
        half_window_deg: half the width of the widest feature taken for a peak,
            degrees; m is this many steps.
        half_smoothing_deg: half the width of a running mean taken first,
            degrees: the clipping alone would follow the lowest noise.

    Returns:
        [R] background, in the units of the intensity.
    """
    scale = 1e4 / intensity.max()
    step = (two_theta[-1] - two_theta[0]) / (len(two_theta) - 1)
    n = round(half_smoothing_deg / step)
    kernel = np.full(2 * n + 1, 1 / (2 * n + 1))
    y = np.convolve(np.pad(intensity * scale, n, mode="edge"), kernel, mode="valid")
    v = np.log(np.log(np.sqrt(y + 1) + 1) + 1)
    window = min(max(round(half_window_deg / step), 1), (len(v) - 1) // 2)
    for p in range(window, 0, -1):
        v[p:-p] = np.minimum(v[p:-p], (v[: -2 * p] + v[2 * p :]) / 2)
    background = ((np.exp(np.exp(v) - 1) - 1) ** 2 - 1) / scale
    return np.maximum(background, 0.0)


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
        grid_deg: [T] two theta of the grid, degrees, evenly spaced.
        subtract_background: whether to take off `estimate_background` first;
            the network has seen patterns without background only.

    Raises:
        InputError: less than half of the grid was measured, or all of it is zero.
    """
    inside = (grid_deg >= two_theta[0]) & (grid_deg <= two_theta[-1])
    if inside.mean() < 0.5:
        raise InputError(
            f"the pattern was measured from {two_theta[0]:g} to {two_theta[-1]:g} "
            f"degrees, expected at least half of {grid_deg[0]:g} to {grid_deg[-1]:g} "
            "degrees: measure the rest, or convert the first column to two theta"
        )
    values = np.zeros(len(grid_deg))
    values[inside] = np.interp(grid_deg[inside], two_theta, intensity)
    if not values.any():
        raise InputError(
            f"the pattern is zero everywhere from {grid_deg[0]:g} to {grid_deg[-1]:g} "
            "degrees: check its columns"
        )
    if subtract_background:
        measured = values[inside]
        background = estimate_background(grid_deg[inside], measured)
        values[inside] = np.maximum(measured - background, 0.0)
    return (values / values.max()).astype(np.float32)
