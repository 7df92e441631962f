"""Patterns in text files of columns, as any program exports them."""

import re
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from xrdjax.measured.columns import (
    Columns,
    Function,
    named_columns,
    names_columns,
    unnamed_columns,
)
from xrdjax.measured.header import axis_of, beam_of, refuse_other_radiation
from xrdjax.measured.layout import Layout, layout_of
from xrdjax.measured.pattern import NotReadable, Scan, make_beam

# What begins a comment in the formats of diffraction programs.
_COMMENT_MARKS = ("#", "!", "'", ";", "%", "/", "*")
_QUOTED_NUMBER = re.compile(r"'\s*[\d.+-]+\s*'")
_HINT = "export the pattern as text with columns two theta and intensity"
# Minus, degree and the mark that old systems end a text with.
_SIGNS = str.maketrans({"\u2212": "-", "°": None, "\x1a": None})
# A thin space or an apostrophe between thousands.
_THIN = re.compile(r"(?<=\d)[\u202f\u2009'\u2019](?=\d{3}(?!\d))")
_FUNCTION_NOTES: dict[Function, str] = {
    "root": "The column holds square roots of intensities, which were squared.",
    "log10": "The column holds decadic logarithms of intensities, which were undone.",
    "ln": "The column holds natural logarithms of intensities, which were undone.",
}
# Square roots of counts: their decimals, the largest, and the share of exceptions.
_ROOT_DECIMALS, _LARGEST_ROOT, _FEW = 1e-4, 1000.0, 0.2
# What a unit looks like, below the name of its column.
_UNIT = re.compile(
    r"^[(\[]|[/^°]|-1$|^(deg|degrees?|a\.?u\.?|counts|cts|cps|-)$", re.IGNORECASE
)
# Lines above the numbers in which names of columns are looked for.
_NAME_LINES, _LONGEST_NAMES = 6, 2000


def read_text(text: str) -> list[Scan]:
    """The one scan of a text of columns.

    Columns are separated by white space, comma, semicolon or bar; decimal marks are
    points or commas. Names in the header choose the columns; without names, they are
    two theta, intensity and its uncertainty, after an index, if there is one.

    Raises:
        NotReadable: there is no table of numbers, or it is none of a pattern.
    """
    lines = [line.strip() for line in _plain(text).splitlines()]
    _refuse_packed(text)
    inside = _uncommented(lines)
    layout = layout_of([line for line in inside if line])
    if layout is None:
        raise NotReadable(f"has no line with two numbers: {_HINT}")
    table, first, notes = _table(inside, layout)
    header = "\n".join(lines[:first])
    refuse_other_radiation(header)
    _refuse_commas(table, layout)
    columns = named_columns(_names(lines[:first], layout, table.shape[1]))
    columns = columns or unnamed_columns(table)
    beam = beam_of(header)
    if beam.wavelengths is None and columns.wavelength:
        beam = make_beam("column of d", columns.wavelength, anode=beam.anode)
    sigma = None if columns.sigma is None else table[:, columns.sigma]
    stored = table[:, columns.y]
    function = columns.function
    if function is None and _are_roots_of_counts(stored):
        function, sigma = "root", None
    if function is not None:
        notes = (*notes, _FUNCTION_NOTES[function])
    return [
        Scan(
            x=table[:, columns.x] * columns.scale,
            intensity=_intensity(stored, function),
            sigma=sigma,
            quantity=columns.quantity,
            axis=axis_of(header),
            beam=beam,
            about=_about(columns),
            notes=(*notes, *columns.notes),
        )
    ]


def _intensity(
    stored: Float[np.ndarray, " R"], function: Function | None
) -> Float[np.ndarray, " R"]:
    """The intensity of which a function is stored."""
    with np.errstate(over="ignore"):  # what is not finite is refused
        if function == "root":
            return stored**2
        if function == "log10":
            return 10.0**stored
        return np.exp(stored) if function == "ln" else stored


def _are_roots_of_counts(stored: Float[np.ndarray, " R"]) -> bool:
    """Whether nearly all values are square roots of whole numbers, and few are whole.

    So precisely that chance is excluded: the squares of values with four decimals are
    within 2e-4 of a whole number by chance in a few cases of ten thousand.
    """
    if not (np.isfinite(stored).all() and (stored >= 0).all()):
        return False
    whole = stored == np.round(stored)
    if whole.mean() > _FEW or not 2 < stored.max() < _LARGEST_ROOT:
        return False
    squares = stored**2
    off = np.abs(squares - np.round(squares))
    return bool((off <= _ROOT_DECIMALS * (1 + 2 * stored)).mean() > 1 - _FEW / 10)


