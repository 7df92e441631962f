"""What the free words around the numbers of a text state of the measurement."""

import dataclasses
import re

from xrdjax.instrument.radiation import ANODES, LONGEST, SHORTEST
from xrdjax.measured.pattern import Beam, NotReadable, make_beam

# A wavelength is a number with decimals that is no part of a word, such as alpha1.
_NUMBER = re.compile(
    r"(?<![\w.-])(?<!\d,)(?:\d+[.,]\d+(?:e[-+]?\d+)?|\d+e-\d+)(?=\W|[a-zå]|$)",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"wave[\s_-]*length|lambda|λ|\bwl\d?\b|k[\s_-]*(alpha|α)|wellenl|longueur d.onde"
    r"|longitud de onda|lunghezza d.onda",
    re.IGNORECASE,
)
_ENERGY = re.compile(r"energy\W+(\d+(?:[.,]\d+)?)\s*(k?eV)\b", re.IGNORECASE)
# Planck's constant times the speed of light, keV angstrom (CODATA 2018).
_HC = 12.398420
# A line by its name, such as "Co Ka" or "MoK\u03b11".
_LINE = re.compile(
    rf"\b({'|'.join(ANODES)})[\s_-]*K[\s_-]*(?:alpha|α|a)[\s_-]*(1)?(?![a-z])",
    re.IGNORECASE,
)
# How far a wavelength is from that of its line at most, relative.
_SAME_LINE = 0.01
_SECOND = re.compile(r"(alpha|α|a|wl|lambda)[\s_-]*2", re.IGNORECASE)
_ANODE = re.compile(
    rf"(?:anode|target|tube|radiation)[^\n]{{0,24}}?\b({'|'.join(ANODES)})\b",
    re.IGNORECASE,
)
_AXIS = re.compile(r"scan[\s_-]*(?:axis|type)\W+([\w /-]*\w)", re.IGNORECASE)
_NOT_X_RAYS = (
    ("time of flight", r"time[ -]of[ -]flight|\btof\b|\bdifc\b"),
    ("neutron", r"neutron|\bhb-?2a\b"),
)


def beam_of(header: str) -> Beam:
    """The radiation that a header states, as far as it does."""
    first = second = ratio = None
    for text in header.splitlines():
        if not (word := _WORDS.search(text)):
            continue
        numbers = [
            float(n.replace(",", ".")) for n in _NUMBER.findall(text, word.start())
        ]
        if not numbers or re.search(r"beta|β", text, re.IGNORECASE):
            continue
        if "ratio" in text.lower():
            ratio = ratio or numbers[0]
            continue
        found = [_angstrom(n, text) for n in numbers]
        if _SECOND.search(text):
            second = second or found[-1]
            found = found[:-1]
        first = first or next((value for value in found if value), None)
    line, anode = _LINE.search(header), _ANODE.search(header)
    if first is None:
        first, second = _of_energy(header), None
    if first is None and line:
        lines = ANODES[line[1].capitalize()]
        first, second = lines.k_alpha1, None if line[2] else lines.k_alpha2
    element = anode or line
    return make_beam("header", first, second, ratio, element[1] if element else None)


def _of_energy(header: str) -> float | None:
    """Wavelength of the photon energy that a header states, angstrom."""
    if not (energy := _ENERGY.search(header)):
        return None
    unit = 1 if energy[2][0] in "kK" else 1000
    value = float(energy[1].replace(",", "."))
    return _HC * unit / value if value > 0 else None


def _angstrom(value: float, line: str) -> float | None:
    """A stated wavelength in angstrom; None if it cannot be one.

    Beside the name of a line, another number is the width of a slit or the like.
    """
    if value < 1e-8:  # metres, as in the files of pyFAI
        value *= 1e10
    elif re.search(r"(\b|\d)nm\b", line, re.IGNORECASE):
        value *= 10
    named = _LINE.search(line)
    if named and not re.search(r"wave|lambda|λ|wellen", line, re.IGNORECASE):
        lines = dataclasses.astuple(ANODES[named[1].capitalize()])
        if all(abs(value / expected - 1) > _SAME_LINE for expected in lines):
            return None
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
