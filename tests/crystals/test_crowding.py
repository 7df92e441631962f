"""Near images are found in any cell, in memory that grows with the atoms."""

import itertools

import numpy as np
import pytest
from laws import for_each

from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.crowding import near_pairs, shortest_contact, site_multiplicities
from xrdjax.crystals.crystal import expand_sites
from xrdjax.errors import InputError

CELLS = [
    (6, 7, 8, 90, 90, 90),
    (6, 7, 8, 60, 75, 50),
    (2.6, 2.9, 9, 100, 110, 118),
]


@for_each("cell", CELLS)
def test_pairs_are_those_of_all_neighbouring_cells(cell):
    rng = np.random.default_rng(0)
    structure = structure_from_sites(
        "two", 2, cell, ["C", "N"], rng.random((2, 3)), [0.3, 0.3]
    )
    pairs = near_pairs(structure, 3.5)
    images = np.einsum("gij,sj->sgi", structure.rotations, structure.positions)
    shifts = np.array(list(itertools.product(range(-6, 7), repeat=3)))
    steps = images[None] + structure.translations - structure.positions[:, None, None]
    distances = np.linalg.norm(
        (steps[..., None, :] + shifts) @ structure.lattice, axis=-1
    )
    np.testing.assert_allclose(
        np.sort(pairs.distance), np.sort(distances[distances <= 3.5]), atol=1e-9
    )


def test_multiplicities_are_those_of_the_expanded_cell():
    structure = structure_from_sites(
        "spinel",
        227,
        (8.08, 8.08, 8.08, 90, 90, 90),
        ["Mg", "Al", "O"],
        [(0.125,) * 3, (0.5,) * 3, (0.2624,) * 3],
    )
    expected = np.bincount(expand_sites(structure)[1])
    np.testing.assert_array_equal(site_multiplicities(structure), expected)
    assert 0.9 < shortest_contact(structure) < 1.2


def test_ten_thousand_atoms_need_no_matrix_of_them():
    grid = np.stack(np.meshgrid(*[np.arange(22)] * 3), -1).reshape(-1, 3)[:10_000] / 22
    cell = (50, 50, 50, 90, 90, 90)
    structure = structure_from_sites("large", 1, cell, ["C"] * 10_000, grid)
    assert len(structure.positions) == 10_000
    with pytest.raises(InputError, match="pairs of atoms lie within 0.5"):
        structure_from_sites("heap", 1, cell, ["C"] * 10_000, grid * 0.001)


def test_an_atom_on_top_of_its_own_image_in_a_flat_cell_is_refused():
    with pytest.raises(InputError, match="its own image"):
        structure_from_sites("flat", 1, (5, 5, 5, 60, 60, 119.99), ["C"], [(0, 0, 0)])
