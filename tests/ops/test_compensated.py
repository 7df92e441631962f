"""Pairs of float32 against float64, under jit, where a compiler could undo them."""

import jax
import numpy as np

from xrdjax.crystals.lattices import (
    inverse_spacing,
    reciprocal_lattice,
    spacing_remainder,
)
from xrdjax.ops.compensated import split, total_of, two_product, two_sum


def float_of(pair):
    return np.asarray(pair[0], float) + np.asarray(pair[1], float)


def test_sums_and_products_are_exact():
    rng = np.random.default_rng(0)
    a, b = np.exp(rng.normal(0, 3, (2, 1000))).astype(np.float32)
    wide_a, wide_b = a.astype(float), b.astype(float)
    found = float_of(jax.jit(two_product)(a, b))
    np.testing.assert_allclose(found, wide_a * wide_b, rtol=1e-14)
    found = float_of(jax.jit(two_sum)(a, -b))
    np.testing.assert_allclose(found, wide_a - wide_b, rtol=1e-14)


def test_what_cancels_in_float32_is_left_over():
    x = np.exp(np.random.default_rng(1).normal(0, 1, 100))
    y = x * (1 + 1e-9)
    pairs = [split(y), tuple(-part for part in split(x))]
    difference = jax.jit(total_of)(pairs)
    np.testing.assert_allclose(difference, x * 1e-9, rtol=1e-4)


def test_the_spacing_has_twice_the_precision_in_any_lattice():
    rng = np.random.default_rng(2)
    for scale in (3.0, 30.0):
        lattice = (scale * (np.eye(3) + rng.normal(0, 0.2, (3, 3)))).astype(np.float32)
        miller = rng.integers(-20, 21, (200, 3)).astype(np.float32)
        basis = reciprocal_lattice(lattice.astype(float))
        expected = np.linalg.norm(miller.astype(float) @ basis, axis=1)

        @jax.jit
        def pair(miller, lattice):
            s = inverse_spacing(miller, lattice)
            return s, spacing_remainder(miller, s, lattice)

        found = float_of(pair(miller, lattice))
        np.testing.assert_allclose(found, expected, rtol=1e-12)
