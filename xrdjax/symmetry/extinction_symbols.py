"""Extinction symbols, such as "P n - a": names of systematic absences.

International Tables A, 5th edition, ch. 3.1.3: the centring, and for each symmetry
direction the glide plane normal to it and the screw axis along it that the absences
show. A screw axis is omitted where glide planes and centring imply its condition; a
dash stands for a direction with neither.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from xrdjax.symmetry.absences import (
    centring_absences,
    distinguishing_reflections,
    group_absences,
)
from xrdjax.symmetry.space_groups import SpaceGroup

_Vector = tuple[int, int, int]
_A, _B, _C = _AXES = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
_DIAGONAL = (1, -1, 0)  # planes normal to a - b concern the reflections hhl


@dataclasses.dataclass(frozen=True)
class Condition:
    """Reflection condition: where zone . h = 0, form . h = 0 (mod modulus).

    Attributes:
        symbol: of the glide plane or screw axis that the condition comes from.
        zone: one vector for a glide plane, two for a screw axis.
        form: coefficients of h, k, l.
        modulus: 2, 3, 4 or 6.
    """

    symbol: str
    zone: tuple[_Vector, ...]
    form: _Vector
    modulus: int

    def absences(
        self, rotations: Int[np.ndarray, "G 3 3"], miller: Int[np.ndarray, "H 3"]
    ) -> Bool[np.ndarray, " H"]:
        """Which reflections the condition and its equivalents in a group forbid, [H].

        Args:
            rotations: [G, 3, 3] of the group.
            miller: [H, 3] h, k, l.
        """
        images = miller @ rotations.astype(int)
        concerned = ~np.any(images @ np.array(self.zone).T, axis=-1)
        broken = images @ np.array(self.form) % self.modulus != 0
        return np.any(concerned & broken, axis=0)


@dataclasses.dataclass(frozen=True)
class Direction:
    """Glide planes normal to a symmetry direction, and screw axes along it.

    Attributes:
        glides: the planes are named by the first whose condition holds.
        screws: the strongest condition first.
    """

    glides: tuple[Condition, ...] = ()
    screws: tuple[Condition, ...] = ()


def _glides(zone: _Vector, **conditions: str) -> tuple[Condition, ...]:
    """Glide planes by letter, each with its condition, such as n="k+l=2"."""
    return tuple(
        Condition(letter, (zone,), *_parse(condition))
        for letter, condition in conditions.items()
    )


def _parse(condition: str) -> tuple[_Vector, int]:
    """Form and modulus of a condition such as "2h+l=4"."""
    left, modulus = condition.split("=")
    terms = {term[-1]: int(term[:-1] or 1) for term in left.split("+")}
    return (terms.get("h", 0), terms.get("k", 0), terms.get("l", 0)), int(modulus)


def _screws(axis: _Vector, **moduli: int) -> tuple[Condition, ...]:
    """Screw axes along a, b or c by symbol, "_" before it, with their moduli."""
    zone = tuple(other for other in _AXES if other != axis)
    return tuple(
        Condition(symbol.removeprefix("_"), zone, axis, modulus)
        for symbol, modulus in moduli.items()
    )


_MONOCLINIC = (Direction(_glides(_B, c="l=2"), _screws(_B, _21=2)),)
_ORTHORHOMBIC = (
    Direction(_glides(_A, d="k+l=4", b="k=2", c="l=2", n="k+l=2"), _screws(_A, _21=2)),
    Direction(_glides(_B, d="h+l=4", a="h=2", c="l=2", n="h+l=2"), _screws(_B, _21=2)),
    Direction(_glides(_C, d="h+k=4", a="h=2", b="k=2", n="h+k=2"), _screws(_C, _21=2)),
)
_TETRAGONAL = (
    Direction(_glides(_C, a="h=2", n="h+k=2"), _screws(_C, _41=4, _42=2)),
    Direction(_glides(_A, c="l=2", b="k=2", n="k+l=2"), _screws(_A, _21=2)),
    Direction(_glides(_DIAGONAL, d="2h+l=4", c="l=2")),
)
_RHOMBOHEDRAL = (Direction(), Direction(_glides(_A, c="l=2")))


def _hexagonal(**screws: int) -> tuple[Direction, ...]:
    return (
        Direction(screws=_screws(_C, **screws)),
        Direction(_glides(_A, c="l=2")),
        Direction(_glides(_DIAGONAL, c="l=2")),
    )


def _cubic(diagonal: str, **screws: int) -> tuple[Direction, ...]:
    return (
        Direction(_glides(_A, d="k+l=4", a="k=2", n="k+l=2"), _screws(_A, **screws)),
        Direction(),
        Direction(_glides(_DIAGONAL, d="2h+l=4", **{diagonal: "l=2"})),
    )


def symmetry_directions(group: SpaceGroup) -> tuple[Direction, ...]:
    """Symmetry directions, in the order of the Hermann-Mauguin symbol.

    International Tables A, 5th edition, tables 2.2.4.1 (directions), 2.2.13.2
    (conditions) and 3.1.4.1 (letters for planes that have several names).
    """
    match group.crystal_system:
        case "monoclinic":
            return _MONOCLINIC
        case "orthorhombic":
            return _ORTHORHOMBIC
        case "tetragonal":
            return _TETRAGONAL
        case "trigonal":
            return _RHOMBOHEDRAL if group.centring == "R" else _hexagonal(_31=3)
        case "hexagonal":
            return _hexagonal(_61=6, _62=3, _63=2)
        case "cubic":
            twofold = "_42" if group.laue_class == "m-3m" else "_21"
            return _cubic("c" if group.centring == "F" else "n", _41=4, **{twofold: 2})
    return ()


@functools.cache
def extinction_symbol(group: SpaceGroup) -> str:
    """Extinction symbol of a space group in its reference setting, such as "P n - a".

    Args:
        group: its crystal system and Laue class decide how screw axes are named.
    """
    if group.crystal_system == "triclinic":
        return "P -"
    directions = symmetry_directions(group)
    glides = [direction.glides for direction in directions]
    screws = [direction.screws for direction in directions]
    explained = centring_absences(group, distinguishing_reflections())
    planes, explained = _find(group, glides, explained)
    axes, _ = _find(group, screws, explained)
    parts = [
        "/".join(filter(None, (axis[:2], letter))) or "-"
        for axis, letter in zip(axes, _glide_letters(planes, group), strict=True)
    ]
    if group.crystal_system == "monoclinic":
        parts = ["1", *parts, "1"]
    return " ".join([group.centring, *parts])


def _find(
    group: SpaceGroup,
    candidates: Sequence[Sequence[Condition]],
    explained: Bool[np.ndarray, " H"],
) -> tuple[list[str], Bool[np.ndarray, " H"]]:
    """Symbols of the conditions that hold in each direction, one after the other.

    Args:
        group: the conditions must be among its absences.
        candidates: conditions of each direction.
        explained: [H] absences that need no further explanation.

    Returns:
        The symbols, and the absences explained once they are included.
    """
    miller = distinguishing_reflections()
    absent = group_absences(group, miller)
    found, total = [], explained
    for conditions in candidates:
        symbols = ""
        for condition in conditions:
            forbidden = condition.absences(group.rotations, miller)
            if absent[forbidden].all() and not explained[forbidden].all():
                symbols += condition.symbol
                total = total | forbidden
        found.append(symbols)
    return found, total


def _glide_letters(planes: Sequence[str], group: SpaceGroup) -> list[str]:
    """One name for the glide planes of each direction, of which several may hold.

    Two axial ones normal to one direction of an orthorhombic group are written "(ab)";
    where an I group has such planes normal to several directions, each is given a
    different glide direction: "I b a -".
    """
    letters = [symbols[:1] for symbols in planes]
    if group.crystal_system != "orthorhombic" or "d" in letters:
        return letters
    double = [i for i in range(3) if len(set(planes[i]) & set("abc")) == 2]
    for i in double:
        along = [j for j in ((i + 1) % 3, (i + 2) % 3) if j in double]
        if group.centring == "I" and along:
            letters[i] = "abc"[along[0]]
        else:
            letters[i] = f"({planes[i][:2]})"
    return letters
