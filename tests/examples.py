"""Crystals of any space group with all atoms in general positions."""

from collections.abc import Sequence

import numpy as np

from xrdjax.crystals.asymmetric_unit import lattice_from_cell
from xrdjax.crystals.crystal import Structure
from xrdjax.prior.prior import Limits
from xrdjax.symmetry.search import reference_operations
from xrdjax.symmetry.space_groups import space_group

# Of sampled crystals; with the same limits and batch, tests share one program.
LIMITS = Limits(max_volume=1500.0, max_sites=24)
DRAWN = 32

# a, b, c in angstrom, alpha, beta, gamma in degrees, by lattice system.
CELLS = {
    "triclinic": (4.91, 5.63, 6.37, 81.3, 97.7, 104.9),
    "monoclinic": (4.91, 5.63, 6.37, 90.0, 103.7, 90.0),
    "orthorhombic": (4.91, 5.63, 6.37, 90.0, 90.0, 90.0),
    "tetragonal": (5.17, 5.17, 6.37, 90.0, 90.0, 90.0),
    "rhombohedral": (5.17, 5.17, 9.83, 90.0, 90.0, 120.0),
    "hexagonal": (5.17, 5.17, 6.37, 90.0, 90.0, 120.0),
    "cubic": (5.41, 5.41, 5.41, 90.0, 90.0, 90.0),
}


def general_lattice(number: int) -> np.ndarray:
    """Rows a, b, c of a cell with exactly the symmetry of the space group."""
    return lattice_from_cell(CELLS[space_group(number).lattice_system])


def general_position(number: int, rng: np.random.Generator) -> np.ndarray:
    """Fractional coordinates of an atom at least 0.1 angstrom from all its images."""
    rotations, translations = reference_operations(number)
    lattice = general_lattice(number)
    while True:
        position = rng.random(3)
        steps = rotations @ position + translations - position
        steps -= np.round(steps)
        if np.sum(np.linalg.norm(steps @ lattice, axis=1) < 0.1) == 1:  # itself
            return position


def general_structure(number: int, elements: Sequence[int] = (26, 8, 8)) -> Structure:
    """Atoms on general positions, in the reference setting."""
    rotations, translations = reference_operations(number)
    rng = np.random.default_rng(number)
    count = len(elements)
    return Structure(
        name=f"group {number}",
        lattice=general_lattice(number),
        positions=np.array([general_position(number, rng) for _ in elements]),
        elements=np.array(elements),
        occupancies=np.ones(count),
        b_iso=np.zeros(count),
        rotations=rotations.astype(int),
        translations=translations,
        space_group=number,
    )
