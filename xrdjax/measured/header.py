"""What the free words around the numbers of a text state of the measurement."""

import re

from xrdjax.instrument.radiation import ANODES, LONGEST, SHORTEST
from xrdjax.measured.pattern import Beam, NotReadable, make_beam

# A wavelength is a number with decimals that is no part of a word, such as alpha1.
_NUMBER = re.compile(
    r"(?<![\w.-])(?<!\d,)(?:\d+[.,]\d+(?:e[-+]?\d+)?|\d+e-\d+)(?=\W|[a-zå]|$)",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"wave[\s_-]*length|lambda|λ|\bwl\d?\b|k[\s_-]*(alpha|α)", re.IGNORECASE
)
_SECOND = re.compile(r"(alpha|α|a|wl|lambda)[\s_-]*2", re.IGNORECASE)
_ANODE = re.compile(
    rf"(?:anode|target|tube)[^\n]{{0,24}}?\b({'|'.join(ANODES)})\b", re.IGNORECASE
)
_AXIS = re.compile(r"scan[\s_-]*(?:axis|type)\W+([\w /-]*\w)", re.IGNORECASE)
_NOT_X_RAYS = (
    ("time of flight", r"time[ -]of[ -]flight|\btof\b|\bdifc\b"),
    ("neutron", r"neutron|\bhb-?2a\b"),
)


def beam_of(header: str) -> Beam:
    """The radiation that a header states, as far as it does."""
    first = second = ratio = None
    for line in header.splitlines():
        if not (word := _WORDS.search(line)):
            continue
        numbers = [
            float(n.replace(",", ".")) for n in _NUMBER.findall(line, word.start())
        ]
        if not numbers or re.search(r"beta|β", line, re.IGNORECASE):
            continue
        if "ratio" in line.lower():
            ratio = ratio or numbers[0]
            continue
        found = [_angstrom(n, line) for n in numbers]
        if _SECOND.search(line):
            second = second or found[-1]
            found = found[:-1]
        first = first or next((value for value in found if value), None)
    anode = _ANODE.search(header)
    return make_beam("header", first, second, ratio, anode[1] if anode else None)


def _angstrom(value: float, line: str) -> float | None:
    """A stated wavelength in angstrom; None if it cannot be one."""
    if value < 1e-8:  # metres, as in the files of pyFAI
        value *= 1e10
    elif re.search(r"(\b|\d)nm\b", line, re.IGNORECASE):
        value *= 10
    return value if SHORTEST <= value <= LONGEST else None


def axis_of(header: str) -> str | None:
    """The scan axis that a header states."""
    found = _AXIS.search(header)
    return found[1].strip() if found else None


def refuse_other_radiation(header: str) -> None:
    """Refuses what was measured with neutrons or by time of flight.

    Raises:
        NotReadable: the header states it.
    """
    for kind, words in _NOT_X_RAYS:
        if found := re.search(words, header, re.IGNORECASE):
            raise NotReadable(
                f"is a {kind} measurement (its header says {found[0]!r}), expected an "
                "X-ray powder pattern over two theta: give one"
            )