def _plain(text: str) -> str:
    """Text with the signs of plain numbers."""
    text = text.translate(_SIGNS)
    return _THIN.sub("", text) if _THIN.search(text) else text


def _refuse_packed(text: str) -> None:
    """Refuses JCAMP-DX with several intensities a line, which look like columns."""
    if "X++(Y" in text[:20_000]:
        raise NotReadable(
            "is JCAMP-DX of the form (X++(Y..Y)), expected (XY..XY): export it as "
            "columns of text"
        )


def _about(columns: Columns) -> str:
    return f"columns {columns.x + 1} and {columns.y + 1} of a text"


def _uncommented(lines: list[str]) -> list[str]:
    """The lines, with those of comments empty."""
    inside, block = [], False
    for line in lines:
        block = block or line.startswith("/*")
        comment = line.startswith(_COMMENT_MARKS) and not _QUOTED_NUMBER.match(line)
        inside.append("" if block or comment else line)
        block = block and "*/" not in line
    return inside


def _table(
    lines: list[str], layout: Layout
) -> tuple[Float[np.ndarray, "R C"], int, tuple[str, ...]]:
    """The numbers, the line where they begin, and notes on what was left out."""
    rows = [layout.numbers(line) if line else None for line in lines]
    lengths = [len(row) for row in rows if row and len(row) >= 2]
    width = max(set(lengths), key=lengths.count)
    fits = [row is not None and len(row) == width for row in rows]
    first, last = fits.index(True), len(fits) - 1 - fits[::-1].index(True)
    for i in range(first, last + 1):
        if lines[i] and not fits[i]:
            raise NotReadable(_bad_row(i, lines[i], width))
    after = [i for i in range(last + 1, len(lines)) if lines[i]]
    for i in after:
        # a cut row is damage; words are a footer
        if rows[i] is not None:
            raise NotReadable(_bad_row(i, lines[i], width))
    table = np.array([row for row in rows[first : last + 1] if row], dtype=np.float64)
    notes = (f"Lines after the numbers, left out: {len(after)}.",) if after else ()
    return table, first, notes


def _refuse_commas(table: Float[np.ndarray, "R C"], layout: Layout) -> None:
    """Refuses rows such as 5,02,134,0: decimal commas that look like separators."""
    whole = table.shape[1] > 2 and bool((table == np.round(table)).all())
    again = len(np.unique(table[:, 0])) < len(table) / 2
    if layout.separator == "," and whole and again:
        raise NotReadable(
            "has commas both as decimal marks and between its columns: export it with "
            "semicolons or tabs between the columns"
        )


def _bad_row(i: int, line: str, width: int) -> str:
    return (
        f"is no table: line {i + 1} is {line[:40]!r}, expected {width} numbers, as in "
        "most lines: remove or correct the line"
    )


def _names(header: list[str], layout: Layout, width: int) -> list[str]:
    """The names of the columns; empty if no line of the header can be that.

    A line that names no abscissa may hold the units of the names above it.
    """
    lines = [line for line in reversed(header) if 0 < len(line) < _LONGEST_NAMES]
    lines = lines[:_NAME_LINES]
    units: list[str] = []
    for line in lines:
        for names in _splits(line, layout):
            if len(names) != width:
                continue
            if names_columns(names, abscissa=True):
                units = units or [""] * width
                both = zip(names, units, strict=True)
                return [f"{name} {unit}".strip() for name, unit in both]
            if not units and (names_columns(names) or all(map(_UNIT.search, names))):
                units = names
    return units if names_columns(units) else []


def _splits(line: str, layout: Layout) -> Iterator[list[str]]:
    """Ways to split a line of names."""
    bare = line.lstrip("#!;%*' \t").strip()
    yield layout.words(bare)
    yield layout.words(line.lstrip("#!;%* \t"))
    yield re.split(r"\t+", bare)
    yield re.split(r"\s{2,}|\t", bare)
    yield re.split(r"\s*[,;]\s*", bare)
    yield bare.split()
