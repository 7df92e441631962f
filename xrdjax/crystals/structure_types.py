"""The symmetry of a crystal, and what makes two crystals the same structure type.

A structure type is the space group, the reduced anonymous composition, and the
multiplicities of the sites of each species, for instance "225 AB2 4 8" for fluorite:

- Multiplicities, not Wyckoff letters: another choice of origin permutes letters (in
  group 225 it swaps a and b), but never multiplicities.
- A species is one pattern of occupancy: which elements share a site, and in which
  proportions. So (Mg0.5Fe0.5)O is AB like MgO, with the mixed site as A; vacancies make
  another species, too. The letters count sites, not fractions of atoms.
- The two groups of an enantiomorphic pair (P4_1 and P4_3) count as one, under the
  lower number. Mirror images have the same powder pattern: a crystal that is held out
  must not be known as its mirror image.
"""

import dataclasses
import math

import numpy as np

from xrdjax.crystals.crystal import SAME_ATOM, Structure, expand_sites
from xrdjax.errors import InputError
from xrdjax.symmetry.search import StandardCell, find_symmetry, reference_operations
from xrdjax.symmetry.space_groups import space_group

# Occupancies that agree to this many decimals are the same.
OCCUPANCY_DECIMALS = 3


@dataclasses.dataclass(frozen=True, eq=False)
class Analysis:
    """A crystal in the reference setting of its space group, and its type.

    A row of `standard` is one element on one site; a mixed site has several rows,
    one after the other and at the same position.

    Attributes:
        space_group: number that spglib finds.
        wyckoff_letters: letter of each row's site in the reference setting.
        multiplicities: atoms of each row's site in the conventional cell.
        sites: number of the site (0, 1, ...) that each row is on.
        standard: the structure in the reference setting, one atom an orbit.
        type_key: structure type, e.g. "225 AB2 4 8".
    """

    space_group: int
    wyckoff_letters: tuple[str, ...]
    multiplicities: tuple[int, ...]
    sites: tuple[int, ...]
    standard: Structure
    type_key: str


# (atomic number, occupancy, b_iso) of each element on a site, by atomic number.
_Content = tuple[tuple[int, float, float], ...]


def _site_leaders(
    structure: Structure, positions: np.ndarray, rows: np.ndarray, distance: float
) -> np.ndarray:
    """For each row of a structure, the row whose site it shares (often itself).

    Args:
        structure: rows that share a site are separate there.
        positions: [M, 3] all atoms of the conventional cell, and
        rows: [M] the row that each comes from.
        distance: rows closer than this share a site, angstrom.
    """
    occupied = _is_occupied(structure)
    multiplicity = np.bincount(rows, minlength=len(occupied))
    leader = np.arange(len(occupied))
    # the row with the fewest atoms is the one on the special position
    for row in np.argsort(multiplicity, kind="stable"):
        if leader[row] != row or not occupied[row]:
            continue
        d = positions - structure.positions[row]
        d = (d - np.round(d)) @ structure.lattice
        near = rows[np.sum(d**2, axis=1) < distance**2]
        leader[near[leader[near] == near]] = row
    return leader


def _is_occupied(structure: Structure) -> np.ndarray:
    """Rows [S] with more than a rounding error of an atom."""
    return structure.occupancies >= 0.5 * 10.0**-OCCUPANCY_DECIMALS


def _merge_sites(
    structure: Structure, distance: float
) -> tuple[np.ndarray, list[_Content]]:
    """Atoms of the conventional cell; those that share a site become one atom.

    Args:
        structure: rows that share a site are separate there.
        distance: rows closer than this share a site, angstrom.

    Returns:
        Positions [M, 3], and the content of each atom.
    """
    positions, rows = expand_sites(structure)
    leader = _site_leaders(structure, positions, rows, distance)
    content: dict[int, dict[int, list[float]]] = {}
    for row in np.flatnonzero(_is_occupied(structure)):
        elements = content.setdefault(int(leader[row]), {})
        share = elements.setdefault(int(structure.elements[row]), [0.0, 0.0])
        share[0] += structure.occupancies[row]
        share[1] += structure.occupancies[row] * structure.b_iso[row]
    contents = {
        row: tuple((z, o, ob / o) for z, (o, ob) in sorted(elements.items()))
        for row, elements in content.items()
    }
    kept = np.isin(rows, list(contents))
    return positions[kept], [contents[row] for row in rows[kept].tolist()]


