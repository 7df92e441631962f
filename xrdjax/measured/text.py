"""Patterns in text files of columns, as any program exports them."""

import re

import numpy as np
from jaxtyping import Float

from xrdjax.measured.columns import (
    Columns,
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
    return [
        Scan(
            x=table[:, columns.x] * columns.scale,
            intensity=table[:, columns.y],
            sigma=sigma,
            quantity=columns.quantity,
            axis=axis_of(header),
            beam=beam,
            about=_about(columns),
            notes=(*notes, *columns.notes),
        )
    ]


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
    """The names of the columns; empty if no line of the header can be that."""
    lines = [line for line in reversed(header) if 0 < len(line) < _LONGEST_NAMES]
    for line in lines[:_NAME_LINES]:
        bare = line.lstrip("#!;%*' \t").strip()
        for names in (
            layout.words(bare),
            layout.words(line.lstrip("#!;%* \t")),
            re.split(r"\t+", bare),
            re.split(r"\s{2,}|\t", bare),
            re.split(r"\s*[,;]\s*", bare),
            bare.split(),
        ):
            if len(names) == width and names_columns(names):
                return names
    return []
