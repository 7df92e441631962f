"""How the numbers of a text are written: separators, decimal marks, thousands."""

import dataclasses
import itertools
import re
from collections import Counter

# Between the columns; the empty one stands for any white space.
_WHITE, _COMMA, _SEMICOLON, _BAR, _TAB = "", ",", ";", "|", "\t"
_QUOTED = re.compile(r'"([^"]*)"')
_FORTRAN = re.compile(r"^([+-]?[\d.]+)[dD]([+-]?\d+)$")
_NAN = {"nan", "inf", "+inf", "-inf", "-nan", "1.#qnan", "-1.#ind", "1.#inf"}
# Stands for a separator within quotes while a line is split.
_HIDDEN = {",": "\x01", ";": "\x02"}
_SHOWN = str.maketrans({"\x01": ",", "\x02": ";"})


@dataclasses.dataclass(frozen=True)
class Layout:
    """One way to write rows of numbers.

    Attributes:
        separator: between two columns; "" for white space.
        decimal: "." or ",".
    """

    separator: str
    decimal: str

    def words(self, line: str) -> list[str]:
        """The columns of a line, without quotes."""
        if '"' in line:
            line = _QUOTED.sub(lambda m: _hide(m[1]), line)
        line = line.strip()
        if self.separator == _BAR:
            line = line.strip("|")  # the frame of a table
        if self.separator:
            words = line.rstrip(",;| \t").split(self.separator)
        else:
            words = line.split()
        return [word.translate(_SHOWN).strip(" \t'\"") for word in words]

    def numbers(self, line: str) -> list[float] | None:
        """The numbers of a line, or None if it holds anything else."""
        if self == _PLAIN and not _SLOW.search(line):
            try:
                return [float(word) for word in line.split()] or None
            except ValueError:
                return None
        found = []
        for word in self.words(line):
            value = self._number(word)
            if value is None:
                return None
            found.append(value)
        return found or None

    def _number(self, word: str) -> float | None:
        if self.decimal == ",":
            word = word.translate(str.maketrans(",.", ".,"))
        if self.separator and _SPACED.fullmatch(word):
            word = re.sub(r"\s", "", word)
        if "," in word:
            if not _THOUSANDS.fullmatch(word):
                return None
            word = word.replace(",", "")
        try:
            return None if "_" in word else float(word)
        except ValueError:
            pass
        if fortran := _FORTRAN.match(word):
            return float(f"{fortran[1]}e{fortran[2]}")
        if clock := _CLOCK.fullmatch(word):
            hours, minutes, seconds = (float(part or 0) for part in clock.groups())
            return 3600 * hours + 60 * minutes + seconds
        return float("nan") if word.lower() in _NAN else None


# What plain numbers do not hold.
_SLOW = re.compile(r"""[",:'_a-df-zA-DF-Z]""")
# A time of day, which a column beside two theta may hold.
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d*)?))?")
_SPACED = re.compile(r"[+-]?\d{1,3}([ \u00a0]\d{3})+(\.\d*)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")


def _hide(text: str) -> str:
    """Quoted text with separators that do not separate."""
    return text.replace(",", _HIDDEN[","]).replace(";", _HIDDEN[";"]).replace(" ", "")


# The first of those that read equally well is taken.
_PLAIN = Layout(_WHITE, ".")
LAYOUTS = (
    Layout(_TAB, "."),  # before white space, as blanks may separate thousands
    Layout(_TAB, ","),
    _PLAIN,
    Layout(_COMMA, "."),
    Layout(_SEMICOLON, "."),
    Layout(_WHITE, ","),
    Layout(_SEMICOLON, ","),
    Layout(_COMMA, ","),  # only with quotes can a column hold a comma
    Layout(_BAR, "."),
    Layout(_BAR, ","),
)


def layout_of(lines: list[str]) -> Layout | None:
    """The layout that reads most lines as rows of two or more numbers.

    Preferred are rows whose first numbers go one way and lie within 180 degrees; one
    number of columns counts only.

    Args:
        lines: without comments.
    """
    best, layout = (0, 0), None
    text = "\n".join(lines)
    for candidate in LAYOUTS:
        if not _may_be(candidate, text):
            continue
        score = _score(candidate, lines)
        if score > best:
            best, layout = score, candidate
    return layout


def _may_be(layout: Layout, text: str) -> bool:
    """Whether the marks of a layout are there at all."""
    if layout.decimal == "," and "," not in text:
        return False
    return layout.separator in text


def _score(layout: Layout, lines: list[str]) -> tuple[int, int]:
    """Rows that look like points of a pattern, and rows at all."""
    rows = [row for row in map(layout.numbers, lines) if row and len(row) >= 2]
    if not rows:
        return 0, 0
    columns = Counter(map(len, rows)).most_common(1)[0][0]
    first = [row[0] for row in rows if len(row) == columns]
    steps = [b - a for a, b in itertools.pairwise(first)]
    rising, falling = sum(s > 0 for s in steps), sum(s < 0 for s in steps)
    # an index in front may be larger than any angle
    small = sum(abs(x) <= 180 for x in first) / len(first)
    return int((max(rising, falling) + 1) * small), len(first)
