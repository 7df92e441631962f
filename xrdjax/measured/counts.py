"""Counts after a line of start, step and end: FullProf, DBWS, LHPM, XFIT and MDI."""

import re

import numpy as np

from xrdjax.measured.contents import number_of
from xrdjax.measured.pattern import Beam, NotReadable, Scan, evenly, make_beam

_LINES = 12  # in which the line of start, step and end is looked for
_WIDEST = 1.0  # step, degrees
_FEWEST = 20
# MDI: start, step, time, anode, wavelength, end, number of points.
_MDI = re.compile(
    r"\s*(\S+)\s+(\S+)\s+(\S+)\s+([A-Za-z]{1,2})\s+([\d.]+)\s+(\S+)\s+(\d+)\s*"
)


def is_counts(text: str) -> bool:
    """Whether as many counts follow a line of start, step and end as it says."""
    return _found(text) is not None


def read_counts(text: str) -> list[Scan]:
    """The one scan of a text of counts.

    Raises:
        NotReadable: no line states start, step and end.
    """
    found = _found(text)
    if found is None:
        raise NotReadable("has no line of start, step and end: export columns")
    line, start, step, intensity = found
    mdi = _MDI.fullmatch(line)
    beam = make_beam("header", float(mdi[5]), anode=mdi[4]) if mdi else Beam()
    x = evenly(start, step, len(intensity))
    about = f"counts after the line {line.strip()[:40]!r}"
    return [Scan(x, intensity, beam=beam, about=about)]


def _found(text: str) -> tuple[str, float, float, np.ndarray] | None:
    """The line, the first angle, the step and the counts; None for any other text."""
    lines = text.splitlines()
    for i, line in enumerate(lines[:_LINES]):
        words = line.split()
        mdi = _MDI.fullmatch(line)
        ends = (mdi[1], mdi[2], mdi[6]) if mdi else words[:3]
        values = [number_of(word) for word in ends]
        if len(values) < 3 or None in values:
            continue
        start, step, end = (float(value or 0) for value in values)
        if not (0 < step <= _WIDEST and -180 <= start < end <= 180):
            continue
        points = round((end - start) / step) + 1
        rest = " ".join(lines[i + 1 :]).split()
        # the last line may be filled up, and a last count may be missing
        if points < _FEWEST or not points - 1 <= len(rest) < points + 10:
            continue
        counts = [number_of(word) for word in rest[:points]]
        if None not in counts:
            return line, start, step, np.array(counts, dtype=np.float64)
    return None
