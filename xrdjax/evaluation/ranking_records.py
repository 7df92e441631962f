"""Answers to measured patterns as JSON, as CSV and as a table for a terminal."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from xrdjax.evaluation.classes import KINDS
from xrdjax.evaluation.ranked import Ranked, shown
from xrdjax.symmetry.space_groups import space_group

# Less probable groups and classes are left out of files.
_LEAST = 5e-4
ANSWERED, REFUSED, FAILED = "answered", "cannot tell", "not read"

Record: TypeAlias = dict[str, Any]


def to_dict(ranking: Ranked) -> Record:
    """An answer in types that JSON has."""
    measured, angles = ranking.measured, ranking.measured.two_theta_deg
    return {
        "file": shown(ranking.name),
        "status": REFUSED if ranking.refuses else ANSWERED,
        "refusal": ranking.refusal,
        "space_groups": [
            {
                "number": number,
                "symbol": space_group(number).hermann_mauguin,
                "crystal_system": space_group(number).crystal_system,
                "probability": _rounded(probability),
            }
            for number, probability in ranking.most_probable(len(ranking.space_groups))
            if probability >= _LEAST
        ],
        **{
            kind: [
                {"name": name, "probability": _rounded(probability)}
                for name, probability in ranking.classes(kind)
                if probability >= _LEAST
            ]
            for kind in KINDS
            if kind != "space_group"
        },
        "wavelength_angstrom": ranking.wavelength,
        "wavelength_origin": ranking.wavelength_origin,
        "anode": measured.anode,
        "scan_axis": measured.scan_axis,
        "origin": dict(measured.origin),
        "points": len(angles),
        "two_theta_deg": [round(float(angles[i]), 6) for i in (0, -1)],
        "range_measured": _rounded(ranking.seen.share),
        "network": {
            "step": int(ranking.step),
            "space_groups": len(ranking.space_groups),
            "two_theta_deg": list(ranking.seen.range_deg),
            "wavelength_angstrom": ranking.seen.wavelength,
        },
        "notes": list(ranking.notes),
    }


def _rounded(probability: float) -> float:
    return round(float(probability), 4)


def failure(name: str, reason: str) -> Record:
    """The record of a file that has no answer, and why."""
    return {"file": shown(name), "status": FAILED, "reason": reason}


def to_json(records: Sequence[Record]) -> str:
    """All records, in the order of the files."""
    return json.dumps(records, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def to_csv(records: Sequence[Record]) -> str:
    """A line for each file, with its three most probable groups."""
    rows = [_csv_row(record) for record in records]
    file = io.StringIO()
    header = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(file, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _csv_row(record: Record) -> Record:
    row = {"file": record["file"], "status": record["status"]}
    if record["status"] == FAILED:
        return row | {"remarks": record["reason"]}
    for place, group in enumerate(record["space_groups"][:3], 1):
        row[f"space_group_{place}"] = group["number"]
        row[f"symbol_{place}"] = group["symbol"]
        row[f"probability_{place}"] = group["probability"]
    for kind in ("extinction_symbol", "bravais_lattice", "crystal_system"):
        row[kind] = record[kind][0]["name"]
        row[f"{kind}_probability"] = record[kind][0]["probability"]
    for name in ("wavelength_angstrom", "wavelength_origin", "points"):
        row[name] = record[name]
    row["first_deg"], row["last_deg"] = record["two_theta_deg"]
    refusal = [f"Cannot tell: {record['refusal']}."] if record["refusal"] else []
    return row | {"remarks": " ".join(refusal + record["notes"])}


def table(records: Sequence[Record]) -> str:
    """A line for each file that was read, with its first answer."""
    header = ("file", "space group", "number", "%", "crystal system", "%", "")
    rows = [header, *(_row(r) for r in records if r["status"] != FAILED)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = (False, False, True, True, False, True, False)
    lines = []
    for row in rows:
        cells = zip(row, widths, right, strict=True)
        words = [w.rjust(n) if r else w.ljust(n) for w, n, r in cells]
        lines.append("  ".join(words).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def _row(record: Record) -> tuple[str, ...]:
    first, system = record["space_groups"][0], record["crystal_system"][0]
    remarks = [REFUSED] if record["status"] == REFUSED else []
    if record["wavelength_origin"] == "assumed":
        remarks.append("wavelength assumed")
    return (
        Path(record["file"]).name,
        first["symbol"],
        str(first["number"]),
        f"{100 * first['probability']:.0f}",
        system["name"],
        f"{100 * system['probability']:.0f}",
        ", ".join(remarks),
    )
