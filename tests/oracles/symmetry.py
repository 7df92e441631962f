"""Wyckoff positions as PyXtal lists them, and the space group as spglib finds it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache

import numpy as np
import spglib

# Primitive bases by centring, as fractions of the conventional vectors (rows); the
# rhombohedral one is the obverse setting. International Tables A, table 5.1.3.1.
PRIMITIVE_BASES = {
    "P": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "A": [[1, 0, 0], [0, 1 / 2, 1 / 2], [0, -1 / 2, 1 / 2]],
    "C": [[1 / 2, 1 / 2, 0], [-1 / 2, 1 / 2, 0], [0, 0, 1]],
    "F": [[0, 1 / 2, 1 / 2], [1 / 2, 0, 1 / 2], [1 / 2, 1 / 2, 0]],
    "I": [[-1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [1 / 2, 1 / 2, -1 / 2]],
    "R": [[2 / 3, 1 / 3, 1 / 3], [-1 / 3, 1 / 3, 1 / 3], [-1 / 3, -2 / 3, 1 / 3]],
}


LATTICE_SYSTEMS = (
    "triclinic",
    "monoclinic",
    "orthorhombic",
    "tetragonal",
    "rhombohedral",
    "hexagonal",
    "cubic",
)


@dataclass(frozen=True)
class Position:
    """A Wyckoff position of a space group in its reference setting.

    Attributes:
        letter: "a" to "z", then "A".
        multiplicity: atoms in the conventional cell.
        free: which of x, y, z move the atoms.
        maps: [M, 3, 4] atom m of the primitive cell is at maps[m] @ (x, y, z, 1).
    """

    letter: str
    multiplicity: int
    free: tuple[bool, bool, bool]
    maps: np.ndarray


@cache
def positions(space_group: int) -> tuple[Position, ...]:
    """Wyckoff positions from a to the general one, with PyXtal's coordinates."""
    return tuple(_position(wyckoff) for wyckoff in reversed(list(_group(space_group))))


@cache
def centring(space_group: int) -> str:
    """Letter of the conventional cell's centring."""
    return _group(space_group).symbol[0]


@cache
def lattice_system(space_group: int) -> str:
    """Lattice system, from the ranges of numbers in International Tables A."""
    if 143 <= space_group <= 194:
        return "rhombohedral" if centring(space_group) == "R" else "hexagonal"
    ends = {2: 0, 15: 1, 74: 2, 142: 3, 230: 6}
    return LATTICE_SYSTEMS[next(ends[end] for end in ends if space_group <= end)]


def conventional_operations(space_group: int) -> tuple[np.ndarray, np.ndarray]:
    """All operations, with those of the centring: rotations [G, 3, 3], shifts [G, 3]."""
    matrices = [op.affine_matrix for op in _group(space_group)[0].ops]
    return np.array(matrices)[:, :3, :3], np.array(matrices)[:, :3, 3] % 1


def spglib_group(
    space_group: int,
    lattice: np.ndarray,
    atoms: np.ndarray,
    numbers: np.ndarray,
    symprec: float = 1e-3,
) -> tuple[int, int] | None:
    """The space group that spglib finds, and the atoms in the cell that it calls primitive.

    Args:
        space_group: group in whose setting the atoms are given; says the centring.
        lattice: [3, 3] conventional cell, angstrom.
        atoms: [N, 3] atoms of one primitive cell, fractions of the conventional cell.
        numbers: [N] atomic numbers.
        symprec: tolerance, angstrom.

    Returns:
        Number of the group and of atoms; None if spglib gives up (atoms on each other).
    """
    basis = np.array(PRIMITIVE_BASES[centring(space_group)])
    cell = (basis @ lattice, atoms @ np.linalg.inv(basis), numbers)
    with warnings.catch_warnings():
        # spglib 2.7 and later announce, at every call, how errors will be reported in 3.0.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            dataset = spglib.get_symmetry_dataset(cell, symprec=symprec)
        except getattr(spglib, "SpglibError", ()):
            return None
    if dataset is None:
        return None
    return int(dataset.number), int(dataset.mapping_to_primitive.max()) + 1


@cache
def _group(space_group: int):
    from pyxtal.symmetry import Group

    return Group(space_group)


def _position(wyckoff) -> Position:
    maps = np.array([op.affine_matrix[:3] for op in wyckoff.ops])
    free = tuple(bool(np.any(maps[:, :, axis])) for axis in range(3))
    return Position(
        wyckoff.letter,
        wyckoff.multiplicity,
        free,
        _modulo_centring(wyckoff.number, maps),
    )


def _modulo_centring(space_group: int, maps: np.ndarray) -> np.ndarray:
    """One map of each set that the centring translations join.

    Two atoms are one in the primitive cell if they differ by a lattice vector, which
    has integer coordinates on the primitive basis; tried at an arbitrary point.
    """
    to_primitive = np.linalg.inv(PRIMITIVE_BASES[centring(space_group)])
    atoms = maps @ np.array([0.1234, 0.3457, 0.7681, 1.0]) @ to_primitive
    kept: list[int] = []
    for atom in range(len(atoms)):
        shifts = atoms[kept] - atoms[atom]
        if not np.any(np.all(np.abs(shifts - np.round(shifts)) < 1e-6, axis=1)):
            kept.append(atom)
    return maps[kept]
