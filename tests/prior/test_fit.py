"""Counts of known crystals, and widths of the kernels."""

import dataclasses
from collections import Counter

import gemmi
import numpy as np
import pytest
from published import cif_texts

from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.cif import read_text
from xrdjax.crystals.elements import ATOMIC_VOLUMES, atomic_number
from xrdjax.crystals.structure_types import analyse
from xrdjax.errors import InputError
from xrdjax.known.analyses import analyse_all
from xrdjax.prior.fit import _bandwidths, compute_statistics, eligible_crystals
from xrdjax.symmetry.space_groups import LATTICE_SYSTEMS
from xrdjax.symmetry.wyckoff import LETTERS, wyckoff_table

PROBABILITIES = ("frequencies", "element_counts", "elements", "site_counts", "wyckoff")


def _halite(a, symbols=("Na", "Cl"), occupancies=None):
    """Halite, or a mixture on its first site when there are three symbols."""
    positions = [(0, 0, 0)] * (len(symbols) - 1) + [(0.5, 0.5, 0.5)]
    cell = (a, a, a, 90, 90, 90)
    return analyse(
        structure_from_sites("halite", 225, cell, symbols, positions, occupancies)
    )


def _baddeleyite(scale=1.0, symbol="Zr"):
    """Three sites of multiplicity 4 in group 14, two of them oxygen."""
    cell = (5.169 * scale, 5.232 * scale, 5.341 * scale, 90, 99.25, 90)
    positions = [(0.2758, 0.0411, 0.2082), (0.0703, 0.3359, 0.3406)]
    positions += [(0.4423, 0.7549, 0.4789)]
    return analyse(
        structure_from_sites("baddeleyite", 14, cell, (symbol, "O", "O"), positions)
    )


def _rutile(a, c):
    positions = [(0, 0, 0), (0.305, 0.305, 0)]
    cell = (a, a, c, 90, 90, 90)
    return analyse(structure_from_sites("rutile", 136, cell, ("Ti", "O"), positions))


@pytest.fixture(scope="module")
def few():
    """Analyses of six crystals, in three groups of three lattice systems."""
    return [
        _halite(5.64),
        _baddeleyite(),
        _halite(4.21, ("Mg", "O")),
        _baddeleyite(0.99, "Hf"),
        _rutile(4.59, 2.96),
        _halite(3.61 * 1.2, ("Mg", "S")),
    ]


def test_a_hand_count_of_six_crystals(few):
    statistics = compute_statistics(few, min_crystals=1)
    assert statistics.space_groups.tolist() == [14, 136, 225]
    np.testing.assert_allclose(statistics.frequencies, [2 / 6, 1 / 6, 3 / 6])
    np.testing.assert_allclose(statistics.element_counts, [[0, 1]] * 3)
    # baddeleyite: one metal on one site, oxygen on two
    np.testing.assert_allclose(statistics.site_counts, [[0.5, 0.5], [1, 0], [1, 0]])
    elements = {z: share for z, share in enumerate(statistics.elements[2]) if share}
    expected = {"Na": 1 / 6, "Cl": 1 / 6, "Mg": 2 / 6, "O": 1 / 6, "S": 1 / 6}
    assert elements == pytest.approx(
        {atomic_number(symbol): share for symbol, share in expected.items()}
    )
    assert statistics.wyckoff[0, LETTERS.index("e")] == 1
    # halite: one site of each kind on a and one on b
    np.testing.assert_allclose(statistics.wyckoff[2, :2], [0.5, 0.5])
    titanium, oxygen = ATOMIC_VOLUMES[[22, 8]]
    rows = slice(*statistics.group_ranges[1])
    own = 2 * titanium + 4 * oxygen
    np.testing.assert_allclose(statistics.atomic_volumes[rows], [own], rtol=1e-6)
    volume = 4.59**2 * 2.96
    np.testing.assert_allclose(
        statistics.packing_factors[rows], volume / own, rtol=1e-6
    )
    root = volume ** (1 / 3)
    shape = [4.59 / root, 4.59 / root, 2.96 / root, *[np.pi / 2] * 3]
    np.testing.assert_allclose(statistics.shapes[rows], [shape], rtol=1e-6)


