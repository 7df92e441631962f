"""Settings that a space group's name, Hall symbol or number may mean, most likely first.

A name often leaves something open: which of two origins, which unique axis, hexagonal or
rhombohedral axes. The cell's angles decide the axes; the origin is for the reader of the
rest of the file to decide, so all are given.
"""

import re
from dataclasses import dataclass

import gemmi

from xrdjax.symmetry.operations import Operations, unique_operations

Angles = tuple[float, float, float]

# Angles this close to 90 degrees are right angles.
_RIGHT = 0.02

_SEVERAL_SETTINGS = ("monoclinic", "orthorhombic")

# A number that follows the symbol: "Fm-3m (225)", "P 21/c, No. 14"; but not "P 2(1)".
_APPENDED_NUMBER = re.compile(
    r"(?:\s*\((\d{2,3})\)|\s+\((\d)\)|[\s,(]+(?:no\b\.?|#)\s*(\d{1,3})\)?)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class Setting:
    """One way to understand a name.

    Attributes:
        name: Hermann-Mauguin symbol with its setting, or the Hall symbol.
        operations: all of its operations.
    """

    name: str
    operations: Operations


def _normalised(name: str) -> str:
    """A name with its setting as gemmi writes it: ":1", ":2", ":H", ":R"."""
    name = name.strip(" \t'\"")
    name = re.sub(r"(\d)\u0305|\u0305(\d)", r"-\1\2", name)  # a bar over the number
    name = re.sub(r"(\d) ?bar\b", r"-\1", name, flags=re.IGNORECASE)
    name = re.sub(r"_|\((\d)\)", r"\1", name)  # P 2_1/c, P 2(1)/c
    name = re.sub(r"\(?origin(?: choice)? ([12])\)?", r":\1", name, flags=re.IGNORECASE)
    name = re.sub(
        r"\(?(hexagonal|rhombohedral)(?: axes| setting)?\)?",
        lambda match: f":{match[1][0].upper()}",
        name,
        flags=re.IGNORECASE,
    )
    name = re.sub(r"(?<=[a-z0-9])[\s:]*\(?S\)?$", ":1", name)
    name = re.sub(r"(?<=[a-z0-9])[\s:]*\(?Z\)?$", ":2", name)
    # ICSD's "HR" (hexagonal axes of a rhombohedral lattice), "RS" (rhombohedral ones)
    name = re.sub(r"^(R.*?)[\s:]*HR?$", r"\1:H", name)
    name = re.sub(r"^(R.*?\S)[\s:]*RS?$", r"\1:R", name)
    return re.sub(r"\s*:\s*", ":", name)


def _short_name(name: str) -> str:
    """Short Hermann-Mauguin symbol of a full one: "P 4/n 21/c 2/c" is "P 4/n c c".

    A mirror or glide plane implies the twofold axis along its normal; in cubic groups
    ("-3" in second place) it implies the fourfold axis, too.
    """
    axes = "2|21|4|41|42|43" if "-3" in name.split()[2:3] else "2|21"
    return re.sub(rf"(?<= )(?:{axes})/([a-emn])(?![a-z])", r"\1", name)


def _old_spellings(name: str) -> list[str]:
    """Other spellings of a name that no table has, such as "P 2 1/c" or "F 4 3 m"."""
    spellings = [
        re.sub(r"(?<=[2346]) (?=[1-5](?:/| |$))", "", name),
        re.sub(r"^([PFI]) ?4 ?3 ?([mncd])$", r"\1 -4 3 \2", name),  # bar left out
        re.sub(r"^C(?= ?-?[36])", "P", name),  # hexagonal cells were called C
        re.sub(r"^(P) ?(-?3) ?([mc])$", r"\1 \2 \3 1", name),
    ]
    return [text for text in dict.fromkeys(spellings) if text != name]


def _find(name: str, angles: Angles) -> gemmi.SpaceGroup | None:
    """Of two origins, the one at the inversion; of two axes, those of the angles."""
    return gemmi.find_spacegroup_by_name(name, angles[0], angles[2], prefer="2")


def _known(name: str, angles: Angles) -> gemmi.SpaceGroup | None:
    for candidate in (name, _short_name(name), *_old_spellings(name)):
        group = _find(candidate, angles)
        if group is not None:
            return group
    # a setting may be given where there is only one: "P 6/m c c S"
    group = _find(name.partition(":")[0], angles) if ":" in name else None
    return group if group is not None and ":" not in group.xhm() else None


def _unique_axis(angles: Angles) -> str | None:
    """The axis at whose angle the cell is oblique; None if at none or at several."""
    oblique = [
        axis
        for axis, angle in zip("abc", angles, strict=True)
        if abs(angle - 90) > _RIGHT
    ]
    return oblique[0] if len(oblique) == 1 else None


def _rhombohedral_axes(angles: Angles) -> str | None:
    """H or R where the angles decide; the letter is often left from another setting."""
    if abs(angles[2] - 120) < 1 and max(abs(a - 90) for a in angles[:2]) < 1:
        return "H"
    oblique = abs(angles[0] - 90) > _RIGHT
    return "R" if oblique and max(angles) - min(angles) < 1 else None


def _symbol(group: gemmi.SpaceGroup) -> str:
    """Symbol of a monoclinic group without places of order 1: "P21/b"."""
    lattice, *places = group.hm.split()
    return lattice + "".join(place for place in places if place != "1")


def _monoclinic(symbol: str, number: int, axis: str) -> list[gemmi.SpaceGroup]:
    """Settings with that unique axis: of that symbol, else all cell choices."""
    groups = [
        group
        for group in gemmi.spacegroup_table()
        if group.crystal_system_str() == "monoclinic"
        and group.monoclinic_unique_axis() == axis
    ]
    of_symbol = [g for g in groups if _symbol(g).lower() == symbol.lower()]
    of_number = [g for g in groups if g.number == number and g.qualifier[0] != "-"]
    return of_symbol or of_number


def _open_choices(group: gemmi.SpaceGroup, angles: Angles) -> list[gemmi.SpaceGroup]:
    """The group itself and the other settings that its name may mean."""
    if group.crystal_system_str() == "monoclinic":
        axis = _unique_axis(angles)
        if axis and axis != group.monoclinic_unique_axis():
            others = _monoclinic(_symbol(group), group.number, axis)
            return others or [group]
    if group.ext in ("1", "2"):  # even the one that is named may be wrong
        other = _find(f"{group.hm}:{'21'[int(group.ext) - 1]}", angles)
        return [group] if other is None else [group, other]
    if group.ext in ("H", "R"):
        axes = _rhombohedral_axes(angles) or group.ext
        return [_find(f"{group.hm}:{axes}", angles) or group]
    return [group]


def _from_name(name: str, angles: Angles) -> list[gemmi.SpaceGroup]:
    name = _normalised(_APPENDED_NUMBER.sub("", name.strip(), count=1))
    if not name or name.isdecimal():
        return []
    group = _known(name, angles)
    if group is not None:
        return _open_choices(group, angles)
    symbol = name.replace(" ", "")
    axes = _unique_axis(angles) or "ca"
    return [g for axis in axes for g in _monoclinic(symbol, 0, axis)]


def _from_number(number: int, angles: Angles) -> list[gemmi.SpaceGroup]:
    """The reference setting, and others of the same axes, which a number leaves open."""
    table = [group for group in gemmi.spacegroup_table() if group.number == number]
    groups = [
        choice
        for group in table
        if group.is_reference_setting()
        for choice in _from_name(group.hm, angles)
    ]
    if not groups or groups[0].crystal_system_str() not in _SEVERAL_SETTINGS:
        return groups
    axis = groups[0].monoclinic_unique_axis()
    names = {group.xhm() for group in groups}
    others = [g for g in table if g.monoclinic_unique_axis() == axis]
    return groups + [group for group in others if group.xhm() not in names]


def _number_of(text: str, name: str) -> int:
    """The number that is given, or follows the name in brackets; 0 for none."""
    if text.isascii() and text.isdecimal() and len(text) <= 4:
        return int(text)
    appended = _APPENDED_NUMBER.search(name.strip())
    bare = name.strip() if name.strip().isdecimal() and len(name) < 4 else ""
    digits = next(filter(None, appended.groups()), bare) if appended else bare
    return int(digits or 0)


def _setting(group: gemmi.SpaceGroup) -> Setting:
    return Setting(group.xhm(), unique_operations(list(group.operations())))


def _of_hall(settings: list[Setting], angles: Angles) -> list[gemmi.SpaceGroup]:
    """Settings of the group of a Hall symbol, where there is one."""
    if not settings:
        return []
    return _from_number(settings[0].operations.space_group or 0, angles)


def named_settings(
    hall: str, hermann_mauguin: str, number: str, angles: Angles
) -> list[Setting]:
    """Settings that the names of a space group may mean, most likely first.

    The Hall symbol comes first, then the Hermann-Mauguin symbol, then the number; later
    ones are listed where they contradict.

    Args:
        hall: Hall symbol, or "".
        hermann_mauguin: short or full symbol, with or without a setting such as
            ":2", "Z", ":H" or "(origin choice 2)", or "".
        number: 1 to 230, or anything else, which is no number.
        angles: alpha, beta and gamma of the cell, degrees; they distinguish
            rhombohedral from hexagonal axes, and the unique axes.

    Returns:
        None at all if no name is that of a known group.
    """
    settings: list[Setting] = []
    if hall:
        try:
            ops = list(gemmi.symops_from_hall(hall.replace("_", " ")))
            settings.append(Setting(hall, unique_operations(ops)))
        except (RuntimeError, ValueError):
            pass
    groups = _from_name(hermann_mauguin, angles) or _of_hall(settings, angles)
    # "P 42/m m c (a,b+1/2,c)" moves the origin, which the number does not
    value = _number_of(number, hermann_mauguin)
    if hermann_mauguin.count(",") != 2 and value not in {g.number for g in groups}:
        groups += _from_number(value, angles)
    named = [_setting(group) for group in groups]
    if settings:
        given = set(settings[0].operations.triplets)
        named = [s for s in named if set(s.operations.triplets) != given]
    return settings + named
