"""Draws one by one; test_sampling.py compares distributions."""

import jax
import jax.numpy as jnp
import numpy as np
from laws import for_each
from oracles.sampled import BATCH

from xrdjax.prior.draws import MAX_EDGE, choose
from xrdjax.prior.prior import DEFAULT_LIMITS
from xrdjax.prior.sites import Sites
from xrdjax.symmetry.wyckoff import wyckoff_positions


def occupied(sites: Sites, i: int) -> tuple[np.ndarray, np.ndarray]:
    """Elements and letters of one crystal, without padding."""
    count = int(np.sum(sites.elements[i] > 0))
    assert np.all(sites.elements[i, :count] > 0), "padding is at the end"
    return sites.elements[i, :count], sites.letters[i, :count]


_choose_of_each = jax.jit(jax.vmap(choose))


def test_choice_is_in_proportion_to_the_weights():
    """Inversion maps equal parts of [0, 1) to equal shares."""
    weights = jnp.tile(jnp.array([0.0, 3.0, 0.0, 1.0, 4.0, 0.0]), (8000, 1))
    chosen = _choose_of_each((jnp.arange(8000.0) + 0.5) / 8000, weights)
    counts = np.bincount(np.asarray(chosen), minlength=6)
    assert counts.tolist() == [0, 3000, 0, 1000, 4000, 0]


@for_each("uniform", [0.0, 1e-30, 0.5, 1 - 2**-24])
def test_a_weight_of_zero_is_never_chosen(uniform):
    rng = np.random.default_rng(0)
    weights = rng.random((8000, 6)) * (rng.random((8000, 6)) < 0.3)
    weights[:, 0] = weights[:, -1] = 0
    weights[:, 3] = 1e-3  # one at least
    chosen = _choose_of_each(
        jnp.full(8000, uniform, jnp.float32), jnp.asarray(weights, jnp.float32)
    )
    assert np.all(weights[np.arange(8000), chosen] > 0)


def test_elements_are_distinct_and_each_is_on_neighbouring_sites(first_draws):
    for i in range(BATCH):
        elements, _ = occupied(first_draws.sites, i)
        changes = np.flatnonzero(np.diff(elements)) + 1
        firsts = elements[np.concatenate([[0], changes])]
        assert len(set(firsts.tolist())) == len(firsts)


def test_elements_and_letters_are_those_that_the_group_is_known_with(batch, prior):
    statistics = prior.statistics
    for i, row in enumerate(batch.group_rows):
        elements, letters = occupied(batch.sites, i)
        assert np.all(statistics.elements[row, elements] > 0)
        assert np.all(statistics.wyckoff[row, letters] > 0)
        _, per_element = np.unique(elements, return_counts=True)
        assert statistics.element_counts[row, len(per_element) - 1] > 0
        assert np.all(statistics.site_counts[row, per_element - 1] > 0)


def test_positions_without_freedom_hold_one_site(batch):
    for i, number in enumerate(batch.sites.space_group):
        _, letters = occupied(batch.sites, i)
        positions = wyckoff_positions(int(number))
        fixed = [x for x in letters.tolist() if not any(positions[x].free)]
        assert len(fixed) == len(set(fixed))


def test_crystals_are_within_the_limits(batch):
    lattices = batch.sites.lattice.astype(float)
    volumes = np.linalg.det(lattices)
    assert np.all((volumes > 0) & (volumes <= DEFAULT_LIMITS.max_volume * (1 + 1e-5)))
    assert np.linalg.norm(lattices, axis=2).max() < MAX_EDGE
    assert batch.sites.elements.shape == (BATCH, DEFAULT_LIMITS.max_sites)
    assert np.all(batch.sites.elements[:, 0] > 0)


def test_volume_is_the_sum_of_atomic_volumes_times_a_known_packing_factor(batch, prior):
    """Known ones of the group, within five kernel widths."""
    statistics = prior.statistics
    for i, row in enumerate(batch.group_rows):
        elements, letters = occupied(batch.sites, i)
        number = batch.sites.space_group[i]
        multiplicities = prior.wyckoff.multiplicity[number, letters]
        atoms = np.sum(multiplicities * prior.atomic_volumes[elements])
        factor = np.linalg.det(batch.sites.lattice[i].astype(float)) / atoms
        first, last = statistics.group_ranges[row]
        known = statistics.packing_factors[first:last]
        reach = 5 * statistics.volume_bandwidths[row, 1]
        assert known.min() - reach < factor < known.max() + reach


def test_coordinates_fill_the_unit_interval(first_draws):
    coordinates = first_draws.sites.coordinates
    assert 0 <= coordinates.min() and coordinates.max() < 1
    shares = np.histogram(coordinates, bins=10, range=(0, 1))[0] / coordinates.size
    np.testing.assert_allclose(shares, 0.1, atol=0.003)
