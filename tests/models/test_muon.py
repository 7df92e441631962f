"""Muon's orthogonal matrices; how the optimizer uses them is in test_optimizer."""

import jax
import numpy as np
import pytest

from xrdjax.models.muon import orthogonal


def _plain(matrix):
    """The iteration as Jordan et al. (2024) write it, in float64."""
    x = matrix / (np.linalg.norm(matrix) + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


@pytest.mark.parametrize("shape", [(864, 96), (256, 100), (20, 16), (16, 36)])
def test_the_iteration_on_the_gram_matrix_gives_that_on_the_matrix(shape):
    matrix = np.random.default_rng(0).standard_normal(shape)
    found = jax.jit(orthogonal)(np.asarray(matrix, np.float32))
    expected = _plain(matrix)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found / scale, expected / scale, atol=2e-5)


@pytest.mark.parametrize("shape", [(64, 8), (10, 8), (8, 64)])
def test_singular_vectors_stay_and_singular_values_go_near_one(shape):
    u, _, vt = np.linalg.svd(
        np.random.default_rng(1).standard_normal(shape), full_matrices=False
    )
    matrix = np.asarray(u * np.linspace(1, 0.05, 8) @ vt, np.float32)
    core = u.T @ np.asarray(jax.jit(orthogonal)(matrix)) @ vt.T
    values = np.diag(core)
    np.testing.assert_allclose(core, np.diag(values), atol=1e-4)
    assert 0.65 < values.min() and values.max() < 1.25


def test_a_matrix_of_zeros_stays_zero():
    assert not np.any(jax.jit(orthogonal)(np.zeros((9, 4), np.float32)))
