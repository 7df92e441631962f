"""From patterns to probabilities of space groups."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from coded_patterns import GROUPS, POINTS, Reader, code, reading_run

from xrdjax.errors import InputError
from xrdjax.evaluation.predict import classify_patterns, grid_deg, most_probable

ROWS = [3, 0, 5, 5, 1, 2, 80]


@pytest.fixture
def run():
    """A run whose network records the shapes that it is compiled for."""
    return dataclasses.replace(reading_run(), model=Reader())


def test_probabilities_add_up_and_follow_the_patterns(run):
    probabilities = classify_patterns(run, code(ROWS), batch_size=3)
    assert probabilities.shape == (7, len(GROUPS))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert probabilities.argmax(axis=1).tolist() == ROWS


def test_the_batch_size_changes_nothing_and_the_network_compiles_once(run):
    patterns = np.random.default_rng(0).random((5, POINTS), np.float32)
    whole = classify_patterns(run, patterns, batch_size=5)
    run.model.shapes.clear()
    parts = classify_patterns(run, patterns, batch_size=2)
    np.testing.assert_allclose(parts, whole, rtol=1e-5)
    assert run.model.shapes == [(2, POINTS)]


def test_no_patterns_give_no_probabilities(run):
    none = np.zeros((0, POINTS), np.float32)
    assert classify_patterns(run, none).shape == (0, len(GROUPS))
    assert not run.model.shapes


def test_patterns_that_cannot_be_classified_are_refused(run):
    with pytest.raises(InputError, match="grid of 200 points"):
        classify_patterns(run, np.zeros((2, 500), np.float32))
    with pytest.raises(InputError, match="patterns hold"):
        classify_patterns(run, np.full((2, POINTS), np.nan, np.float32))


def test_a_network_that_diverged_is_named(run):
    broken = dataclasses.replace(run, params=jnp.float32(jnp.nan))
    with pytest.raises(InputError, match="step 40 .* diverged"):
        classify_patterns(broken, code([1]))


def test_the_most_probable_come_first(run):
    probabilities = np.zeros(len(GROUPS))
    probabilities[[1, 4, 7]] = 0.5, 0.2, 0.3
    first, second, third = GROUPS[[1, 7, 4]].tolist()
    best = most_probable(run, probabilities, 3)
    assert best == [(first, 0.5), (second, 0.3), (third, 0.2)]


def test_the_grid_is_that_of_the_run(run):
    np.testing.assert_allclose(grid_deg(run), np.linspace(5, 90, POINTS))
