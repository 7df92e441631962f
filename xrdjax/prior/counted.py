"""Counts of known crystals, group by group, that statistics are made from.

Synthetic crystals are ordered, so a mixed site counts as its majority element (the
lighter one of two equal parts), and every site counts as fully occupied.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from xrdjax.crystals.elements import ATOMIC_VOLUMES, SYMBOLS
from xrdjax.crystals.lattices import parameters_from_lattice
from xrdjax.crystals.structure_types import Analysis
from xrdjax.symmetry.wyckoff import LETTERS


@dataclass(frozen=True)
class CountedCrystal:
    """Counts of one crystal.

    Attributes:
        sites: (atomic number, number of the letter, multiplicity) of each.
        atomic_volume: sum of atomic volumes in the conventional cell, angstrom^3.
        packing_factor: volume of the cell divided by that sum.
        shape: a, b, c divided by the cube root of the volume; angles in radians.
    """

    sites: tuple[tuple[int, int, int], ...]
    atomic_volume: float
    packing_factor: float
    shape: tuple[float, ...]

    @property
    def sites_of_elements(self) -> Counter[int]:
        """Number of sites of each element."""
        return Counter(element for element, _, _ in self.sites)


def by_size(crystal: CountedCrystal) -> tuple:
    """Sort key of the crystals of a group, whatever order they were read in."""
    return crystal.atomic_volume, crystal.packing_factor, crystal.shape


def count_crystal(analysis: Analysis) -> CountedCrystal:
    """Counts of an analysed crystal."""
    standard = analysis.standard
    sites: dict[int, tuple[int, int, int]] = {}
    # rows of a site ascend by element; the sort is stable, so the lighter one wins
    for row in np.argsort(-standard.occupancies, kind="stable"):
        element = int(standard.elements[row])
        letter = LETTERS.index(analysis.wyckoff_letters[row])
        site = (element, letter, analysis.multiplicities[row])
        sites.setdefault(analysis.sites[row], site)
    atomic_volume = sum(ATOMIC_VOLUMES[z] * m for z, _, m in sites.values())
    shape = parameters_from_lattice(standard.lattice)
    shape[:3] /= np.cbrt(standard.volume)
    return CountedCrystal(
        sites=tuple(sites.values()),
        atomic_volume=atomic_volume,
        packing_factor=standard.volume / atomic_volume,
        shape=tuple(shape.tolist()),
    )


def count_by_group(analyses: Sequence[Analysis]) -> dict[int, list[CountedCrystal]]:
    """The crystals of each space group, groups in ascending order.

    Sorted, so that the statistics do not depend on the order of the analyses.
    """
    groups: dict[int, list[CountedCrystal]] = {}
    for analysis in analyses:
        groups.setdefault(analysis.space_group, []).append(count_crystal(analysis))
    return {number: sorted(groups[number], key=by_size) for number in sorted(groups)}


@dataclass(frozen=True)
class Columns:
    """Columns of the tables of counts.

    Attributes:
        elements: most distinct elements in a crystal.
        sites: most sites of one element in a crystal.
    """

    elements: int
    sites: int


def columns_for(crystals: Iterable[CountedCrystal]) -> Columns:
    """Columns wide enough for the given crystals."""
    counts = [crystal.sites_of_elements for crystal in crystals]
    return Columns(max(map(len, counts)), max(max(c.values()) for c in counts))


def count_traits(
    crystals: Sequence[CountedCrystal], columns: Columns
) -> dict[str, Int[np.ndarray, " n"]]:
    """How often each number of elements, element, number of sites, and letter occurs.

    The names are those of the fields of `Statistics` that hold the shares.
    """
    per_element = [crystal.sites_of_elements for crystal in crystals]
    values = {
        "element_counts": ([len(c) - 1 for c in per_element], columns.elements),
        "elements": ([z for c in per_element for z in c], len(SYMBOLS)),
        "site_counts": (
            [n - 1 for c in per_element for n in c.values()],
            columns.sites,
        ),
        "wyckoff": ([w for c in crystals for _, w, _ in c.sites], len(LETTERS)),
    }
    return {
        name: np.bincount(np.array(found, int), minlength=size)
        for name, (found, size) in values.items()
    }
