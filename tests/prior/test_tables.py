"""Rows of the statistics, and the bundled ones."""

import json

import numpy as np
import pytest

from xrdjax.errors import InputError
from xrdjax.prior.file import BUNDLED, load_statistics, read_provenance
from xrdjax.prior.tables import group_row, row_ranges, select_groups
from xrdjax.symmetry.space_groups import LATTICE_SYSTEMS, SPACE_GROUPS


def test_ranges_of_groups_and_of_systems_cover_the_crystals_once():
    rng = np.random.default_rng(0)
    for _ in range(20):
        numbers = np.sort(rng.permutation(np.arange(1, 231))[:40])
        counts = rng.integers(1, 9, 40)
        systems, group_ranges, system_ranges = row_ranges(numbers, counts)
        owners = np.full(counts.sum(), -1)
        for k, (first, last) in enumerate(group_ranges):
            assert np.all(owners[first:last] == -1)
            owners[first:last] = k
        assert np.all(owners >= 0)
        np.testing.assert_array_equal(np.bincount(owners), counts)
        for system, (first, last) in enumerate(system_ranges):
            assert np.all(systems[owners[first:last]] == system)
            assert last - first == counts[systems == system].sum()


def test_every_group_with_statistics_has_a_row_and_no_other():
    statistics = load_statistics()
    numbers = statistics.space_groups.tolist()
    for group in SPACE_GROUPS:
        if group.number in numbers:
            assert numbers[group_row(statistics, group.number)] == group.number
        else:
            with pytest.raises(InputError, match=f"space group {group.number} "):
                group_row(statistics, group.number)


def test_selected_groups_keep_what_is_theirs():
    whole = load_statistics()
    numbers = np.array([2, 14, 62, 167, 209, 225])
    some = select_groups(whole, numbers)
    rows = [group_row(whole, n) for n in numbers.tolist()]
    np.testing.assert_array_equal(some.space_groups, numbers)
    np.testing.assert_array_equal(some.wyckoff, whole.wyckoff[rows])
    ratios = some.frequencies / whole.frequencies[rows]
    np.testing.assert_allclose(ratios, 1 / whole.frequencies[rows].sum(), rtol=1e-6)
    for k, row in enumerate(rows):
        for name in ("atomic_volumes", "packing_factors"):
            mine, theirs = (
                getattr(tables, name)[slice(*tables.group_ranges[r])]
                for tables, r in ((some, k), (whole, row))
            )
            np.testing.assert_array_equal(mine, theirs)


def test_groups_of_few_known_crystals_are_left_out_where_asked_for():
    assert load_statistics().space_groups.tolist() == list(range(1, 231))
    own = read_provenance()["counts"]["crystals of groups"]
    for least in (1, 50, 1000):
        kept = load_statistics(min_crystals=least).space_groups.tolist()
        assert kept == [n for n in range(1, 231) if own[str(n)] >= least]
    with pytest.raises(InputError, match="no group has more than 3300 known crystals"):
        load_statistics(min_crystals=5000)


def test_a_group_without_statistics_is_refused_with_its_neighbours(statistics):
    with pytest.raises(InputError, match=r"224 \(P n -3 m\).*nearest are 2, 167, 225"):
        group_row(statistics, 224)


@pytest.mark.parametrize("number", [0, 231, -1])
def test_a_number_without_a_group_is_an_error(statistics, number):
    with pytest.raises(InputError, match="1 to 230"):
        group_row(statistics, number)


def test_the_bundled_statistics_are_small_and_say_where_they_come_from():
    assert BUNDLED.stat().st_size < 2_000_000
    provenance = read_provenance()
    assert "Materials Project" in provenance["source"]
    assert "APL Materials 1, 011002 (2013)" in provenance["citation"]
    assert provenance["license"] == "CC-BY 4.0"
    assert provenance["held_out"] == 0.2
    assert provenance["seed"] == 0
    # names of files, not paths of a machine
    assert "/" not in provenance["command"]
    assert json.loads(json.dumps(provenance)) == provenance


def test_the_counts_of_the_bundled_statistics_are_consistent():
    statistics, provenance = load_statistics(min_crystals=50), read_provenance()
    counts = provenance["counts"]
    own = counts["crystals of groups"]
    crystals = np.diff(statistics.group_ranges)[:, 0]
    assert crystals.tolist() == [own[str(n)] for n in statistics.space_groups]
    assert sum(own.values()) == counts["crystals kept"]
    np.testing.assert_allclose(
        statistics.frequencies, crystals / crystals.sum(), rtol=1e-6
    )
    for name in ("crystals", "types"):
        parts = counts["statistics"][name] + counts["held out"][name]
        assert parts == counts["all"][name]
    left_out = sum(counts["left out"].values())
    assert counts["crystals kept"] + left_out == counts["statistics"]["crystals"]
    # a fifth of the types, within four standard deviations of a binomial
    types = counts["all"]["types"]
    assert abs(counts["held out"]["types"] / types - 0.2) < 4 * (0.16 / types) ** 0.5


def test_the_bundled_shapes_are_those_of_their_lattice_systems():
    statistics = load_statistics()
    right, wide = np.pi / 2, 2 * np.pi / 3
    angles = {"rhombohedral": (right, right, wide), "hexagonal": (right, right, wide)}
    for name, (first, last) in zip(
        LATTICE_SYSTEMS, statistics.system_ranges, strict=True
    ):
        a, b, c, *rest = statistics.shapes[first:last].T
        if name not in ("triclinic", "monoclinic"):
            expected = np.tile(np.array([angles.get(name, (right,) * 3)]).T, len(a))
            np.testing.assert_allclose(rest, expected, atol=1e-6)
        if name in ("tetragonal", "rhombohedral", "hexagonal", "cubic"):
            np.testing.assert_allclose(a, b, rtol=1e-6)
        cosines = np.cos(np.array(rest, float))
        v = np.sqrt(1 - np.sum(cosines**2, axis=0) + 2 * np.prod(cosines, axis=0))
        np.testing.assert_allclose(a * b * c * v, 1, rtol=1e-5)
