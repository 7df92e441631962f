"""CHI of Fit2D: a title, two axis labels, the number of points, then two columns."""

import re

import numpy as np

from xrdjax.measured.columns import named_columns
from xrdjax.measured.pattern import NotReadable, Scan

_HEAD = 4  # lines before the numbers


def is_chi(text: str) -> bool:
    """Whether a text is that of a CHI file: its fourth line counts those after it."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) <= _HEAD or not re.fullmatch(r"\s*\d+(\s+[\d.]+)?\s*", lines[3]):
        return False
    return int(lines[3].split()[0]) == len(lines) - _HEAD and lines[1][0].isalpha()


def read_chi(text: str) -> list[Scan]:
    """The one scan of a CHI file.

    Raises:
        NotReadable: it is damaged, or over something else than two theta, q or d.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    label = lines[1].strip()
    try:
        rows = [line.split()[:2] for line in lines[_HEAD:]]
        table = np.array(rows, dtype=np.float64).reshape(-1, 2)
    except ValueError as error:
        raise NotReadable(
            f"has damaged rows ({str(error)[:60]}): export the pattern again"
        ) from error
    columns = named_columns([label, "intensity"])
    if columns is None:
        raise NotReadable(
            f"is over {label!r}, expected two theta in degrees, q or d: integrate over "
            "one of these"
        )
    return [
        Scan(
            table[:, 0] * columns.scale,
            table[:, 1],
            quantity=columns.quantity,
            about=f"chi of {label}",
        )
    ]