def _species(contents: list[_Content]) -> np.ndarray:
    """Number [M] of each atom's species."""
    seen: dict[tuple, int] = {}
    return np.array(
        [
            seen.setdefault(
                tuple((z, round(o, OCCUPANCY_DECIMALS)) for z, o, _ in content),
                len(seen),
            )
            for content in contents
        ]
    )


def _type_key(number: int, multiplicities: list[list[int]]) -> str:
    """Structure type from the multiplicities of the sites of each species."""
    mirror = space_group(number).enantiomorph
    species = sorted((sum(sites), sorted(sites)) for sites in multiplicities)
    counts = [count for count, _ in species]
    divisor = math.gcd(*counts)
    letters = [chr(ord("A") + i % 26) + "'" * (i // 26) for i in range(len(counts))]
    composition = "".join(
        letter + ("" if count == divisor else str(count // divisor))
        for letter, count in zip(letters, counts, strict=True)
    )
    sites = " ".join("+".join(map(str, sites)) for _, sites in species)
    return f"{min(number, mirror or number)} {composition} {sites}"


def _standard_structure(name: str, cell: StandardCell, rows: list[tuple]) -> Structure:
    """The structure of rows (site, atom of the cell, element, occupancy, B)."""
    _, atoms, elements, occupancies, b_iso = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    rotations, translations = reference_operations(cell.space_group)
    return Structure(
        name=name,
        lattice=cell.lattice,
        positions=np.mod(cell.positions[atoms], 1.0),
        elements=elements,
        occupancies=occupancies,
        b_iso=b_iso,
        rotations=rotations,
        translations=translations,
        space_group=cell.space_group,
    )


def analyse(structure: Structure, symprec: float = 0.01) -> Analysis:
    """Space group, reference setting, Wyckoff letters and structure type of a crystal.

    Args:
        structure: any setting, any cell, ordered or not.
        symprec: how far atoms may be from their symmetric places, angstrom. Rows closer
            than this (at least 0.01) share a site.

    Returns:
        The analysis; each site of its `standard` has exactly its letter's symmetry.

    Raises:
        InputError: spglib finds no symmetry (atoms overlap, no occupied site).
    """
    positions, contents = _merge_sites(structure, max(symprec, SAME_ATOM))
    if not contents:
        raise InputError(
            f"{structure.name} has no occupied site: expected at least one atom"
        )
    species = _species(contents)
    cell = find_symmetry(structure.lattice, positions, species, symprec, structure.name)
    _, first, multiplicity = np.unique(
        cell.orbits, return_index=True, return_counts=True
    )
    members: dict[int, list[int]] = {}
    rows = []
    for site, atom in enumerate(first):
        original = cell.source[atom]
        same_species = members.setdefault(int(species[original]), [])
        same_species.append(int(multiplicity[site]))
        rows += [(site, atom, *content) for content in contents[original]]
    sites, atoms = (np.array(column) for column in list(zip(*rows, strict=True))[:2])
    return Analysis(
        space_group=cell.space_group,
        wyckoff_letters=tuple(cell.wyckoff_letters[atom] for atom in atoms),
        multiplicities=tuple(multiplicity[sites].tolist()),
        sites=tuple(sites.tolist()),
        standard=_standard_structure(structure.name, cell, rows),
        type_key=_type_key(cell.space_group, list(members.values())),
    )
