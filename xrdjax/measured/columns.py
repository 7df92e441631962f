"""Which column of a table is two theta, which the intensity and which its error."""

import dataclasses
import itertools
import re
from typing import Literal

import numpy as np
from jaxtyping import Float

from xrdjax.instrument.radiation import LONGEST, SHORTEST
from xrdjax.measured.pattern import NotReadable, Quantity

# What names of columns mean; the first that matches counts.
_MEANINGS = (
    ("miller", r"h|k|l|hkl|\(?h\s*k\s*l\)?|fwhm.*|multiplicity"),
    (
        "other",
        r".*(calc|back|bkg|bgr|diff(erence)?\b|resid|weight|temp|monitor|mask).*",
    ),
    ("intensity", r"\W*(sqrt|square.?root|√|ln|lg|log(10)?)\W+.*"),
    ("two_theta", r".*(2|two)[\s_*-]*-?\s*(th|θ|ϑ|q\b).*|tth.*|ttheta.*|2t\b.*"),
    ("theta", r"(th|theta|θ|omega)\b.*"),
    ("two_theta", r"(winkel|angle|ang|pos|position|x|xobs|twothe.*)\b.*"),
    ("q", r"q([\s_\[(/]|$).*|scattering.?vector.*|momentum.*|s?cattering vec.*"),
    ("d", r"d([\s_\[(/-]|$).*|dspac.*|d.?(value|spacing).*"),
    ("sigma", r"(sig|err|esd|e\.s\.d|std|stdev|unc|dev|e|s|su|di|dy|fehler|σ)\b.*"),
    ("sigma", r"(sigma|error|uncert|standard).*"),
    ("other", r"((no|nr|id|n)\b|#|time|zeit|second|step|index|point|date).*"),
    ("intensity", r"(i|y|yobs|iobs|imps|impulse|z[aä]hl|int|cts|cps|obs|signal)\b.*"),
    ("intensity", r".*(intens|count|cps|zählrate|impuls|observed|lin \().*"),
)
_PER_NM = re.compile(
    r"nm\s*[\^*]*-\s*1|1\s*/\s*nm|/\s*nm|nm-1|nm⁻|nm\^|inverse nano", re.IGNORECASE
)
_PER_ANGSTROM = re.compile(
    r"a(ngstroms?)?\s*[\^*]*-\s*1|/\s*a|å|ang|a\^|a⁻", re.IGNORECASE
)
_ABSCISSAS: tuple[Quantity, ...] = ("two_theta", "q", "d")
# Functions of the intensity that a column may hold, by its name.
Function = Literal["root", "log10", "ln"]
_FUNCTIONS: tuple[tuple[Function, str], ...] = (
    ("root", r"sqrt|square.?root|\broot\b|√"),
    ("ln", r"\bln\b|\bln\("),
    ("log10", r"\blog(10)?\b|\blog(10)?\(|\blg\b|\blg\("),
)
# What a header must name to count as one.
_NAMING = {*_ABSCISSAS, "theta", "intensity"}
# Rows by which columns cannot be judged.
_FEW = 20
# Relative spread of a wavelength that a column of d gives by Bragg's law.
_SAME_WAVELENGTH = 0.01


@dataclasses.dataclass(frozen=True)
class Columns:
    """Where the columns of a pattern are in its table.

    Attributes:
        x, y, sigma: numbers of columns; sigma None if there is none.
        quantity: what x is.
        scale: by which x is multiplied for degrees, 1/angstrom or angstrom.
        wavelength: that follows from a column of d; None without one.
        function: of the intensity that is stored; None for the intensity itself.
        notes: sentences for the user.
    """

    x: int
    y: int
    sigma: int | None = None
    quantity: Quantity = "two_theta"
    scale: float = 1.0
    wavelength: float | None = None
    function: Function | None = None
    notes: tuple[str, ...] = ()


def meaning(name: str) -> str | None:
    """What a column of that name holds; None if the name says nothing."""
    name = name.strip(" \t#'\"/;!*_").lower().replace("°", "").replace("_", " ")
    name = name.replace("\u03b8", "θ").replace("2-theta", "2theta")
    if re.fullmatch(r"2th deg|2th rad", name):
        return "two_theta"
    for what, pattern in _MEANINGS:
        if re.fullmatch(pattern, name):
            return what
    return None


def named_columns(names: list[str]) -> Columns | None:
    """The columns that a header names; None if it names no abscissa.

    Raises:
        NotReadable: it names those of something else, or not their unit.
    """
    meanings = [meaning(name) for name in names]
    if {"h", "k", "l"} <= {name.strip(" \"'#").lower() for name in names}:
        raise NotReadable(
            "is a list of reflections (columns h, k, l), expected a measured pattern: "
            "give the pattern itself"
        )
    if any(re.match(r"\W*(fwhm|hkl\b)", name.lower()) for name in names):
        raise NotReadable(
            "is a list of peaks (columns of widths or indices), expected a measured "
            "pattern: give the pattern itself"
        )
    quantity = next((what for what in _ABSCISSAS if what in meanings), None)
    if quantity is None:
        if "theta" in meanings and "intensity" in meanings:
            name = names[meanings.index("theta")].strip()
            raise NotReadable(
                f"has a column {name!r} and none of two theta: give two theta, twice "
                "the angle of incidence, or name the column 2theta if it is"
            )
        return None
    x = meanings.index(quantity)
    # a name that says nothing, such as that of a detector or a temperature
    y = next((meanings.index(m) for m in ("intensity", None) if m in meanings), None)
    if y is None:
        return None
    sigma = meanings.index("sigma") if "sigma" in meanings else None
    notes = _left_out(names, (x, y, sigma))
    scale, function = _scale(names[x], quantity), _function(names[y])
    if function is not None:
        sigma = None  # of what is stored
    return Columns(x, y, sigma, quantity, scale, None, function, notes)


