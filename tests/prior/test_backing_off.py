"""Statistics of all groups: each estimated from its own crystals and from others."""

from collections import Counter
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from examples import general_structure
from laws import in_every_group
from oracles.sampled import mislabelled

from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.cif import read_crystals
from xrdjax.crystals.structure_types import analyse
from xrdjax.errors import InputError
from xrdjax.prior.backing_off import (
    BackingOff,
    Borrower,
    choose_kernels,
    estimate_shares,
    lend,
    level_weights,
    strengths,
)
from xrdjax.prior.counted import columns_for, count_by_group
from xrdjax.prior.file import load_statistics, save_statistics
from xrdjax.prior.fit import compute_statistics
from xrdjax.prior.prior import make_prior
from xrdjax.prior.sampling import sample_crystals
from xrdjax.symmetry.wyckoff import wyckoff_table

CIFS = Path(__file__).parents[1] / "data"
PROBABILITIES = ("frequencies", "element_counts", "elements", "site_counts", "wyckoff")
ROWS = ("element_counts", "elements", "site_counts", "wyckoff", "volume_bandwidths")
BORROWED, FLOOR, ENOUGH = 6, 0.5, 2


@pytest.fixture(scope="module")
def analyses():
    """Fifteen minerals and elements, and a triclinic crystal, which none of them is."""
    cell, positions = (5, 6, 7, 85, 95, 100), [(0.1, 0.2, 0.3), (0.6, 0.3, 0.8)]
    triclinic = structure_from_sites("made", 2, cell, ("Si", "O"), positions)
    return [analyse(s) for s in (*read_crystals(CIFS).structures, triclinic)]


@pytest.fixture(scope="module")
def statistics(analyses):
    return compute_statistics(analyses, ENOUGH, BackingOff(BORROWED, FLOOR))


@pytest.fixture(scope="module")
def by_group(analyses):
    return count_by_group(analyses)


def _borrower(by_group, number, crystals=None):
    columns = columns_for(c for group in by_group.values() for c in group)
    own = by_group.get(number, []) if crystals is None else crystals
    lent = lend(by_group, columns, BORROWED)
    return Borrower(number, own, lent, BORROWED), columns


def test_groups_with_enough_crystals_are_as_without_the_others(analyses, statistics):
    """Their rows and crystals, number for number, and shares in the same ratio."""
    few = compute_statistics(analyses, ENOUGH)
    numbers = few.space_groups
    assert len(numbers) > 2
    own = numbers - 1
    for name in ROWS:
        wide = getattr(statistics, name)[own]
        narrow = getattr(few, name)
        np.testing.assert_array_equal(wide[:, : narrow.shape[1]], narrow, name)
        assert not np.any(wide[:, narrow.shape[1] :]), name
    ratios = statistics.frequencies[own] / few.frequencies
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-6)
    for row, number in enumerate(numbers):
        for name in ("atomic_volumes", "packing_factors"):
            np.testing.assert_array_equal(
                getattr(statistics, name)[slice(*statistics.group_ranges[number - 1])],
                getattr(few, name)[slice(*few.group_ranges[row])],
            )
    for system in np.unique(few.lattice_systems):
        np.testing.assert_array_equal(
            statistics.shapes[slice(*statistics.system_ranges[system])],
            few.shapes[slice(*few.system_ranges[system])],
        )
        np.testing.assert_array_equal(
            statistics.shape_bandwidths[system], few.shape_bandwidths[system]
        )


def test_probabilities_add_up_to_one_and_borrowing_makes_every_position_possible(
    statistics, by_group
):
    assert statistics.space_groups.tolist() == list(range(1, 231))
    for name in PROBABILITIES:
        sums = getattr(statistics, name).sum(axis=-1)
        np.testing.assert_allclose(sums, 1, atol=1e-6, err_msg=name)
    exists = wyckoff_table().multiplicity[1:] > 0
    # every position that exists is possible where a group borrows
    borrows = [len(by_group.get(number, ())) < ENOUGH for number in range(1, 231)]
    np.testing.assert_array_equal(statistics.wyckoff[borrows] > 0, exists[borrows])


def test_the_file_takes_statistics_of_all_groups(statistics, tmp_path):
    save_statistics(tmp_path / "all.npz", statistics, {"held_out": 0.0})
    loaded = load_statistics(tmp_path / "all.npz")
    for name, expected in vars(statistics).items():
        np.testing.assert_array_equal(getattr(loaded, name), expected, name)


