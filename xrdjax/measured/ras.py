"""Rigaku RAS: text of headers and of rows two theta, intensity, attenuation."""

import re

import numpy as np

from xrdjax.measured.contents import number_of
from xrdjax.measured.pattern import NotReadable, Scan, make_beam

_KEY = re.compile(r'\*(\S+)\s+"?([^"]*)"?')


def is_ras(text: str) -> bool:
    """Whether a text is that of a RAS file."""
    return "*RAS_" in text[:2000]


def read_ras(text: str) -> list[Scan]:
    """The scans of a RAS file.

    Raises:
        NotReadable: it is damaged.
    """
    scans: list[Scan] = []
    header: dict[str, str] = {}
    rows: list[list[str]] | None = None
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("*RAS_HEADER_START"):
            header = {}
        elif line.startswith("*RAS_INT_START"):
            rows = []
        elif line.startswith("*RAS_INT_END"):
            if rows is None:
                raise NotReadable("is a damaged ras file: export the pattern again")
            scans.append(_scan(header, rows, len(scans) + 1))
            rows = None
        elif rows is not None and line:
            rows.append(line.split())
        elif key := _KEY.match(line):
            header[key[1]] = key[2].strip()
    if rows is not None:
        raise NotReadable(
            "is cut before *RAS_INT_END: copy it from the instrument again"
        )
    return scans


def _scan(header: dict[str, str], rows: list[list[str]], number: int) -> Scan:
    """One scan from its header and its rows."""
    try:
        table = np.array(rows, dtype=np.float64)
    except ValueError as error:
        raise NotReadable(
            f"has damaged rows ({str(error)[:60]}): export the pattern again"
        ) from error
    if table.ndim != 2 or table.shape[1] < 2:
        raise NotReadable("has a scan without points: give a finished measurement")
    factor = table[:, 2] if table.shape[1] > 2 else 1.0
    mono = header.get("MEAS_COND_XG_WAVE_TYPE") == "Ka1"
    beam = make_beam(
        "header",
        number_of(header.get("HW_XG_WAVE_LENGTH_ALPHA1")),
        None if mono else number_of(header.get("HW_XG_WAVE_LENGTH_ALPHA2")),
        anode=header.get("HW_XG_TARGET_NAME"),
    )
    axis = header.get("MEAS_SCAN_AXIS_X") or None
    about = f"ras scan {number}"
    return Scan(table[:, 0], table[:, 1] * factor, axis=axis, beam=beam, about=about)