def _function(name: str) -> Function | None:
    """Which function of the intensity a column holds."""
    found = (f for f, words in _FUNCTIONS if re.search(words, name, re.IGNORECASE))
    return next(found, None)


def names_columns(names: list[str], abscissa: bool = False) -> bool:
    """Whether any of the words is the name of an abscissa, or also of an intensity."""
    wanted = _NAMING - {"intensity"} if abscissa else _NAMING
    return bool({meaning(name) for name in names} & wanted)


def _scale(name: str, what: str) -> float:
    """By which a named column is multiplied."""
    if what == "two_theta":
        return 180 / np.pi if re.search(r"\brad|_rad", name.lower()) else 1.0
    if what == "d":
        return 10.0 if re.search(r"\bnm|_nm", name.lower()) else 1.0
    unit = re.sub(r"^\W*q", "", name.strip(), flags=re.IGNORECASE)
    unit = re.sub(r"[${}\\]|mathrm|text", "", unit)  # as LaTeX writes it
    if _PER_NM.search(unit):
        return 0.1
    if _PER_ANGSTROM.search(unit):
        return 1.0
    raise NotReadable(
        f"has a column {name!r} without a unit, expected q in 1/angstrom or 1/nm: name "
        "it q_1/A or q_1/nm"
    )


def _left_out(names: list[str], used: tuple[int | None, ...]) -> tuple[str, ...]:
    """A note on columns that could have been meant: more than one intensity."""
    others = [
        name
        for i, name in enumerate(names)
        if name and i not in used and meaning(name) in ("intensity", None)
    ]
    if not others:
        return ()
    read = names[used[1] or 0].strip()
    return (f"Of several columns, {read!r} was read as the intensity.",)


def unnamed_columns(table: Float[np.ndarray, "R C"]) -> Columns:
    """The columns of a table without names, by what their numbers look like.

    Raises:
        NotReadable: two columns could be two theta.
    """
    if (found := _beside_d(table)) is not None:
        return found
    notes: tuple[str, ...] = ()
    start, columns = 0, table.shape[1]
    several = columns > 2 and len(table) > _FEW
    if several and _one_way(table[:, 1]) and _are_angles(table[:, 1]):
        start, notes = 1, _about_first(table)
    x, y = start, start + 1
    left = columns - start
    if left == 3:
        return Columns(x, y, y + 1, notes=notes)
    if left > 3:
        note = (
            f"Of {left} columns without names, the first two were read as two theta "
            "and intensity."
        )
        notes = (*notes, note)
    return Columns(x, y, notes=notes)


def _about_first(table: Float[np.ndarray, "R C"]) -> tuple[str, ...]:
    """A note on a first column that cannot be two theta, beside one that can."""
    if _counts_points(table[:, 0]):
        return ("The first column counts the points: left out.",)
    if not _are_angles(table[:, 0]):
        return ("The first column is no angle, but the second one can be: left out.",)
    raise NotReadable(
        "has two columns that could be two theta, both rising or falling: put a line "
        "with the names of the columns, such as 'time 2theta intensity', above them"
    )


def _beside_d(table: Float[np.ndarray, "R C"]) -> Columns | None:
    """Two theta and intensity of three columns or more, two of which obey Bragg's law."""
    columns = min(table.shape[1], 4)
    if columns < 3:
        return None
    for x, d in itertools.permutations(range(columns), 2):
        if wavelength := _bragg(table[:, x], table[:, d]):
            y = next(i for i in range(columns) if i not in (x, d))
            note = "The column beside two theta holds d: left out."
            return Columns(x, y, wavelength=wavelength, notes=(note,))
    return None


def _counts_points(column: Float[np.ndarray, " R"]) -> bool:
    """Whether it is 0, 1, 2, ... or 1, 2, 3, ..."""
    return column[0] in (0, 1) and bool((np.diff(column) == 1).all())


def _one_way(column: Float[np.ndarray, " R"]) -> bool:
    """Whether it rises or falls everywhere."""
    steps = np.diff(column)
    return bool((steps > 0).all() or (steps < 0).all())


def _are_angles(column: Float[np.ndarray, " R"]) -> bool:
    """Whether it holds numbers that two theta can be, and more than the least ones."""
    return bool((column >= 0).all() and (column <= 180).all() and column.max() > 5)


def _bragg(x: Float[np.ndarray, " R"], d: Float[np.ndarray, " R"]) -> float | None:
    """The wavelength by which d belongs to two theta; None if it does not."""
    if len(x) < 3 or not ((x > 0) & (x < 180) & (d > 0)).all():
        return None
    if not _one_way(x):
        return None
    wavelengths = 2 * d * np.sin(np.deg2rad(x / 2))
    wavelength = float(np.median(wavelengths))
    spread = np.abs(wavelengths - wavelength).max() / wavelength
    possible = SHORTEST <= wavelength <= LONGEST
    return wavelength if possible and spread < _SAME_WAVELENGTH else None
