"""Rigaku ASC: text of groups, each with its start, its step and its counts."""

import re

import numpy as np

from xrdjax.measured.contents import number_of
from xrdjax.measured.pattern import NotReadable, Scan, evenly, make_beam


def is_rigaku_asc(text: str) -> bool:
    """Whether a text is that of an ASC file."""
    return text.lstrip("\ufeff \r\n").startswith("*TYPE")


def read_rigaku_asc(text: str) -> list[Scan]:
    """The groups of an ASC file.

    Raises:
        NotReadable: it is damaged.
    """
    scans: list[Scan] = []
    header: dict[str, str] = {}
    words: list[str] = []
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("*BEGIN"):
            words = []
        elif line.startswith("*END"):
            scans.append(_scan(header, words, len(scans) + 1))
        elif line.startswith("*"):
            key, _, value = line[1:].partition("=")
            header[key.strip()] = value.strip()
        elif line and not line.startswith("#"):
            words += re.split(r"[\s,]+", line.strip(", "))
    return scans


def _scan(header: dict[str, str], words: list[str], number: int) -> Scan:
    """One group from the keys before it and its counts."""
    start, step, count = (number_of(header.get(k)) for k in ("START", "STEP", "COUNT"))
    try:
        intensity = np.array(words, dtype=np.float64)
    except ValueError as error:
        raise NotReadable(f"has damaged counts ({error}): export it again") from error
    if start is None or step is None or count != len(intensity):
        raise NotReadable(
            f"is damaged: group {number} has {len(intensity)} counts, its header says "
            f"{header.get('COUNT')} from {header.get('START')} in steps of "
            f"{header.get('STEP')}: export it again"
        )
    beam = make_beam(
        "header",
        number_of(header.get("WAVE_LENGTH1")),
        number_of(header.get("WAVE_LENGTH2")),
        anode=header.get("TARGET"),
    )
    axis = header.get("SCAN_AXIS") or None
    about = f"asc group {number}"
    x = evenly(start, step, len(intensity))
    return Scan(x, intensity, axis=axis, beam=beam, about=about)
