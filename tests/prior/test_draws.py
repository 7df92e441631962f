"""Draws one by one, and crystals drawn from them; other tests compare distributions."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from examples import DRAWN, LIMITS

from xrdjax.prior.draws import MAX_EDGE, choose, sample_sites
from xrdjax.prior.prior import Prior, make_prior
from xrdjax.prior.sampling import sample_crystal, sample_crystals, sample_group_rows
from xrdjax.prior.sites import Sites
from xrdjax.symmetry.wyckoff import wyckoff_positions

DRAWS = 4096


class Draws(NamedTuple):
    """Draws of step 2 to 6, all groups alike, before any is thrown away."""

    sites: Sites
    possible: np.ndarray
    atoms: np.ndarray


@pytest.fixture(scope="module")
def prior() -> Prior:
    return make_prior()


@pytest.fixture(scope="module")
def draws(prior) -> Draws:
    keys = jax.random.split(jax.random.key(0), DRAWS)
    groups = jnp.arange(DRAWS) % len(prior.statistics.space_groups)
    draw = jax.jit(
        jax.vmap(
            lambda key, group, prior: sample_sites(key, prior, group, LIMITS),
            in_axes=(0, 0, None),
        )
    )
    return Draws(*jax.tree.map(np.asarray, draw(keys, groups, prior)))


@pytest.fixture(scope="module")
def sampled(prior):
    """Rows of the groups that were asked for, crystals, and counts."""
    groups = jnp.arange(DRAWN) * 4 % len(prior.statistics.space_groups)
    sites, counts = sample_crystals(jax.random.key(1), prior, groups, LIMITS)
    return np.asarray(groups), jax.tree.map(np.asarray, sites), counts


def occupied(sites: Sites, i: int) -> tuple[np.ndarray, np.ndarray]:
    """Elements and letters of one crystal, without padding."""
    count = int(np.sum(sites.elements[i] > 0))
    assert np.all(sites.elements[i, :count] > 0), "padding is at the end"
    return sites.elements[i, :count], sites.letters[i, :count]


def test_choice_is_in_proportion_to_the_weights():
    """Inversion maps equal parts of [0, 1) to equal shares."""
    weights = jnp.array([0.0, 3.0, 0.0, 1.0, 4.0, 0.0])
    uniforms = (jnp.arange(8000.0) + 0.5) / 8000
    chosen = jax.vmap(choose, in_axes=(0, None))(uniforms, weights)
    counts = np.bincount(np.asarray(chosen), minlength=6)
    assert counts.tolist() == [0, 3000, 0, 1000, 4000, 0]


@pytest.mark.parametrize("uniform", [0.0, 1e-30, 0.5, 1 - 2**-24])
def test_what_has_no_weight_is_never_chosen(uniform):
    rng = np.random.default_rng(0)
    weights = rng.random((200, 30)) * (rng.random((200, 30)) < 0.3)
    weights[:, 0] = weights[:, -1] = 0
    weights[:, 7] = 1e-3  # one at least
    chosen = jax.vmap(choose, in_axes=(None, 0))(
        jnp.float32(uniform), jnp.asarray(weights, jnp.float32)
    )
    assert np.all(weights[np.arange(200), chosen] > 0)


def test_elements_are_distinct_and_each_is_on_neighbouring_sites(draws):
    for i in range(DRAWS):
        elements, _ = occupied(draws.sites, i)
        changes = np.flatnonzero(np.diff(elements)) + 1
        firsts = elements[np.concatenate([[0], changes])]
        assert len(set(firsts.tolist())) == len(firsts)


def test_elements_and_letters_are_those_that_the_group_is_known_with(draws, prior):
    statistics = prior.statistics
    for i in np.flatnonzero(draws.possible):
        elements, letters = occupied(draws.sites, i)
        group = draws.sites.group_row[i]
        assert np.all(statistics.elements[group, elements] > 0)
        assert np.all(statistics.wyckoff[group, letters] > 0)
        _, per_element = np.unique(elements, return_counts=True)
        assert statistics.element_counts[group, len(per_element) - 1] > 0
        assert np.all(statistics.site_counts[group, per_element - 1] > 0)


def test_positions_without_freedom_hold_one_site(draws):
    for i in np.flatnonzero(draws.possible):
        _, letters = occupied(draws.sites, i)
        positions = wyckoff_positions(int(draws.sites.space_group[i]))
        fixed = [x for x in letters.tolist() if not any(positions[x].free)]
        assert len(fixed) == len(set(fixed))


def test_atoms_are_counted_by_the_multiplicities(draws):
    for i in np.flatnonzero(draws.possible)[:500]:
        _, letters = occupied(draws.sites, i)
        positions = wyckoff_positions(int(draws.sites.space_group[i]))
        assert draws.atoms[i] == sum(len(positions[x].maps) for x in letters)


def test_possible_draws_are_within_the_limits_and_impossible_ones_are_not(draws):
    """But for those that found no cell or no position: a few in a hundred."""
    lattices = draws.sites.lattice.astype(float)
    volumes = np.linalg.det(lattices)
    edges = np.linalg.norm(lattices, axis=2).max(axis=1)
    possible = draws.possible
    assert 0.5 < possible.mean() < 1
    assert np.all(volumes[possible] > 0)
    assert volumes[possible].max() <= LIMITS.max_volume * (1 + 1e-5)
    assert volumes[possible].max() > 0.9 * LIMITS.max_volume
    assert edges[possible].max() < MAX_EDGE
    full = np.all(draws.sites.elements > 0, axis=1)
    reasons = (volumes > LIMITS.max_volume * (1 - 1e-5)) | full | (edges > MAX_EDGE)
    assert np.mean(~reasons[~possible]) < 0.1


def test_volume_is_the_sum_of_atomic_volumes_times_a_known_packing_factor(draws, prior):
    """Known ones of the group, give or take five kernel widths."""
    statistics = prior.statistics
    for i in np.flatnonzero(draws.possible):
        group = draws.sites.group_row[i]
        elements, letters = occupied(draws.sites, i)
        number = draws.sites.space_group[i]
        multiplicities = prior.wyckoff.multiplicity[number, letters]
        atoms = np.sum(multiplicities * prior.atomic_volumes[elements])
        factor = np.linalg.det(draws.sites.lattice[i].astype(float)) / atoms
        first, last = statistics.group_ranges[group]
        known = statistics.packing_factors[first:last]
        reach = 5 * statistics.volume_bandwidths[group, 1]
        assert known.min() - reach < factor < known.max() + reach


def test_coordinates_fill_the_unit_interval(draws):
    coordinates = draws.sites.coordinates
    assert 0 <= coordinates.min() and coordinates.max() < 1
    shares = np.histogram(coordinates, bins=10, range=(0, 1))[0] / coordinates.size
    np.testing.assert_allclose(shares, 0.1, atol=0.003)


def test_groups_come_out_as_they_were_asked_for(sampled, prior):
    groups, sites, counts = sampled
    assert counts.exhausted == 0
    np.testing.assert_array_equal(sites.group_row, groups)
    np.testing.assert_array_equal(
        sites.space_group, prior.statistics.space_groups[groups]
    )


def test_counts_of_the_fates_add_up(sampled):
    _, _, counts = sampled
    failed = counts.impossible + counts.overflow_atoms + counts.too_symmetric
    assert counts.drawn == DRAWN + failed
    assert counts.drawn < 10 * DRAWN


def test_limits_hold_for_whole_crystals(sampled):
    _, sites, _ = sampled
    volumes = np.linalg.det(sites.lattice.astype(float))
    assert np.all((volumes > 0) & (volumes <= LIMITS.max_volume * (1 + 1e-5)))
    assert sites.elements.shape == (DRAWN, LIMITS.max_sites)
    assert np.all(sites.elements[:, 0] > 0)


def test_a_draw_depends_on_key_and_slot_and_not_on_the_chunk(sampled, prior):
    groups, sites, counts = sampled
    again = sample_crystals(
        jax.random.key(1), prior, jnp.asarray(groups), LIMITS, chunk=5
    )
    # lattices are rounded in another order where the program is another one
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=2e-6), again[0], sites
    )
    jax.tree.map(np.testing.assert_array_equal, again[1], counts)


def test_another_key_draws_other_crystals_and_the_same_key_the_same(sampled, prior):
    groups, sites, _ = sampled
    same, _ = sample_crystals(jax.random.key(1), prior, groups, LIMITS)
    jax.tree.map(np.testing.assert_array_equal, same, sites)
    other, _ = sample_crystals(jax.random.key(2), prior, groups, LIMITS)
    differ = np.abs(other.lattice - sites.lattice).max(axis=(1, 2)) > 0.01
    assert np.all(differ)


def test_one_crystal_is_drawn_under_jit_and_vmap_and_given_up_after_its_tries(prior):
    """One try each, of which some fail."""
    keys = jax.random.split(jax.random.key(3), 40)
    limits = dataclasses.replace(LIMITS, max_tries=1)

    sites, counts = jax.vmap(lambda key: sample_crystal(key, prior, 204, limits))(keys)
    assert sites.elements.shape == (40, LIMITS.max_sites)
    np.testing.assert_array_equal(sites.space_group, 204)
    assert len(np.unique(np.asarray(sites.lattice)[:, 0, 0])) == 40
    np.testing.assert_array_equal(counts.drawn, 1)
    failed = counts.impossible + counts.overflow_atoms + counts.too_symmetric
    np.testing.assert_array_equal(counts.exhausted, failed)
    assert 0 < counts.exhausted.sum() < 40
    assert counts.too_symmetric.sum() > 0  # many become 229


@pytest.mark.parametrize("uniform", [False, True])
def test_groups_are_drawn_by_frequency_or_alike(prior, uniform):
    count = 200_000
    groups = sample_group_rows(jax.random.key(4), prior, count, uniform=uniform)
    shares = np.bincount(groups, minlength=len(prior.statistics.space_groups)) / count
    known = prior.statistics.frequencies
    expected = np.full_like(known, 1 / len(known)) if uniform else known
    assert len(shares) == len(known)
    spread = np.sqrt(expected / count)
    assert np.all(np.abs(shares - expected) < 5 * spread)
