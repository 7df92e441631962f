"""Measured powder patterns in text files of two or three columns."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from xrdjax.errors import InputError

# Fewer points are a list of peaks, not a pattern.
MIN_POINTS = 100
# What begins a comment in the formats of diffraction programs.
_COMMENT_MARKS = ("#", "!", "'", ";", "%", "/")
# Between two columns: white space, or a comma or semicolon with or without it.
_SEPARATOR = re.compile(r"\s*[,;]\s*|\s+")


def _numbers(line: str) -> list[float] | None:
    """The numbers of one line, or None if it holds anything else."""
    if ";" in line:
        # where semicolons separate the columns, a comma is a decimal separator
        line = line.replace(",", ".")
    try:
        return [float(word) for word in _SEPARATOR.split(line.strip().rstrip(",;"))]
    except ValueError:
        return None


def _read_rows(path: Path) -> Float[np.ndarray, "R 2"]:
    """The first two columns of a text file without its header and comments."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise InputError(
            f"cannot read the pattern {str(path)!r} ({error.strerror}): name a text "
            "file with columns two theta and intensity"
        ) from error
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith(_COMMENT_MARKS):
            continue
        values = _numbers(line)
        if values is None and not rows:
            continue  # a header that is not marked as a comment
        if values is None or not 2 <= len(values) <= 3:
            raise InputError(
                f"line {number} of {str(path)!r} is {line.strip()[:40]!r}, expected "
                "two theta (degrees), intensity and, if known, its uncertainty, with "
                "decimal points: remove or correct the line"
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

    Columns are separated by white space, comma or semicolon. A third column (the
    uncertainty), a header, and lines that begin with one of # ! ' ; % / are ignored.
    Negative intensities, which remain where a background was subtracted, become zero.

    Returns:
        two_theta: [R] degrees, increasing.
        intensity: [R] as measured.

    Raises:
        InputError: the file is unreadable, too short, or not a pattern.
    """
    path = Path(path)
    two_theta, intensity = _read_rows(path).T
    _check(two_theta, intensity, f"the pattern {str(path)!r}")
    return two_theta, np.maximum(intensity, 0.0)


def _check(
    two_theta: Float[np.ndarray, " R"], intensity: Float[np.ndarray, " R"], name: str
) -> None:
    """Refuses columns that are no powder pattern."""
    if len(two_theta) < MIN_POINTS:
        raise InputError(
            f"{name} has {len(two_theta)} points, expected at least {MIN_POINTS}: give "
            "the whole pattern, not a list of peaks"
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
            f"{name} has no positive intensity: expected it in the second column"
        )
