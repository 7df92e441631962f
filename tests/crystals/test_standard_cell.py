"""The cell of a lattice is one, whatever basis it is given in."""

import gemmi
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xrdjax.crystals.lattices import lattice_from_parameters, parameters_from_lattice
from xrdjax.crystals.standard_cell import (
    ANGLES,
    BRAVAIS_LATTICES,
    FREE,
    TIES,
    bravais_rows,
    primitive_cell,
    reduced_cell,
    standard_cell,
)
from xrdjax.symmetry.space_groups import SPACE_GROUPS

STANDARD = jax.jit(jax.vmap(standard_cell))
REDUCED = jax.jit(jax.vmap(reduced_cell))
PRIMITIVE = jax.jit(jax.vmap(primitive_cell))
NUMBERS = np.arange(1, 231, dtype=np.int32)
ROWS = bravais_rows()[NUMBERS]


@pytest.fixture(scope="module")
def cells():
    """A cell of each group's lattice, in radians, far from any other symmetry."""
    rng = np.random.default_rng(0)
    lengths = np.take_along_axis(rng.uniform(4, 12, (230, 3)), TIES[ROWS], axis=1)
    angles = np.where(FREE[ROWS, 3:], rng.uniform(70, 110, (230, 3)), ANGLES[ROWS])
    return np.concatenate([lengths, np.deg2rad(angles)], axis=1).astype(np.float32)


def sheared(cell, number):
    """The same lattice by another basis that the group's setting allows."""
    family, centring = BRAVAIS_LATTICES[bravais_rows()[number]]
    lattice = lattice_from_parameters(*cell.astype(float))
    if family == "a":
        turn = np.array([[1, 2, -1], [0, 1, 1], [1, 2, 0]])
    elif family == "m":
        even = 2 if centring == "S" else 1
        turn = np.array([[1 - 3 * even, 0, even], [0, 1, 0], [-3, 0, 1]])
    elif family == "o":
        is_based = SPACE_GROUPS[number - 1].centring
        turn = np.eye(3)[{"C": [1, 0, 2], "A": [0, 2, 1]}.get(is_based, [2, 0, 1])]
    else:
        turn = np.eye(3)
    assert abs(np.linalg.det(turn)) == pytest.approx(1)
    return parameters_from_lattice(turn @ lattice).astype(np.float32)


def test_every_basis_of_a_lattice_gives_its_one_cell_and_a_larger_one_scales_it(cells):
    found = np.asarray(STANDARD(cells, NUMBERS))
    others = np.array([sheared(c, n) for c, n in zip(cells, NUMBERS, strict=True)])
    np.testing.assert_allclose(STANDARD(others, NUMBERS), found, rtol=2e-4)
    np.testing.assert_allclose(
        STANDARD(found[NUMBERS > 74], NUMBERS[NUMBERS > 74]),
        found[NUMBERS > 74],
        rtol=2e-4,
    )
    larger = np.concatenate([1.5 * cells[:, :3], cells[:, 3:]], axis=1)
    expected = np.concatenate([1.5 * found[:, :3], found[:, 3:]], axis=1)
    np.testing.assert_allclose(STANDARD(larger, NUMBERS), expected, rtol=2e-4)
    volumes = [
        [gemmi.UnitCell(*c[:3], *np.rad2deg(c[3:])).volume for c in some]
        for some in (cells.tolist(), found.tolist())
    ]
    np.testing.assert_allclose(*volumes, rtol=1e-4)


def test_primitive_cells_are_those_of_niggli(cells):
    standard = np.asarray(STANDARD(cells, NUMBERS))
    found = np.asarray(PRIMITIVE(standard, ROWS))
    for number, cell, reduced in zip(NUMBERS, cells, found, strict=True):
        group = SPACE_GROUPS[number - 1]
        given = gemmi.UnitCell(*cell[:3].tolist(), *np.rad2deg(cell[3:]).tolist())
        vector = gemmi.GruberVector(given, group.centring)
        vector.niggli_reduce()
        expected = vector.get_cell().parameters
        # Niggli orders the angles where lengths are equal
        got = (*reduced[:3], *np.rad2deg(sorted(reduced[3:])))
        expected = (*expected[:3], *sorted(expected[3:]))
        np.testing.assert_allclose(got, expected, rtol=2e-3, err_msg=str(number))


def test_a_flat_cell_is_not_taken_for_another():
    flat = jnp.zeros((1, 3, 3))
    assert not np.isfinite(REDUCED(flat)).all()
