"""Bruker UXD: text of keys with an underscore, and of counts with or without angles."""

import re

import numpy as np
from jaxtyping import Float

from xrdjax.measured.contents import number_of
from xrdjax.measured.pattern import Beam, NotReadable, Scan, evenly, make_beam

# What begins the numbers of a range, such as _COUNTS or _2THETACPS.
_DATA = re.compile(r"_(2THETA)?(COUNTS|CPS)\w*$")
_KEY = re.compile(r"_(\w+)\s*=\s*(.*)")


def is_uxd(text: str) -> bool:
    """Whether a text is that of a UXD file."""
    return bool(
        re.search(r"^[ \t]*_(FILEVERSION|WL1|STEPTIME)\s*=", text[:5000], re.MULTILINE)
    )


def read_uxd(text: str) -> list[Scan]:
    """The ranges of a UXD file.

    Raises:
        NotReadable: it is damaged.
    """
    scans: list[Scan] = []
    keys: dict[str, str] = {}
    rows: list[list[str]] = []
    kind: str | None = None

    def finish() -> None:
        if kind is not None:
            scans.append(_scan(keys, kind, rows, len(scans) + 1))

    for line in text.splitlines():
        line = line.partition(";")[0].strip()
        if data := _DATA.match(line.upper()):
            finish()
            kind, rows = data[0], []
        elif key := _KEY.match(line):
            finish()
            kind = None
            keys[key[1].upper()] = key[2].strip(" '")
        elif line and kind is not None:
            rows.append(re.split(r"[\s,]+", line))
    finish()
    return scans


def _scan(keys: dict[str, str], kind: str, rows: list[list[str]], number: int) -> Scan:
    """One range from the keys before it and its numbers."""
    try:
        x, intensity = _points(keys, kind, rows)
    except ValueError as error:
        raise NotReadable(
            f"has damaged numbers in range {number} ({str(error)[:60]}): export it "
            "again"
        ) from error
    axis = keys.get("DRIVE")
    about = f"uxd range {number}"
    return Scan(x, intensity, axis=axis, beam=_beam(keys), about=about)


def _points(
    keys: dict[str, str], kind: str, rows: list[list[str]]
) -> tuple[Float[np.ndarray, " R"], Float[np.ndarray, " R"]]:
    """Angles and intensities; counts alone begin at _START and go on by _STEPSIZE."""
    start, step = number_of(keys.get("START")), number_of(keys.get("STEPSIZE"))
    pairs = bool(rows) and all(len(row) >= 2 for row in rows)
    if "2THETA" in kind or (step is None and pairs):
        table = np.array(rows, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] < 2:
            raise ValueError("expected two theta and intensity")
        return table[:, 0], table[:, 1]
    if start is None or step is None:
        raise ValueError("neither _START and _STEPSIZE nor angles")
    intensity = np.array([word for row in rows for word in row], dtype=np.float64)
    return evenly(start, step, len(intensity)), intensity


def _beam(keys: dict[str, str]) -> Beam:
    """The radiation that the keys state."""
    unit = 10.0 if keys.get("WL_UNIT", "A").upper() == "NM" else 1.0
    first, second, ratio = (
        number_of(keys.get(key)) for key in ("WL1", "WL2", "WLRATIO")
    )
    return make_beam(
        "header",
        first and first * unit,
        second and second * unit,
        ratio,
        keys.get("ANODE"),
    )