def test_crystals_lie_in_rows_by_lattice_system_and_group(few):
    statistics = compute_statistics(few, min_crystals=1)
    names = [LATTICE_SYSTEMS[i] for i in statistics.lattice_systems]
    assert names == ["monoclinic", "tetragonal", "cubic"]
    assert statistics.group_ranges.tolist() == [[0, 2], [2, 3], [3, 6]]
    for name, rows in zip(LATTICE_SYSTEMS, statistics.system_ranges, strict=True):
        expected = {"monoclinic": [0, 2], "tetragonal": [2, 3], "cubic": [3, 6]}
        assert rows.tolist() == expected.get(name, [rows[0]] * 2)


def test_probabilities_add_up_to_one(few):
    statistics = compute_statistics(few, min_crystals=1)
    for name in PROBABILITIES:
        sums = getattr(statistics, name).sum(axis=-1)
        np.testing.assert_allclose(sums, 1, atol=1e-6, err_msg=name)


def test_the_order_of_the_crystals_does_not_matter(few):
    first = compute_statistics(few, min_crystals=1)
    second = compute_statistics(few[::-1], min_crystals=1)
    for field in dataclasses.fields(first):
        np.testing.assert_array_equal(
            getattr(first, field.name), getattr(second, field.name), field.name
        )


def test_numbers_are_single_precision_and_whole_numbers_32_bits(few):
    statistics = compute_statistics(few, min_crystals=1)
    for field in dataclasses.fields(statistics):
        array = getattr(statistics, field.name)
        assert array.dtype in (np.float32, np.int32), field.name


def test_a_mixed_site_counts_as_its_majority_element():
    mixed = _halite(4.25, ("Mg", "Fe", "O"), (0.3, 0.7, 1.0))
    pure = _halite(4.25, ("Fe", "O"))
    first = compute_statistics([mixed], min_crystals=1)
    second = compute_statistics([pure], min_crystals=1)
    for field in dataclasses.fields(first):
        np.testing.assert_allclose(
            getattr(first, field.name), getattr(second, field.name), rtol=1e-6
        )


def test_of_two_equal_parts_the_lighter_element_counts():
    for symbols in (("Fe", "Mg", "O"), ("Mg", "Fe", "O")):
        mixed = _halite(4.25, symbols, (0.5, 0.5, 1.0))
        elements = compute_statistics([mixed], min_crystals=1).elements[0]
        assert np.flatnonzero(elements).tolist() == [8, 12]


def test_groups_with_too_few_crystals_are_left_out_and_counted(few):
    statistics = compute_statistics(few, min_crystals=2)
    assert statistics.space_groups.tolist() == [14, 225]
    eligible = eligible_crystals(few, min_crystals=2)
    assert len(eligible.analyses) == len(statistics.shapes) == 5
    assert eligible.left_out["group with fewer than 2 crystals"] == 1
    assert sum(eligible.left_out.values()) + len(eligible.analyses) == len(few)


def test_no_group_with_enough_crystals_is_an_error(few):
    with pytest.raises(InputError, match="no space group has 50 crystals among the 6"):
        compute_statistics(few)


def test_large_cells_are_left_out_and_counted():
    inside, outside = _halite(6999.9 ** (1 / 3)), _halite(7000.1 ** (1 / 3))
    eligible = eligible_crystals([inside, outside], min_crystals=1)
    assert eligible.analyses == (inside,)
    assert eligible.left_out["cell over 7000 A^3"] == 1


def _triclinic(sites):
    rng = np.random.default_rng(sites)
    grid = np.stack(np.meshgrid(*[np.arange(5) / 5] * 3), -1).reshape(-1, 3)
    positions = grid[:sites] + 0.02 * rng.random((sites, 3))
    cell = (15, 16, 17, 85, 95, 100)
    return analyse(structure_from_sites("p1", 1, cell, ["C"] * sites, positions))


def test_crystals_with_over_a_hundred_sites_are_left_out_and_counted():
    inside, outside = _triclinic(100), _triclinic(101)
    eligible = eligible_crystals([inside, outside], min_crystals=1)
    assert eligible.analyses == (inside,)
    assert eligible.left_out["over 100 sites"] == 1


def test_bandwidths_of_normal_samples_follow_the_reference_rule():
    rng = np.random.default_rng(0)
    sigma = np.array([0.1, 20.0])
    samples = rng.normal(size=(20_000, 2)) * sigma
    expected = 1.06 * sigma * 20_000 ** (-1 / 6)
    np.testing.assert_allclose(_bandwidths(samples, 2), expected, rtol=0.03)


def test_one_crystal_far_off_does_not_widen_the_kernels():
    rng = np.random.default_rng(0)
    samples = rng.normal(1.2, 0.15, size=(160, 1))
    with_vacuum = np.r_[samples, [[23.5]]]
    ratio = _bandwidths(with_vacuum, 2) / _bandwidths(samples, 2)
    assert 0.95 < ratio < 1.05
    assert np.std(with_vacuum) > 10 * np.std(samples)