def test_rare_groups_are_as_frequent_as_their_crystals_or_the_floor(
    statistics, by_group
):
    expected = np.full(230, FLOOR)
    for number, crystals in by_group.items():
        expected[number - 1] = len(crystals)
    np.testing.assert_allclose(
        statistics.frequencies, expected / expected.sum(), rtol=1e-6
    )


def test_a_groups_own_weight_grows_with_its_crystals():
    relatives = np.array([3.0, 17.0, 5.0, 40.0, 200.0])
    weights = np.array(
        [level_weights(np.r_[n, relatives], BORROWED) for n in (0, 1, 2, 6, 50, 1e6)]
    )
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert np.all(weights >= 0)
    assert np.all(np.diff(weights[:, 0]) > 0)
    np.testing.assert_allclose(weights[[0, 3, 5], 0], [0, 1 / 2, 1], atol=1e-5)
    # what the group leaves, relatives share in proportions that do not depend on it
    rest = weights[:-1, 1:] / weights[:-1, 1:].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(rest, rest[:1].repeat(5, axis=0))
    np.testing.assert_allclose(rest[0, :2], [3 / 9, (6 / 9) * 17 / 23])


def test_an_estimate_goes_from_the_relatives_shares_to_its_own(by_group):
    crystals = by_group[62]
    estimates = [
        estimate_shares(*_borrower(by_group, 61, crystals * n))["elements"]
        for n in (0, 1, 10, 1000)
    ]
    own = Counter(z for c in crystals for z in c.sites_of_elements)
    shares = np.zeros(99)
    shares[list(own)] = np.array(list(own.values())) / own.total()
    distances = [np.abs(estimate - shares).sum() for estimate in estimates]
    assert np.all(np.diff(distances) < 0)
    assert distances[-1] < 0.01 < distances[0]


def test_no_group_lends_more_than_was_agreed(by_group):
    columns = columns_for(c for group in by_group.values() for c in group)
    once = lend(by_group, columns, BORROWED)
    crowd = lend(by_group | {62: by_group[62] * 500}, columns, BORROWED)
    assert once.crystals[61] == len(by_group[62]) and crowd.crystals[61] == BORROWED
    assert len(crowd.kernels[62]) == BORROWED
    for name, counts in once.counts.items():
        ratio = BORROWED / len(by_group[62])
        np.testing.assert_allclose(crowd.counts[name][61], ratio * counts[61])


def test_strengths_are_found_again_in_the_sites_that_they_make():
    rng = np.random.default_rng(0)
    positions = rng.integers(0, 4, (6, 5)).astype(float)
    positions[:, 4], positions[:, 3] = 1, 0
    expected = np.array([1.0, 0.5, 3.0, np.nan, 0.2])
    chances = positions * np.nan_to_num(expected)
    sites = 1000 * chances / chances.sum(axis=1, keepdims=True)
    found = strengths(sites, positions, iterations=500)
    np.testing.assert_allclose(found / found[4], expected / 0.2, rtol=1e-6)


@in_every_group
def test_volumes_are_those_of_all_own_crystals_and_as_many_more_as_agreed(
    group, by_group, statistics
):
    own = by_group.get(group.number, [])
    chosen = choose_kernels(_borrower(by_group, group.number)[0])
    counts = Counter(chosen)
    assert len(chosen) == len(own) + BORROWED
    assert all(counts[crystal] >= n for crystal, n in Counter(own).items())
    if len(own) < ENOUGH:
        first, last = statistics.group_ranges[group.number - 1]
        assert last - first == len(chosen)


def test_crystals_of_every_group_can_be_sampled_with_its_symmetry(analyses):
    """Of some groups a crystal on special positions only would hardly be possible."""
    general = [analyse(general_structure(number)) for number in range(3, 231, 2)]
    statistics = compute_statistics([*analyses, *general], ENOUGH, BackingOff())
    rows = jnp.arange(230, dtype=jnp.int32)
    prior = make_prior(statistics)
    found = sample_crystals(jax.random.key(0), prior, rows)
    sites, counts = jax.tree.map(np.asarray, found)
    assert counts.exhausted == 0
    assert sites.space_group.tolist() == list(range(1, 231))
    assert mislabelled(sites, prior) == []


def test_a_lattice_system_without_crystals_is_an_error(analyses):
    with pytest.raises(
        InputError, match="no crystal is triclinic, .*give crystals of all"
    ):
        compute_statistics(analyses[:-1], ENOUGH, BackingOff())
