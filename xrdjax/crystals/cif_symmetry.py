"""Settings that the symmetry tags of a CIF block may mean."""

import re
from dataclasses import dataclass

from xrdjax.crystals.cif_columns import Columns, first_value
from xrdjax.errors import InputError
from xrdjax.symmetry.operations import Operations, parse_operations
from xrdjax.symmetry.settings import Angles, Setting, named_settings

_OPERATIONS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
_MAGNETIC_OPERATIONS = "_space_group_symop_magn_operation_xyz"
_MAGNETIC_CENTRINGS = "_space_group_symop_magn_centering_xyz"
_HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
_HERMANN_MAUGUIN = (
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m_full",
    "_space_group_name_h-m_ref",
)
_NUMBER = ("_space_group_it_number", "_symmetry_int_tables_number")

LISTED = "the listed operations"


@dataclass(frozen=True, eq=False)
class Settings:
    """How a block's symmetry may be read.

    Attributes:
        candidates: settings, most likely first; at least one.
        is_part: the first is a list of operations that is only a part of the named
            group: the atoms may be listed in full, or the list is incomplete.
        note: what the file contradicts, or "".
    """

    candidates: list[Setting]
    is_part: bool = False
    note: str = ""


def _triplets(values: list[str]) -> tuple[str, ...]:
    """Single triplets, also of values that hold one a line, with or without numbers."""
    lines = (line for value in values for line in re.split(r"[\n;]", value))
    return tuple(
        text
        for line in lines
        if (text := re.sub(r"^\s*\d+\s+(?=\S)", "", line).strip(" \t'\""))
    )


def _without_time_reversal(triplets: tuple[str, ...]) -> tuple[str, ...]:
    """X-rays do not see magnetic moments: "x,y,z,-1" is "x,y,z"."""
    return tuple(re.sub(r",\s*[+-]?1\s*$", "", triplet) for triplet in triplets)


def _magnetic(columns: Columns) -> Operations | None:
    """Operations of a magnetic CIF, each with each centring."""
    triplets = _without_time_reversal(_triplets(columns.get(_MAGNETIC_OPERATIONS, [])))
    if not triplets:
        return None
    operations = parse_operations(triplets)
    centrings = _without_time_reversal(_triplets(columns.get(_MAGNETIC_CENTRINGS, [])))
    return operations.combined(parse_operations(centrings or ("x,y,z",)))


def listed_operations(columns: Columns) -> Operations | None:
    """The operations that a block lists; None if it lists none.

    Raises:
        InputError: one cannot be read.
    """
    for tag in _OPERATIONS:
        triplets = _triplets(columns.get(tag, []))
        if triplets:
            return parse_operations(_without_time_reversal(triplets))
    return _magnetic(columns)


def _contradiction(listed: Operations, named: list[Setting]) -> str:
    """A note if the names are those of other groups than the operations."""
    numbers = {setting.operations.space_group for setting in named}
    if not numbers or listed.space_group in numbers:
        return ""
    return (
        f"the listed operations are those of space group {listed.space_group}, the name "
        f"{named[0].name!r} is another: the operations count"
    )


def possible_settings(columns: Columns, angles: Angles) -> Settings:
    """The operations as listed; failing those, of the named group.

    Raises:
        InputError: there is no symmetry, or one that contradicts itself.
    """
    hall = first_value(columns, _HALL)
    symbol = first_value(columns, _HERMANN_MAUGUIN)
    number = first_value(columns, _NUMBER)
    named = named_settings(hall, symbol, number, angles)
    listed = listed_operations(columns)
    if listed is None:
        if not named:
            names = filter(None, (hall, symbol, number))
            given = ", ".join(repr(name[:60]) for name in names)
            raise InputError(
                "no symmetry: expected symmetry operations or the name or number of a "
                f"known space group, got {given or 'neither'}"
            )
        return Settings(named)
    larger = [s for s in named if set(listed.triplets) < set(s.operations.triplets)]
    if listed.is_group:
        if larger:
            return Settings([Setting(LISTED, listed), *larger], is_part=True)
        return Settings([Setting(LISTED, listed)], note=_contradiction(listed, named))
    # if the identity or centring is left out, the name supplies it
    if larger:
        return Settings(larger)
    raise InputError(
        f"the {len(listed.triplets)} symmetry operations form no group and are "
        "no part of the named one"
    )
