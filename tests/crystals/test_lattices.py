"""Unit-cell parameters, lattice vectors and the reciprocal lattice."""

import gemmi
import jax
import jax.numpy as jnp
import numpy as np
from examples import general_lattice
from laws import for_each

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


@for_each("cell", CELLS)
def test_parameters_survive_the_way_to_vectors_and_back(cell):
    parameters = parameters_from_lattice(_lattice(cell))
    np.testing.assert_allclose(parameters[:3], cell[:3], rtol=1e-12)
    np.testing.assert_allclose(np.rad2deg(parameters[3:]), cell[3:], rtol=1e-12)


@for_each("cell", CELLS)
def test_the_reciprocal_vectors_are_dual_to_the_direct_ones(cell):
    lattice = _lattice(cell)
    np.testing.assert_allclose(
        reciprocal_lattice(lattice) @ lattice.T, np.eye(3), atol=1e-12
    )
    np.testing.assert_allclose(
        reciprocal_metric(lattice) @ metric_tensor(lattice), np.eye(3), atol=1e-11
    )


@for_each("cell", CELLS)
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


def test_numpy_stays_in_double_precision():
    assert _lattice(CELLS[0]).dtype == np.float64


def _round_trip(parameters):
    """Of one cell: its lattice, parameters and reciprocal lattice, by JAX."""
    lattice = lattice_from_parameters(*parameters)
    return lattice, parameters_from_lattice(lattice), reciprocal_lattice(lattice)


def test_a_batch_of_cells_in_single_precision_has_the_lattices_of_numpy():
    parameters = np.concatenate([CELLS[:, :3], np.deg2rad(CELLS[:, 3:])], axis=1)
    batch = jax.jit(jax.vmap(_round_trip))(jnp.asarray(parameters, jnp.float32))
    lattices, again, stars = batch
    assert lattices.dtype == jnp.float32
    np.testing.assert_allclose(
        lattices, np.stack([_lattice(cell) for cell in CELLS]), atol=2e-5
    )
    np.testing.assert_allclose(again, parameters, rtol=1e-5)
    np.testing.assert_allclose(
        np.einsum("bij,bkj->bik", stars, lattices),
        np.broadcast_to(np.eye(3), (len(CELLS), 3, 3)),
        atol=1e-5,
    )


@jax.jit
def _volume_and_gradient(parameters):
    return jax.value_and_grad(
        lambda p: unit_cell_volume(lattice_from_parameters(*p)), argnums=0
    )(parameters)


def test_the_volume_grows_in_proportion_to_each_length():
    parameters = jnp.array([4.0, 5.0, 6.0, 1.5, 1.7, 1.9])
    volume, gradient = _volume_and_gradient(parameters)
    np.testing.assert_allclose(gradient[:3], volume / parameters[:3], rtol=1e-5)


def test_angles_that_close_no_cell_give_volume_zero_and_finite_gradients():
    impossible = jnp.array([1.0, 1.0, 1.0, *np.deg2rad([30.0, 40.0, 150.0])])
    volume, gradient = _volume_and_gradient(impossible)
    assert volume == 0
    assert np.all(np.isfinite(gradient))


def test_the_rhombohedral_cell_of_calcite_has_its_textbook_volume():
    # a = 6.375 angstrom, alpha = 46.08 degrees; Deer, Howie & Zussman:
    # a third of the hexagonal cell, 4.990^2 x 17.061 x sin 60
    alpha = np.deg2rad(46.08)
    lattice = lattice_from_parameters(6.375, 6.375, 6.375, alpha, alpha, alpha)
    hexagonal = 4.990**2 * 17.061 * np.sin(np.pi / 3)
    np.testing.assert_allclose(unit_cell_volume(lattice), hexagonal / 3, rtol=2e-3)


@for_each("number", (1, 14, 62, 139, 166, 194, 225))
def test_a_rounded_lattice_gets_exactly_the_symmetry_of_its_group(number):
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
