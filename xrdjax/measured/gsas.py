"""GSAS powder data: text with a BANK record; angles in hundredths of a degree.

Larson and Von Dreele, GSAS, Los Alamos report LAUR 86-748, chapter on powder data.
"""

import re

import numpy as np
from jaxtyping import Float

from xrdjax.measured.header import beam_of, refuse_other_radiation
from xrdjax.measured.pattern import NotReadable, Scan, evenly

_BANK = re.compile(r"^BANK\s+\d+\s+\d+\s", re.MULTILINE)
# Binnings by time of flight.
_TIME_OF_FLIGHT = {"SLOG", "RALF", "TIME_MAP", "LOG6", "LPSD"}
_WIDTH = 8  # of a field of STD and ESD records


def is_gsas(text: str) -> bool:
    """Whether a text is that of a GSAS file."""
    return bool(_BANK.search(text[:20_000]))


def read_gsas(text: str) -> list[Scan]:
    """The banks of a GSAS file.

    Raises:
        NotReadable: it is damaged, or was measured by time of flight.
    """
    starts = [found.start() for found in _BANK.finditer(text)]
    header = text[: starts[0]]
    scans = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        record, *lines = text[start:end].splitlines()
        if record.split()[4:5] and record.split()[4] in _TIME_OF_FLIGHT:
            raise NotReadable(
                f"is a time of flight measurement (BANK record {record.split()[4]}), "
                "expected an X-ray powder pattern over two theta: give one"
            )
        scans.append(_bank(record, lines, header))
    refuse_other_radiation(header)
    return scans


def _bank(record: str, lines: list[str], header: str) -> Scan:
    """One bank from its record and its lines."""
    words = record.split()
    try:
        points, binning = int(words[2]), words[4]
        start, step = float(words[5]) / 100, float(words[6]) / 100
    except (IndexError, ValueError) as error:
        raise NotReadable(f"has a damaged record {record[:60]!r}: export it") from error
    kind = next((w for w in words[7:] if w.isalpha()), "STD")
    if binning not in ("CONST", "CONS"):
        raise NotReadable(
            f"has a BANK record with {binning!r}, expected CONST: export the pattern "
            "as text"
        )
    lines = [line for line in lines if line.strip() and line[0] != "#"]
    try:
        x, y, sigma = _READERS[kind](lines, points)
    except (KeyError, ValueError, IndexError) as error:
        raise NotReadable(
            f"has damaged data of the kind {kind!r}, expected STD, ESD, FXY or FXYE: "
            "export the pattern as text"
        ) from error
    if len(y) < points:
        raise NotReadable(
            f"holds {len(y)} of {points} points: copy it from the instrument again"
        )
    x = evenly(start, step, points) if x is None else x / 100
    about = f"gsas bank {words[1]}"
    return Scan(x, y, sigma, beam=beam_of(header), about=about)


_Data = tuple[
    Float[np.ndarray, " R"] | None,
    Float[np.ndarray, " R"],
    Float[np.ndarray, " R"] | None,
]


def _std(lines: list[str], points: int) -> _Data:
    """Ten fields a line, of the number of counters (I2) and the mean counts (F6.0)."""
    fields = _fields(lines)[:points]
    counters = np.array([int(field[:2].strip() or 1) for field in fields])
    counts = np.array([float(field[2:]) for field in fields])
    return None, counts, np.sqrt(np.maximum(counts, 1) / np.maximum(counters, 1))


def _esd(lines: list[str], points: int) -> _Data:
    """Five pairs a line of intensity and its uncertainty (F8.0)."""
    values = np.array([float(field) for field in _fields(lines)[: 2 * points]])
    return None, values[::2], values[1::2]


def _fields(lines: list[str]) -> list[str]:
    """The fields of eight characters."""
    fields: list[str] = []
    for line in lines:
        line = line.rstrip()
        line += " " * (-len(line) % _WIDTH)
        cut = [line[i : i + _WIDTH] for i in range(0, len(line), _WIDTH)]
        fields += [field for field in cut if field.strip()]
    return fields


def _fxye(lines: list[str], points: int) -> _Data:
    """One point a line: angle, intensity and its uncertainty."""
    rows = np.array([line.split()[:3] for line in lines[:points]], dtype=np.float64)
    return rows[:, 0], rows[:, 1], rows[:, 2]


def _fxy(lines: list[str], points: int) -> _Data:
    """One point a line: angle and intensity."""
    rows = np.array([line.split()[:2] for line in lines[:points]], dtype=np.float64)
    return rows[:, 0], rows[:, 1], None


_READERS = {"STD": _std, "ESD": _esd, "FXYE": _fxye, "FXY": _fxy}
