"""The sampler: its laws, and its crystals against a prior in NumPy and spglib."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import for_each
from oracles import sampled, two_samples
from oracles.prior import MAX_SITES, MAX_VOLUME, statistics_dict
from oracles.sampled import BATCH
from oracles.symmetry import lattice_system, positions

from xrdjax.crystals.elements import ATOMIC_VOLUMES
from xrdjax.errors import InputError
from xrdjax.prior import sampling
from xrdjax.prior.sampling import sample_crystal, sample_group_rows
from xrdjax.prior.sites import Sites
from xrdjax.prior.tables import group_row

# A p-value below this, after Bonferroni's correction, counts as a difference. The
# seeds are fixed: a test that passes keeps passing until the sampler changes.
SIGNIFICANT = 1e-4


def test_each_slot_holds_a_crystal_of_the_group_that_was_asked_for(batch, prior):
    assert batch.counts.exhausted == 0
    np.testing.assert_array_equal(batch.sites.group_row, batch.group_rows)
    np.testing.assert_array_equal(
        batch.sites.space_group, prior.statistics.space_groups[batch.group_rows]
    )


def test_every_draw_is_good_or_has_one_reason_to_be_repeated(batch, first_draws):
    for counts in (batch.counts, first_draws.counts):
        failed = counts.impossible + counts.overflow_atoms + counts.too_symmetric
        assert counts.drawn == BATCH - counts.exhausted + failed
        assert counts.too_symmetric > 0 and counts.impossible > 0
    assert BATCH < batch.counts.drawn < 1.1 * BATCH


def test_a_draw_depends_on_neither_chunk_nor_limits_nor_tries(batch, is_first):
    """Crystals that needed no second draw are the same in another program."""
    repeated = batch.counts.drawn - BATCH
    assert 0 < BATCH - is_first.sum() <= repeated


def test_a_crystal_beyond_the_limits_is_abandoned_after_its_tries(
    first_draws, is_first
):
    counts = first_draws.counts
    volumes = np.linalg.det(first_draws.sites.lattice.astype(float))
    outside = volumes > 1500.0
    assert counts.drawn == BATCH
    assert counts.exhausted == np.sum(~is_first | outside)
    assert 50 < outside.sum() <= counts.impossible


def test_the_same_key_gives_the_same_crystals_and_another_key_others(batch, prior):
    rows = jnp.asarray(batch.group_rows)
    again, _ = sampled.sample(batch.key, prior, rows)
    jax.tree.map(np.testing.assert_array_equal, again, batch.sites)
    other, _ = sampled.sample(jax.random.key(1), prior, rows)
    differ = np.abs(np.asarray(other.lattice) - batch.sites.lattice).max(axis=(1, 2))
    assert np.all(differ > 1e-4)


def test_crystals_of_one_group_are_all_different(batch):
    lattices = batch.sites.lattice.reshape(BATCH, 9)
    assert len(np.unique(lattices, axis=0)) == BATCH


@for_each("uniform", [False, True])
def test_groups_are_sampled_by_frequency_or_alike(prior, uniform):
    count = 200_000
    rows = sample_group_rows(jax.random.key(4), prior, count, uniform=uniform)
    shares = np.bincount(rows, minlength=len(prior.statistics.space_groups)) / count
    known = prior.statistics.frequencies
    expected = np.full_like(known, 1 / len(known)) if uniform else known
    assert len(shares) == len(known)
    spread = np.sqrt(expected / count)
    assert np.all(np.abs(shares - expected) < 5 * spread)


@pytest.fixture
def asked_rows(batch, monkeypatch):
    """Rows that `sample_crystal` asks for; it gets the crystals of `batch`."""
    rows = []

    def note(key, prior, group_rows, limits):
        rows.append(np.asarray(group_rows).tolist())
        one = jax.tree.map(lambda leaf: leaf[group_rows], batch.sites)
        return one, batch.counts

    monkeypatch.setattr(sampling, "sample_crystals", note)
    return rows


def test_one_crystal_is_of_the_group_of_the_number_that_was_given(asked_rows, prior):
    for number in (62, np.int64(225), 2):
        sites, _ = sample_crystal(jax.random.key(0), prior, space_group=int(number))
        assert sites.space_group == number
        assert sites.lattice.shape == (3, 3)
    assert asked_rows == [[group_row(prior.statistics, n)] for n in (62, 225, 2)]


def test_without_a_number_one_crystal_is_of_any_group(asked_rows, prior):
    for seed in range(40):
        sample_crystal(jax.random.key(seed), prior)
    rows = np.ravel(asked_rows)
    assert 0 <= rows.min() and rows.max() < len(prior.statistics.space_groups)
    assert len(set(rows.tolist())) > 8


def test_a_number_without_statistics_is_an_error_that_names_those_with(prior):
    with pytest.raises(InputError, match="space group 3 .* has no statistics"):
        sample_crystal(jax.random.key(0), prior, space_group=3)
    with pytest.raises(InputError, match="no space group 231"):
        sample_crystal(jax.random.key(0), prior, space_group=231)


def test_a_number_cannot_be_looked_up_in_traced_statistics(prior):
    with pytest.raises(InputError, match="call group_row outside jit"):
        jax.jit(lambda prior: sample_crystal(jax.random.key(0), prior, 62))(prior)


class Sampled(NamedTuple):
    """Crystals of the package, by frequency, and the statistics of the NumPy prior."""

    sites: Sites
    sample: two_samples.Sample
    features: dict[str, np.ndarray]
    statistics: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def by_frequency(prior) -> Sampled:
    sites, counts = sampled.sample_sites(0, prior, 20000)
    assert counts.exhausted == 0
    sample = sampled.sample_of_package(sites)
    return Sampled(
        sites,
        sample,
        two_samples.features(sample, ATOMIC_VOLUMES),
        statistics_dict(prior.statistics),
    )


def features_of_prior(seed, statistics, count, check=True):
    sample = sampled.sample_of_prior(seed, statistics, ATOMIC_VOLUMES, count, check)
    return two_samples.features(sample, ATOMIC_VOLUMES)


def test_the_sampler_samples_from_the_prior(by_frequency):
    expected = features_of_prior(1, by_frequency.statistics, 4000)
    p_values = two_samples.p_values(by_frequency.features, expected)
    assert len(p_values) > 20
    least, _ = two_samples.least_p_value(p_values)
    assert least > SIGNIFICANT, p_values


def uniform(weights: np.ndarray) -> np.ndarray:
    """The same categories, all equally likely."""
    present = weights > 0
    return present / present.sum(axis=-1, keepdims=True)


def one_more(probabilities: np.ndarray, share: float = 0.3) -> np.ndarray:
    """Counts of n turned into n + 1 in a share of the cases."""
    moved = share * probabilities[:, :-1]
    return (
        probabilities
        + np.pad(moved, ((0, 0), (1, 0)))
        - np.pad(moved, ((0, 0), (0, 1)))
    )


WRONG_PRIORS = {
    "group": ("frequencies", uniform),
    "element in its group": ("elements", uniform),
    "number of elements in its group": ("element_counts", one_more),
    "number of sites of an element": ("site_counts", one_more),
    "Wyckoff letter in its group": ("wyckoff", uniform),
    "packing factor": ("packing_factors", lambda factors: 1.05 * factors),
    "c of tetragonal cells": ("shapes", lambda s: s * [1, 1, 1.2, 1, 1, 1]),
}


@for_each("feature", WRONG_PRIORS)
def test_a_wrong_prior_is_distinguished_from_the_right_one(feature, by_frequency):
    """With fewer crystals than the right one is compared with."""
    name, change = WRONG_PRIORS[feature]
    wrong = by_frequency.statistics | {name: change(by_frequency.statistics[name])}
    p_values = two_samples.p_values(
        by_frequency.features, features_of_prior(2, wrong, 1500, check=False)
    )
    assert p_values[feature] * len(p_values) < SIGNIFICANT


def test_spglib_finds_the_sampled_group_in_999_crystals_of_1000(by_frequency, prior):
    """By frequency and with all groups alike; experiments/check_labels asks more.

    spglib gives up where atoms are closer than its tolerance, which counts as a miss.
    """
    alike, _ = sampled.sample_sites(3, prior, 2000, uniform=True)
    missed = sampled.mislabelled(alike, prior)
    some = jax.tree.map(lambda leaf: leaf[:2000], by_frequency.sites)
    missed += sampled.mislabelled(some, prior)
    assert len(missed) <= 4, missed


def test_a_position_without_free_coordinates_holds_at_most_one_atom(by_frequency):
    for number, sites in zip(
        by_frequency.sample.space_groups, by_frequency.sample.sites, strict=True
    ):
        fixed = {p.letter for p in positions(int(number)) if not any(p.free)}
        letters = [letter for _, letter in sites if letter in fixed]
        assert len(letters) == len(set(letters))


def test_cells_have_the_parameters_of_their_lattice_system(by_frequency):
    lattices = by_frequency.sample.lattices
    metrics = lattices @ lattices.transpose(0, 2, 1)
    scale = np.cbrt(np.linalg.det(lattices)) ** 2
    aa, bb, cc = (metrics[:, i, i] / scale for i in range(3))
    bc, ac, ab = (metrics[:, i, j] / scale for i, j in ((1, 2), (0, 2), (0, 1)))
    vanishing = {
        "triclinic": [],
        "monoclinic": [bc, ab],
        "orthorhombic": [bc, ac, ab],
        "tetragonal": [bc, ac, ab, aa - bb],
        "rhombohedral": [bc, ac, ab + aa / 2, aa - bb],
        "hexagonal": [bc, ac, ab + aa / 2, aa - bb],
        "cubic": [bc, ac, ab, aa - bb, aa - cc],
    }
    numbers = by_frequency.sample.space_groups
    systems = np.array([lattice_system(int(n)) for n in numbers])
    for system, terms in vanishing.items():
        for term in terms:
            assert np.all(abs(term[systems == system]) < 1e-5), system


def test_crystals_stay_within_the_limits_of_volume_and_sites(by_frequency):
    volumes = np.linalg.det(by_frequency.sample.lattices)
    assert volumes.min() > 0
    assert volumes.max() <= MAX_VOLUME * (1 + 1e-5)
    assert max(map(len, by_frequency.sample.sites)) <= MAX_SITES


def test_free_coordinates_are_uniform_and_independent_of_earlier_steps(by_frequency):
    sample = by_frequency.sample
    general = [
        (volume, *coordinates[:2].ravel())
        for number, volume, sites, coordinates in zip(
            sample.space_groups,
            np.linalg.det(sample.lattices),
            sample.sites,
            sample.coordinates,
            strict=True,
        )
        if len(sites) > 1
        and all(positions(int(number))[-1].letter == letter for _, letter in sites[:2])
    ]
    ranks = np.argsort(np.argsort(general, axis=0), axis=0)
    correlations = np.corrcoef(ranks.T)[~np.eye(7, dtype=bool)]
    assert len(general) > 1000
    assert abs(correlations).max() < 5 / np.sqrt(len(general))
    coordinates = np.array(general)[:, 1:]
    assert 0 <= coordinates.min() and coordinates.max() < 1
    means = coordinates.mean(axis=0) - 1 / 2
    assert abs(means).max() < 5 / np.sqrt(12 * len(general))