def test_crystals_that_are_alike_still_have_kernels_with_a_width():
    statistics = compute_statistics([_halite(5.64)] * 3, min_crystals=1)
    assert np.all(statistics.volume_bandwidths > 0)
    np.testing.assert_allclose(
        statistics.volume_bandwidths[0, 0], 1e-3 * statistics.atomic_volumes[0]
    )


def test_only_free_parameters_of_a_cell_have_a_kernel(few):
    others = [_rutile(4.4, 3.1), _rutile(4.8, 3.3), _baddeleyite(1.1)]
    widths = compute_statistics([*few, *others], min_crystals=1).shape_bandwidths
    free = {"tetragonal": [0, 2], "monoclinic": [0, 1, 2, 4]}
    for name, row in zip(LATTICE_SYSTEMS, widths, strict=True):
        may_be_free = free.get(name, [])
        fixed = np.setdiff1d(np.arange(6), may_be_free)
        assert np.all(row[fixed] == 0), name
    tetragonal = widths[LATTICE_SYSTEMS.index("tetragonal")]
    assert np.all(tetragonal[[0, 2]] > 0)


def _as_gemmi_says(text):
    """Group, volume, and (element, multiplicity) of each site of a CIF."""
    block = gemmi.cif.read_string(text).sole_block()
    small = gemmi.make_small_structure_from_block(block)
    order = len(small.spacegroup.operations())
    small.setup_cell_images()
    sites = []
    for site in small.sites:
        images = small.cell.is_special_position(site.fract, max_dist=0.05)
        sites.append((site.element.atomic_number, order // (1 + images)))
    stated = [
        int(n) for n in block.find_values("_atom_site_site_symmetry_multiplicity")
    ]
    if stated:
        assert [multiplicity for _, multiplicity in sites] == stated
    return small.spacegroup.number, small.cell.volume, sites


def test_statistics_agree_with_a_count_of_sites_by_gemmi(numbered_cifs):
    every, least = {"gallery": (1, 4), "mp_experimental_cifs.zip": (75, 15)}[
        numbered_cifs.name
    ]
    texts = cif_texts(numbered_cifs, every).values()
    analyses, _ = analyse_all([s for t in texts for s in read_text(t, "").structures])
    statistics = compute_statistics(analyses, min_crystals=least)
    crystals = [_as_gemmi_says(text) for text in texts]
    crystals = [c for c in crystals if c[1] <= 7000 and len(c[2]) <= 100]
    numbers = Counter(group for group, _, _ in crystals)
    kept = sorted(group for group, n in numbers.items() if n >= least)
    assert len(kept) > 5
    assert statistics.space_groups.tolist() == kept
    for k, group in enumerate(kept):
        members = [c for c in crystals if c[0] == group]
        share = len(members) / sum(numbers[g] for g in kept)
        assert statistics.frequencies[k] == pytest.approx(share)
        per_element = [Counter(z for z, _ in sites) for _, _, sites in members]
        for n in (1, 2, 3, 4):
            share = np.mean([len(c) == n for c in per_element])
            assert statistics.element_counts[k, n - 1] == pytest.approx(share)
            share = np.mean([m == n for c in per_element for m in c.values()])
            assert statistics.site_counts[k, n - 1] == pytest.approx(share, abs=1e-6)
        share = np.mean([z == 8 for c in per_element for z in c])
        assert statistics.elements[k, 8] == pytest.approx(share)
        # letters depend on the origin; the multiplicities that they stand for do not
        multiplicities = wyckoff_table().multiplicity[group]
        for multiplicity in np.unique(multiplicities[multiplicities > 0]):
            share = np.mean([m == multiplicity for _, _, s in members for _, m in s])
            found = statistics.wyckoff[k, multiplicities == multiplicity].sum()
            assert found == pytest.approx(share, abs=1e-6)
        own = [sum(m * ATOMIC_VOLUMES[z] for z, m in s) for _, _, s in members]
        order = np.argsort(own)
        rows = slice(*statistics.group_ranges[k])
        np.testing.assert_allclose(
            statistics.atomic_volumes[rows], np.array(own)[order], rtol=1e-5
        )
        factors = np.array([volume for _, volume, _ in members]) / own
        np.testing.assert_allclose(
            np.sort(statistics.packing_factors[rows]), np.sort(factors), rtol=1e-4
        )
