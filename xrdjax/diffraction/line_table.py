"""Powder lines as a table: rows by angle."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from xrdjax.crystals.crystal import Crystal
from xrdjax.diffraction.indices import equivalent_reflections
from xrdjax.diffraction.powder import Lines

_DECIMALS = {"d": 5, "two_theta_deg": 4, "|F|": 4, "intensity": 4}


def lines_table(lines: Lines) -> list[dict[str, Any]]:
    """Powder lines as rows, by angle; intensities with the largest at 100.

    Args:
        lines: of a crystal.

    Returns:
        Rows with h, k, l, multiplicity, d (angstrom), two_theta_deg, |F| (electrons)
        and intensity.
    """
    multiplicity = np.asarray(lines.multiplicity)
    found = np.flatnonzero(multiplicity > 0)
    angle = np.asarray(lines.two_theta_deg, float)
    found = found[np.argsort(angle[found], kind="stable")]
    h, k, l = np.asarray(lines.miller)[found].T
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


def add_members(rows: Sequence[dict[str, Any]], crystal: Crystal) -> None:
    """Adds to each row the indices of all reflections of its family."""
    for row in rows:
        members = equivalent_reflections(crystal, (row["h"], row["k"], row["l"]))
        row["members"] = "; ".join(f"{h} {k} {l}" for h, k, l in members.tolist())


def to_csv(rows: Sequence[dict[str, Any]]) -> str:
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
