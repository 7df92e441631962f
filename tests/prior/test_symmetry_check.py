"""Symmetry beyond the group is seen where it was put, and nowhere else, in all groups."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from examples import general_lattice, general_structure
from laws import for_each

from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.crystal import Structure, to_crystal
from xrdjax.prior.check_table import check_table
from xrdjax.prior.symmetry_check import (
    Atoms,
    has_coincident_atoms,
    has_supergroup_symmetry,
)
from xrdjax.symmetry.space_groups import SPACE_GROUPS, space_group

SIZE = 512  # atoms a primitive cell is padded to
# Coordinates as whole numbers: modulo this many a cell's edge, exact for 24ths.
PART = 1009
CELL = 24 * PART


class Cell(NamedTuple):
    """Atoms of one primitive cell, of the rarest element first."""

    space_group: int
    lattice: np.ndarray
    positions: np.ndarray
    elements: np.ndarray
    rare: int


def atoms_of(structure: Structure) -> Cell:
    crystal = to_crystal(structure)
    elements, counts = np.unique(crystal.elements, return_counts=True)
    rare = np.argmin(counts)
    order = np.argsort(crystal.elements != elements[rare], kind="stable")
    return Cell(
        structure.space_group,
        structure.lattice,
        crystal.positions[order],
        crystal.elements[order],
        counts[rare],
    )


@jax.jit
@jax.vmap
def _has_supergroup(number, lattice, positions, elements, count, rare):
    def atoms(index):
        inside = jnp.minimum(index, SIZE - 1)
        return positions[inside], jnp.where(index < count, elements[inside], 0)

    return has_supergroup_symmetry(
        Atoms(atoms, count), jnp.int32(0), rare, lattice, number, check_table()
    )


def has_supergroup(crystals: list[Cell]) -> np.ndarray:
    """For each crystal, in batches of one size so that one program serves all."""
    batch, found = 64, []
    for first in range(0, len(crystals), batch):
        some = crystals[first : first + batch]
        some = some + some[-1:] * (batch - len(some))
        positions = np.zeros((batch, SIZE, 3), np.float32)
        elements = np.zeros((batch, SIZE), np.int32)
        for i, atoms in enumerate(some):
            positions[i, : len(atoms.positions)] = atoms.positions
            elements[i, : len(atoms.elements)] = atoms.elements
        found.append(
            _has_supergroup(
                np.array([atoms.space_group for atoms in some]),
                np.array([atoms.lattice for atoms in some], np.float32),
                positions,
                elements,
                np.array([len(atoms.elements) for atoms in some]),
                np.array([atoms.rare for atoms in some]),
            )
        )
    return np.concatenate(found)[: len(crystals)]


def orbit(number: int, start: np.ndarray, *more: tuple) -> np.ndarray:
    """Images [N, 3] of a point under a group and more operations, modulo centring.

    In whole numbers: exact, however many operations follow one another.
    """
    group = space_group(number)
    rotations = np.concatenate([group.rotations, *[w[None] for w, _ in more]])
    shifts = np.rint(24 * np.concatenate([group.translations, *[[t] for _, t in more]]))
    centring = np.rint(24 * group.centring_vectors).astype(int) * PART
    points = np.zeros((0, 3), int)
    fresh = start[None]
    while len(fresh) != len(points):
        points = fresh
        images = np.einsum("gij,nj->gni", rotations.astype(int), points)
        images += shifts[:, None].astype(int) * PART
        images = np.concatenate([points, images.reshape(-1, 3)])
        copies = (images[:, None] + centring) % CELL
        codes = np.min(copies @ np.array([CELL**2, CELL, 1]), axis=1)
        codes = np.unique(codes)
        fresh = np.stack([codes // CELL**2, codes // CELL % CELL, codes % CELL], axis=1)
    return points


def iron(number: int, points: np.ndarray) -> Cell:
    return Cell(
        number,
        general_lattice(number),
        points / CELL,
        np.full(len(points), 26),
        len(points),
    )


class Case(NamedTuple):
    """A general point of a group, and an operation that the group does not have."""

    number: int
    start: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray


@pytest.fixture(scope="module")
def supercrystals() -> list[tuple[Case, np.ndarray]]:
    """One for each coset of each point group in its holohedry, and its atoms.

    Of eight translations that which makes the fewest atoms: it adds few or no
    translations of the lattice.
    """
    rng = np.random.default_rng(0)
    table, found = check_table(), []
    for group in SPACE_GROUPS:
        for coset in range(1, table.coset_count[group.number]):
            rotation = table.cosets[group.number, coset].astype(int)
            start = rng.integers(0, CELL, 3)
            best, fewest = None, np.zeros((SIZE, 3))
            quarters_tried = rng.integers(0, 4, (8, 3))
            quarters_tried[3] = 0
            for quarters in quarters_tried:
                case = Case(group.number, start, rotation, quarters / 4)
                points = orbit(case.number, start, (rotation, case.translation))
                if len(points) < len(fewest):
                    best, fewest = case, points
                if len(fewest) == 2 * len(group.rotations):
                    break
            found.append((best, fewest))
    return found


def test_an_operation_beyond_the_group_is_seen_in_every_coset(supercrystals):
    assert len(supercrystals) > 200
    crystals = [iron(case.number, points) for case, points in supercrystals]
    missed = ~has_supergroup(crystals)
    assert [
        c.number for (c, _), m in zip(supercrystals, missed, strict=True) if m
    ] == []


@for_each(("shift", "expected"), [(5e-4, True), (0.2, False)])
def test_symmetry_is_lost_where_atoms_move_farther_than_the_tolerance(
    supercrystals, shift, expected
):
    """One orbit of the group itself moves, in angstrom; 0.002 is the tolerance."""
    rng = np.random.default_rng(1)
    crystals = []
    for case, points in supercrystals:
        own = set(map(tuple, orbit(case.number, case.start).tolist()))
        others = np.array([p for p in points.tolist() if tuple(p) not in own])
        assert len(others) > 0
        direction = rng.normal(size=3)
        step = direction @ np.linalg.inv(general_lattice(case.number)) * CELL
        step *= shift / np.linalg.norm(direction)
        moved = orbit(case.number, case.start + np.rint(step).astype(int))
        # cobalt stays, so that the iron cannot be symmetric in another place
        stays = rng.integers(0, CELL, 3)
        cobalt = orbit(case.number, stays, (case.rotation, case.translation))
        whole = iron(case.number, np.concatenate([moved, others, cobalt]))
        count = len(moved) + len(others)
        elements = np.where(np.arange(len(whole.positions)) < count, 26, 27)
        crystals.append(whole._replace(elements=elements, rare=count))
    wrong = has_supergroup(crystals) != expected
    assert [c.number for (c, _), w in zip(supercrystals, wrong, strict=True) if w] == []


def test_crystals_with_atoms_in_general_positions_have_no_more_than_their_group():
    structures = [general_structure(group.number) for group in SPACE_GROUPS]
    found = has_supergroup([atoms_of(structure) for structure in structures])
    assert np.flatnonzero(found).tolist() == []


def test_a_finer_lattice_is_seen_in_every_group():
    """Every atom once more, half a cell away."""
    rng = np.random.default_rng(2)
    identity = np.eye(3, dtype=int)
    crystals = []
    for group in SPACE_GROUPS:
        halves = np.array([[1, 1, 1], [0, 0, 1], [1, 1, 0]]) / 2
        centring = group.centring_vectors
        half = next(
            h for h in halves if not np.any(np.all(np.abs(centring - h) < 1e-6, axis=1))
        )
        start = rng.integers(0, CELL, 3)
        crystals.append(
            iron(group.number, orbit(group.number, start, (identity, half)))
        )
    assert np.flatnonzero(~has_supergroup(crystals)).tolist() == []


SIDE = (4.0, 4.0, 4.0, 90.0, 90.0, 90.0)
ORIGIN, CENTRE, QUARTER = (0, 0, 0), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
TEXTBOOK = {
    "rock salt in its own group": (225, ["Na", "Cl"], [ORIGIN, CENTRE], False),
    "rock salt in F-43m": (216, ["Na", "Cl"], [ORIGIN, CENTRE], True),
    "rock salt in F23": (196, ["Na", "Cl"], [ORIGIN, CENTRE], True),
    "sphalerite": (216, ["Zn", "S"], [ORIGIN, QUARTER], False),
    "diamond in F-43m": (216, ["C", "C"], [ORIGIN, QUARTER], True),
    "caesium chloride": (221, ["Cs", "Cl"], [ORIGIN, CENTRE], False),
    "iron as caesium chloride": (221, ["Fe", "Fe"], [ORIGIN, CENTRE], True),
    "tungsten in Im-3": (204, ["W"], [ORIGIN], True),
    "skutterudite": (204, ["Co", "As"], [QUARTER, (0, 0.335, 0.158)], False),
    "perovskite": (221, ["Ca", "Ti", "O"], [CENTRE, ORIGIN, (0.5, 0, 0)], False),
    "perovskite in P4mm": (
        99,
        ["Ca", "Ti", "O", "O"],
        [CENTRE, ORIGIN, (0.5, 0, 0), (0, 0, 0.5)],
        True,
    ),
    "a polar perovskite in P4mm": (
        99,
        ["Ca", "Ti", "O", "O"],
        [CENTRE, (0, 0, 0.03), (0.5, 0, 0.05), (0, 0, 0.54)],
        False,
    ),
    "two equal atoms in P1": (1, ["Fe", "Fe"], [ORIGIN, (0.1, 0.2, 0.3)], True),
    "two other atoms in P1": (1, ["Fe", "Co"], [ORIGIN, (0.1, 0.2, 0.3)], False),
}


def test_textbook_crystals_have_a_supergroup_or_not():
    crystals = []
    for number, symbols, positions, _ in TEXTBOOK.values():
        cell = (4.1, 4.7, 5.3, 85.0, 97.0, 104.0) if number == 1 else SIDE
        cell = (4.0, 4.0, 4.2, 90.0, 90.0, 90.0) if number == 99 else cell
        structure = structure_from_sites("", number, cell, symbols, positions)
        crystals.append(atoms_of(structure))
    found = dict(zip(TEXTBOOK, has_supergroup(crystals).tolist(), strict=True))
    assert found == {name: expected for name, (*_, expected) in TEXTBOOK.items()}


@jax.jit
def _coincide(positions, elements, lattice, centring):
    count = jnp.sum(elements > 0)

    def atoms(index):
        inside = jnp.minimum(index, 15)
        return positions[inside], jnp.where(index < count, elements[inside], 0)

    return has_coincident_atoms(
        Atoms(atoms, count), jnp.arange(16), count, lattice, centring
    )


@for_each(
    ("shift", "expected"),
    [
        ((0.0, 0.0, 0.0), True),
        ((1.0, -2.0, 0.0), True),  # a lattice vector
        ((0.5, 0.5, 0.0), True),  # a centring vector
        ((1e-4, -1e-4, 1e-4), True),  # within 0.002 angstrom
        ((0.5, 0.5, 2e-4), True),
        ((1e-3, 0.0, 0.0), False),
        ((0.5, 0.5, 0.5), False),
        ((0.5, 0.0, 0.0), False),
    ],
)
def test_coincident_atoms_are_seen_whatever_lattice_vectors_lie_between(
    shift, expected
):
    """The last of seven atoms is on the third, or near it."""
    rng = np.random.default_rng(3)
    positions = np.zeros((16, 3), np.float32)
    positions[:6] = rng.random((6, 3))
    positions[6] = positions[2] + np.array(shift, np.float32)
    elements = np.where(np.arange(16) < 7, 26, 0)
    centring = np.array([[0, 0, 0], [0.5, 0.5, 0], [0, 0, 0], [0, 0, 0]], np.float32)
    lattice = general_lattice(5).astype(np.float32)
    assert bool(_coincide(positions, elements, lattice, centring)) == expected
