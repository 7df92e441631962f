"""Powder lines as a table: rows by angle, with the indices that are usually printed."""

import csv
import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from xrdjax.diffraction.powder import Lines

_DECIMALS = {"d": 5, "two_theta_deg": 4, "|F|": 4, "intensity": 4}
# Orders h, k, l lexicographically; equivalents of indices below 512 are below 1024.
_BASE = 4096
_ORDER = np.array([_BASE**2, _BASE, 1])


def lines_table(
    lines: Lines, rotations: Int[np.ndarray, "G 3 3"]
) -> list[dict[str, float]]:
    """Powder lines as rows, by angle; intensities with the largest at 100.

    Args:
        lines: of a crystal.
        rotations: of its space group in the same setting, which decide the indices.

    Returns:
        Rows with h, k, l, multiplicity, d (angstrom), two_theta_deg, |F| (electrons)
        and intensity.
    """
    multiplicity = np.asarray(lines.multiplicity)
    found = np.flatnonzero(multiplicity > 0)
    angle = np.asarray(lines.two_theta_deg, float)
    found = found[np.argsort(angle[found], kind="stable")]
    h, k, l = usual_indices(np.asarray(lines.miller)[found], rotations).T
    intensity = np.asarray(lines.intensity, float)
    columns = {
        "h": h,
        "k": k,
        "l": l,
        "multiplicity": multiplicity[found].astype(int),
        "d": 1 / np.asarray(lines.s, float)[found],
        "two_theta_deg": angle[found],
        "|F|": np.asarray(lines.magnitude, float)[found],
        "intensity": intensity[found] * (100 / max(intensity.max(), 1e-30)),
    }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def usual_indices(
    miller: Int[np.ndarray, "n 3"], rotations: Int[np.ndarray, "G 3 3"]
) -> Int[np.ndarray, "n 3"]:
    """The member of each family of reflections that is usually printed.

    Of the equivalents h W and their Friedel mates, the one with the fewest negative
    indices, and of several the first in descending order of h, k and l: 110, not 2-10,
    for quartz.

    Args:
        miller: [n, 3] one reflection of each family.
        rotations: [G, 3, 3] W of the operations of the space group.
    """
    best, best_rank = miller, _rank(miller)
    for rotation in np.unique(rotations, axis=0):
        for image in (miller @ rotation, -miller @ rotation):
            rank = _rank(image)
            best = np.where((rank < best_rank)[:, None], image, best)
            best_rank = np.minimum(rank, best_rank)
    return best


def _rank(miller: Int[np.ndarray, "n 3"]) -> Int[np.ndarray, " n"]:
    """The smaller, the more usual."""
    return np.sum(miller < 0, axis=1) * _BASE**3 - miller @ _ORDER


def to_csv(rows: Sequence[dict[str, float]]) -> str:
    """The table as comma-separated values, with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow(
            f"{value:.{_DECIMALS[name]}f}" if name in _DECIMALS else value
            for name, value in row.items()
        )
    return text.getvalue()
