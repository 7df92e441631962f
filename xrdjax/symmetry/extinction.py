"""Which space groups the positions of powder lines cannot distinguish: one table.

Positions and systematic absences determine the Bravais lattice and the extinction
class; intensities alone, or single crystals, the Laue class. The classes of the 230
groups can be counted in several ways:

- 97 extinction classes: absences and Bravais lattice, which is all that the positions
  of powder lines show (4/m and 4/mmm, or trigonal and hexagonal P, look alike);
- 101 if trigonal and hexagonal groups count apart, as in the tables of each crystal
  system;
- 122 diffraction symbols: absences and Laue class, with -3m1 and -31m apart (as defined
  in International Tables A, 5th edition, ch. 3.1.3); 120 with the 11 Laue classes.
"""

import functools
import itertools
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np

from xrdjax.symmetry.absences import distinguishing_reflections, group_absences
from xrdjax.symmetry.extinction_symbols import extinction_symbol
from xrdjax.symmetry.space_groups import SPACE_GROUPS, SpaceGroup, space_group

_FAMILY_LETTERS = {
    "triclinic": "a",
    "monoclinic": "m",
    "orthorhombic": "o",
    "tetragonal": "t",
    "hexagonal": "h",
    "cubic": "c",
}


@dataclass(frozen=True)
class Classification:
    """Classes of one space group that say less than the group itself.

    Attributes:
        number: of the space group.
        chiral_pair: number of the first group of its enantiomorphic pair, or its own:
            the two groups of a pair have the same powder patterns.
        extinction_class: number of the first space group of the same Bravais lattice
            and systematic absences, in any setting.
        extinction_symbol: of that class, such as "P n - a", as in the reference
            setting of its group of highest symmetry.
        crystal_family: "hexagonal" includes the trigonal system.
        bravais_lattice: one of 14, such as "oP", "mS" or "hR".
        centring: P, C, F, I or R; C also where the reference setting is A-centred.
        laue_class: one of 11, such as "-3m".
        crystal_system: one of 7.
        arithmetic_class: one of 73, such as "-42mP".
    """

    number: int
    chiral_pair: int
    extinction_class: int
    extinction_symbol: str
    crystal_family: str
    bravais_lattice: str
    centring: str
    laue_class: str
    crystal_system: str
    arithmetic_class: str

    @property
    def diffraction_symbol(self) -> str:
        """Laue class and extinction symbol, such as "m-3 P 21 - -".

        The Laue class -3m is -3m1 or -31m in primitive groups, and screw axes are named
        as in the groups of that Laue class.
        """
        group = space_group(self.number)
        alike = (g for g in _members()[self.number] if g.laue_class == group.laue_class)
        return f"{_oriented_laue_class(group)} {_named_after(alike)}"


def _family(group: SpaceGroup) -> str:
    is_trigonal = group.crystal_system == "trigonal"
    return "hexagonal" if is_trigonal else group.crystal_system


def _bravais_lattice(group: SpaceGroup) -> str:
    centring = {"A": "S", "C": "S"}.get(group.centring, group.centring)
    return _FAMILY_LETTERS[_family(group)] + centring


def _absences_key(group: SpaceGroup) -> Hashable:
    """Equal for groups of the same Bravais lattice and systematic absences.

    Axes of an orthorhombic crystal may be called by any of their permutations. All
    other reference settings of a family are chosen alike.
    """
    axes = list(itertools.permutations(range(3)))
    if group.crystal_system != "orthorhombic":
        axes = axes[:1]
    miller = distinguishing_reflections()
    absent = (group_absences(group, miller[:, list(order)]) for order in axes)
    return _family(group), min(which.tobytes() for which in absent)


def _rotations_key(centring: str, rotations: Iterable[np.ndarray]) -> Hashable:
    return centring, frozenset(w.astype(np.int8).tobytes() for w in rotations)


@functools.cache
def _arithmetic_classes() -> dict[Hashable, str]:
    """Symbol of each arithmetic class, that of its symmorphic space group.

    International Tables A (2016), ch. 1.3.4.4.1: the centring is put last.
    """
    symbols = {}
    for group in SPACE_GROUPS:
        if not group.translations.any():
            letter, *point = group.hermann_mauguin.split()
            if group.crystal_system == "monoclinic":
                point = point[1:2]
            key = _rotations_key(group.centring, group.rotations)
            symbols[key] = "".join(point) + letter
    return symbols


def _oriented_laue_class(group: SpaceGroup) -> str:
    """The Laue class, with its orientation towards the lattice: -3m1 or -31m."""
    if group.laue_class != "-3m" or group.centring != "P":
        return group.laue_class
    both = np.concatenate([group.rotations, -group.rotations])
    return _arithmetic_classes()[_rotations_key("P", both)].removesuffix("P")


def _named_after(groups: Iterable[SpaceGroup]) -> str:
    """Extinction symbol in the setting of the group of highest symmetry."""
    return extinction_symbol(max(groups, key=lambda g: len(g.rotations)))


@functools.cache
def _members() -> dict[int, list[SpaceGroup]]:
    """All groups of the extinction class of each group, in ascending order."""
    classes: dict[Hashable, list[SpaceGroup]] = {}
    for group in SPACE_GROUPS:
        classes.setdefault(_absences_key(group), []).append(group)
    return {group.number: alike for alike in classes.values() for group in alike}


@functools.cache
def _classify(number: int) -> Classification:
    """Classes of a group, computed when they are asked for."""
    group, members = space_group(number), _members()[number]
    key = _rotations_key(group.centring, group.rotations)
    return Classification(
        number=group.number,
        chiral_pair=min(group.number, group.enantiomorph or group.number),
        extinction_class=members[0].number,
        extinction_symbol=_named_after(members),
        crystal_family=_family(group),
        bravais_lattice=_bravais_lattice(group),
        centring="C" if group.centring == "A" else group.centring,
        laue_class=group.laue_class,
        crystal_system=group.crystal_system,
        arithmetic_class=_arithmetic_classes()[key],
    )


def classifications() -> tuple[Classification, ...]:
    """The table: classes of all 230 space groups, in ascending order."""
    return tuple(_classify(group.number) for group in SPACE_GROUPS)


def classification(number: int) -> Classification:
    """Classes of a space group.

    Raises:
        InputError: the number is not one of 1 to 230.
    """
    return _classify(space_group(number).number)
