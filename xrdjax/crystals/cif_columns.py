"""Values of one data block of a CIF, by tag."""

from typing import Any

import numpy as np
from gemmi import cif

from xrdjax.errors import InputError

Columns = dict[str, list[str]]

COORDINATES = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")


def _value(raw: str) -> str:
    """Text of a value; "" for ? and ., which are the same but for coordinates."""
    if raw[:1] in ("'", '"') and (len(raw) < 2 or raw[-1] != raw[0]):
        return raw[1:].strip()  # not closed
    return cif.as_string(raw).strip()


def canonical_tag(tag: str) -> str:
    """A tag in lower case and with dots as underscores: old and new names are one."""
    return tag.lower().replace(".", "_")


def add_column(columns: Columns, tag: str, values: list[str]) -> None:
    """Adds the raw values of a tag; where a tag occurs twice, the first counts."""
    tag = canonical_tag(tag)
    if tag in COORDINATES:  # "." means 0 there, "?" does not
        values = ["." if raw == "." else _value(raw) for raw in values]
    else:
        values = [_value(raw) for raw in values]
    columns.setdefault(tag, values)


def block_columns(block: cif.Block) -> Columns:
    """All values by tag, in lower case and with dots as underscores; "" for ? and ."""
    columns: Columns = {}
    for item in block:
        pair: Any = item.pair  # tag and value, of which gemmi's stub does not know
        if pair is not None:
            tags, values = [pair[0]], [pair[1]]
        elif item.loop is not None:
            tags, values = item.loop.tags, item.loop.values
        else:
            continue
        for i, tag in enumerate(tags):
            add_column(columns, tag, values[i :: len(tags)])
    return columns


def has_atoms(columns: Columns) -> bool:
    """Whether any coordinate is given."""
    return any(any(columns.get(tag, ())) for tag in COORDINATES)


def first_value(columns: Columns, tags: tuple[str, ...]) -> str:
    """The first value given for any of the tags, or ""."""
    return next((c[0] for tag in tags if (c := columns.get(tag)) and c[0]), "")


def number_from(text: str, what: str, missing: float) -> float:
    """Number without its uncertainty in brackets, or `missing` for "".

    Raises:
        InputError: the text is no finite number.
    """
    if not text:
        return missing
    value = cif.as_number(text)
    if not np.isfinite(value):
        raise InputError(f"{what} is {text!r}, expected a number")
    return value
