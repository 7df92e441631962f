"""Unit-cell parameters, lattice vectors and the reciprocal lattice."""

import gemmi
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from examples import general_lattice

from xrdjax.crystals.lattices import (
    lattice_from_parameters,
    metric_tensor,
    parameters_from_lattice,
    reciprocal_lattice,
    reciprocal_metric,
    symmetric_lattice,
    unit_cell_volume,
)
from xrdjax.symmetry.space_groups import space_group


def _random_cells(count: int) -> np.ndarray:
    """[count, 6] cells whose angles always close, degrees."""
    rng = np.random.default_rng(0)
    lengths = rng.uniform(2.0, 20.0, (count, 3))
    return np.concatenate([lengths, rng.uniform(65.0, 115.0, (count, 3))], axis=1)


CELLS = _random_cells(20)


def _lattice(cell: np.ndarray) -> np.ndarray:
    return lattice_from_parameters(*cell[:3], *np.deg2rad(cell[3:]))


@pytest.mark.parametrize("cell", CELLS)
def test_parameters_survive_the_way_to_vectors_and_back(cell):
    parameters = parameters_from_lattice(_lattice(cell))
    np.testing.assert_allclose(parameters[:3], cell[:3], rtol=1e-12)
    np.testing.assert_allclose(np.rad2deg(parameters[3:]), cell[3:], rtol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_the_reciprocal_vectors_are_dual_to_the_direct_ones(cell):
    lattice = _lattice(cell)
    np.testing.assert_allclose(
        reciprocal_lattice(lattice) @ lattice.T, np.eye(3), atol=1e-12
    )
    np.testing.assert_allclose(
        reciprocal_metric(lattice) @ metric_tensor(lattice), np.eye(3), atol=1e-11
    )


@pytest.mark.parametrize("cell", CELLS)
def test_vectors_volume_and_spacings_are_those_of_gemmi(cell):
    lattice, oracle = _lattice(cell), gemmi.UnitCell(*cell)
    np.testing.assert_allclose(lattice, np.array(oracle.orth.mat).T, atol=1e-9)
    np.testing.assert_allclose(unit_cell_volume(lattice), oracle.volume, rtol=1e-9)
    for h in ((1, 0, 0), (0, 2, -1), (3, -1, 2)):
        np.testing.assert_allclose(
            np.array(h) @ reciprocal_metric(lattice) @ np.array(h),
            oracle.calculate_1_d2(h),
            rtol=1e-9,
        )


def test_numpy_stays_in_double_precision_and_jax_in_jax():
    cell = CELLS[0]
    assert _lattice(cell).dtype == np.float64
    traced = jax.jit(lattice_from_parameters)(*cell[:3], *np.deg2rad(cell[3:]))
    assert isinstance(traced, jax.Array)
    np.testing.assert_allclose(traced, _lattice(cell), rtol=1e-5, atol=1e-5)


def test_a_batch_of_cells_gives_the_lattices_one_by_one():
    parameters = jnp.asarray(
        np.concatenate([CELLS[:, :3], np.deg2rad(CELLS[:, 3:])], axis=1), jnp.float32
    )
    lattices = jax.jit(jax.vmap(lambda p: lattice_from_parameters(*p)))(parameters)
    np.testing.assert_allclose(
        lattices, np.stack([_lattice(cell) for cell in CELLS]), atol=2e-5
    )
    np.testing.assert_allclose(
        jax.vmap(parameters_from_lattice)(lattices), parameters, rtol=1e-5
    )
    stars = jax.vmap(reciprocal_lattice)(lattices)
    np.testing.assert_allclose(
        np.einsum("bij,bkj->bik", stars, lattices),
        np.broadcast_to(np.eye(3), (len(CELLS), 3, 3)),
        atol=1e-5,
    )


def test_the_volume_grows_in_proportion_to_each_length():
    a, b, c, *angles = (jnp.float32(x) for x in (4.0, 5.0, 6.0, 1.5, 1.7, 1.9))

    def volume(a, b, c):
        return unit_cell_volume(lattice_from_parameters(a, b, c, *angles))

    v = volume(a, b, c)
    gradient = jax.jit(jax.grad(volume, argnums=(0, 1, 2)))(a, b, c)
    np.testing.assert_allclose(gradient, (v / a, v / b, v / c), rtol=1e-5)


def test_angles_that_close_no_cell_give_volume_zero_and_finite_gradients():
    def volume(angles):
        one = jnp.float32(1.0)
        return unit_cell_volume(lattice_from_parameters(one, one, one, *angles))

    impossible = jnp.deg2rad(jnp.array([30.0, 40.0, 150.0]))
    assert volume(impossible) == 0
    assert np.all(np.isfinite(jax.grad(volume)(impossible)))


def test_the_rhombohedral_cell_of_calcite_has_its_textbook_volume():
    # a = 6.375 angstrom, alpha = 46.08 degrees; Deer, Howie & Zussman:
    # a third of the hexagonal cell, 4.990^2 x 17.061 x sin 60
    alpha = np.deg2rad(46.08)
    lattice = lattice_from_parameters(6.375, 6.375, 6.375, alpha, alpha, alpha)
    hexagonal = 4.990**2 * 17.061 * np.sin(np.pi / 3)
    np.testing.assert_allclose(unit_cell_volume(lattice), hexagonal / 3, rtol=2e-3)


@pytest.mark.parametrize("number", (1, 14, 62, 139, 166, 194, 225))
def test_a_lattice_with_rounding_becomes_just_as_symmetric_as_its_group(number):
    rotations = space_group(number).rotations
    exact = general_lattice(number)
    noise = np.random.default_rng(number).normal(0, 1e-6, (3, 3))
    lattice = symmetric_lattice(exact + noise, rotations)
    metric = metric_tensor(lattice)
    for rotation in rotations:
        turned = rotation.T @ metric @ rotation
        np.testing.assert_allclose(turned, metric, atol=1e-12 * metric.max())
    np.testing.assert_allclose(metric, metric_tensor(exact), atol=1e-4)
    assert lattice[0, 1] == lattice[0, 2] == 0 < np.linalg.det(lattice)
