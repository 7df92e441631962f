"""Quantities of crystals by which two collections are compared."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int

from xrdjax.crystals.crystal import SAME_ATOM, Structure, expand_sites
from xrdjax.crystals.elements import ATOMIC_VOLUMES, SYMBOLS
from xrdjax.crystals.lattices import reciprocal_lattice
from xrdjax.evaluation.metrics import CRYSTAL_SYSTEMS
from xrdjax.symmetry.space_groups import space_group


@dataclass(frozen=True, eq=False)
class Traits:
    """Traits of n crystals.

    Attributes:
        space_groups: [n] numbers.
        elements: [n, Z + 1] which elements are present.
        sites: [n] in the asymmetric unit.
        volumes: [n] of the conventional cell, cubic angstrom.
        packing_factors: [n] volume of the cell divided by that of its atoms.
        primitive_atoms: [n] atoms in the primitive cell.
        ratios: [n] c / a of the conventional cell.
        distances: [n] shortest distance between two atoms, angstrom.
    """

    space_groups: Int[np.ndarray, " n"]
    elements: Bool[np.ndarray, "n Z"]
    sites: Int[np.ndarray, " n"]
    volumes: Float[np.ndarray, " n"]
    packing_factors: Float[np.ndarray, " n"]
    primitive_atoms: Int[np.ndarray, " n"]
    ratios: Float[np.ndarray, " n"]
    distances: Float[np.ndarray, " n"]

    def ratios_of(self, lattice_system: str) -> Float[np.ndarray, " m"]:
        """c / a of the crystals of one lattice system."""
        systems = [space_group(n).lattice_system for n in self.space_groups.tolist()]
        return self.ratios[np.array(systems) == lattice_system]


def _shortest_translation(lattice: np.ndarray) -> float:
    """Upper bound for the shortest distance: an atom and its nearest own image."""
    return float(np.linalg.norm(lattice, axis=1).min())


def shortest_distance(
    lattice: Float[np.ndarray, "3 3"],
    positions: Float[np.ndarray, "M 3"],
    from_atoms: Float[np.ndarray, "S 3"],
) -> float:
    """Shortest distance from some atoms to any other atom of a crystal, angstrom.

    A vector shorter than d has components |f_i| <= d |a*_i|: that bounds the lattice
    translations to try, however oblique the cell is.

    Args:
        lattice: [3, 3] rows a, b, c, angstrom.
        positions: [M, 3] fractional, all atoms of the cell.
        from_atoms: [S, 3] fractional; one of each orbit is enough.
    """
    shortest = _shortest_translation(lattice)
    reach = shortest * np.linalg.norm(reciprocal_lattice(lattice), axis=1)
    steps = [np.arange(-n, n + 1) for n in np.floor(reach + 0.5).astype(int)]
    translations = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    for atom in from_atoms:
        f = positions - atom
        f -= np.round(f)
        squared = np.sum(((f[:, None] + translations[None]) @ lattice) ** 2, axis=-1)
        # any closer atom is the atom itself
        others = squared[squared >= (SAME_ATOM / 2) ** 2]
        if others.size:
            shortest = min(shortest, float(np.sqrt(others.min())))
    return shortest


def _traits_of_one(structure: Structure) -> tuple:
    """Values of one crystal, in order of the fields of `Traits`."""
    positions, site_of_atom = expand_sites(structure)
    elements = structure.elements[site_of_atom]
    present = np.zeros(len(SYMBOLS), bool)
    present[elements] = True
    a, _, c, *_ = structure.unit_cell
    centring = len(space_group(structure.space_group).centring_vectors)
    return (
        structure.space_group,
        present,
        len(structure.elements),
        structure.volume,
        structure.volume / ATOMIC_VOLUMES[elements].sum(),
        len(positions) // centring,
        c / a,
        shortest_distance(structure.lattice, positions, structure.positions),
    )


def measure(structures: Sequence[Structure]) -> Traits:
    """Traits of crystals in the reference settings of their space groups.

    Args:
        structures: n crystals, each site with one element.
    """
    columns = zip(*map(_traits_of_one, structures), strict=True)
    names = [field.name for field in fields(Traits)]
    return Traits(**{name: np.array(c) for name, c in zip(names, columns, strict=True)})


def group_shares(traits: Traits) -> Float[np.ndarray, "231"]:
    """Share of the crystals in each space group, by its number."""
    return np.bincount(traits.space_groups, minlength=231) / len(traits.space_groups)


def system_shares(traits: Traits) -> Float[np.ndarray, "7"]:
    """Share of the crystals in each of CRYSTAL_SYSTEMS."""
    systems = [space_group(n).crystal_system for n in traits.space_groups.tolist()]
    return np.array([np.mean([s == c for s in systems]) for c in CRYSTAL_SYSTEMS])


def element_shares(traits: Traits) -> Float[np.ndarray, " Z"]:
    """Share of the crystals that hold each element, by atomic number."""
    return traits.elements.mean(axis=0)


def pair_shares(traits: Traits) -> Float[np.ndarray, "Z Z"]:
    """Share of the crystals that hold both elements; above the diagonal only."""
    present = traits.elements.astype(float)
    return np.triu(present.T @ present / len(present), 1)
