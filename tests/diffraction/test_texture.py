"""Preferred orientation: March's function over equivalent reflections."""

import jax.numpy as jnp
import numpy as np
import pytest

from xrdjax.crystals.lattices import lattice_from_parameters, reciprocal_lattice
from xrdjax.diffraction.texture import equivalent_axes, march_dollase
from xrdjax.symmetry.space_groups import symmetry_table

CUBIC = lattice_from_parameters(4.0, 4.0, 4.0, *np.deg2rad([90, 90, 90]))
TRICLINIC = lattice_from_parameters(4.0, 5.0, 6.0, *np.deg2rad([80, 95, 105]))


def factors(miller, lattice, number, march, axis=(0, 0, 1)):
    symmetry = symmetry_table()
    symmetry = type(symmetry)(
        **{k: jnp.asarray(v[number]) for k, v in vars(symmetry).items()}
    )
    lattice = jnp.asarray(lattice, jnp.float32)
    miller = jnp.asarray(miller, jnp.float32)
    axes = equivalent_axes(jnp.asarray(axis, jnp.float32), lattice, symmetry)
    s = jnp.sqrt(jnp.sum((miller @ reciprocal_lattice(lattice)) ** 2, axis=-1))
    args = miller, s, lattice, axes, jnp.float32(march), symmetry.order
    return np.asarray(march_dollase(*args, 48))


@pytest.mark.parametrize("march", [0.5, 0.8, 1.0, 1.6])
def test_the_mean_over_all_directions_is_one(march):
    cosine = (np.arange(20_000) + 0.5) / 20_000
    values = (march**2 * cosine**2 + (1 - cosine**2) / march) ** -1.5
    assert values.mean() == pytest.approx(1, rel=1e-4)
    # and the code's, over the reflections of a large shell of a large cell
    h = np.stack(np.meshgrid(*[np.arange(-12, 13)] * 3, indexing="ij"), -1)
    h = h.reshape(-1, 3)[(np.linalg.norm(h.reshape(-1, 3), axis=1) > 9)]
    h = h[np.linalg.norm(h, axis=1) < 12]
    assert factors(h, CUBIC, 1, march).mean() == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("number", [1, 2])
def test_one_reflection_has_the_formula_of_dollase(number):
    h, axis, march = np.array([1.0, 2, -1]), np.array([1.0, 0, 1]), 0.7
    basis = np.linalg.inv(TRICLINIC).T
    a, b = h @ basis, axis @ basis
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    expected = (march**2 * cosine**2 + (1 - cosine**2) / march) ** -1.5
    got = factors([h], TRICLINIC, number, march, axis)
    assert got[0] == pytest.approx(expected, rel=1e-5)


def test_equivalent_reflections_share_the_mean_of_the_cubic_axes():
    # 100 of a cubic crystal: one of three axes along the reflection, two across
    march = 0.6
    along, across = march**-3, march**1.5
    expected = (along + 2 * across) / 3
    got = factors([[1, 0, 0], [0, 0, 1], [0, -1, 0]], CUBIC, 221, march)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_without_texture_nothing_changes():
    h = np.random.default_rng(0).integers(1, 9, (20, 3))
    np.testing.assert_allclose(factors(h, TRICLINIC, 2, 1.0), 1, rtol=1e-5)
