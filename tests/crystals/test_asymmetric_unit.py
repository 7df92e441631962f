"""Cells and sites typed in by hand: what is corrected and what is refused."""

import doctest
import itertools

import numpy as np
import pytest
from laws import for_each

from xrdjax.crystals import asymmetric_unit
from xrdjax.crystals.asymmetric_unit import lattice_from_cell, structure_from_sites
from xrdjax.crystals.crystal import expand_sites
from xrdjax.errors import InputError

CUBE = (5.64, 5.64, 5.64, 90, 90, 90)


def test_the_example_in_the_docstring_runs():
    assert doctest.testmod(asymmetric_unit).failed == 0


@for_each(("digits", "a"), itertools.product([3, 4, 6], [3.2, 12.0]))
def test_rounded_thirds_are_the_special_position(digits, a):
    third = round(1 / 3, digits), round(2 / 3, digits), 0.25
    structure = structure_from_sites(
        "hcp", 194, (a, a, 1.6 * a, 90, 90, 120), ["Mg"], [third]
    )
    np.testing.assert_allclose(structure.positions, [[1 / 3, 2 / 3, 1 / 4]], atol=1e-12)
    assert len(expand_sites(structure)[0]) == 2


def test_sites_split_by_disorder_stay_split():
    # 0.1 angstrom off the mirror at z = 0, half filled on either side
    structure = structure_from_sites(
        "split", 47, (4, 5, 6, 90, 90, 90), ["O"], [(0, 0, 0.1 / 6)], [0.5]
    )
    assert len(expand_sites(structure)[0]) == 2
    assert structure.positions[0, 2] == pytest.approx(0.1 / 6)


def test_an_equivalent_atom_that_is_listed_again_counts_once():
    structure = structure_from_sites(
        "copper",
        225,
        (3.615, 3.615, 3.615, 90, 90, 90),
        ["Cu"] * 4,
        [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)],
    )
    assert len(structure.positions) == 1
    assert structure.formula == "Cu"


def test_elements_that_share_a_site_are_kept_apart():
    structure = structure_from_sites(
        "(Mg,Fe)O",
        225,
        CUBE,
        ["Mg", "Fe", "O"],
        [(0, 0, 0), (0, 0, 0), (0.5, 0.5, 0.5)],
        [0.9, 0.1, 1],
    )
    assert structure.formula == "Fe0.1Mg0.9O"
    # and so are two isotopes of one element, half each
    heavy = structure_from_sites(
        "HD", 225, CUBE, ["H", "D"], [(0, 0, 0)] * 2, [0.5] * 2
    )
    assert heavy.formula == "H"


@for_each(
    ("cell", "message"),
    [
        ((0, 5, 5, 90, 90, 90), "all positive"),
        ((-4, 5, 5, 90, 90, 90), "all positive"),
        ((np.nan, 5, 5, 90, 90, 90), "all positive"),
        ((np.inf, 5, 5, 90, 90, 90), "all positive"),
        ((5, 5, 5, 90, 90, 0), "all positive"),
        ((5, 5, 5), "three lengths in angstrom and three angles"),
        ((5, 5, 5, 30, 40, 150), "close no cell"),
        ((5, 5, 5, 120, 120, 120), "close no cell"),
        ((5, 5, 5, 90, 90, 180), "close no cell"),
        ((5, 5, 5, 90, 90, 270), "close no cell"),
    ],
)
def test_an_impossible_cell_is_refused(cell, message):
    with pytest.raises(InputError, match=message):
        lattice_from_cell(cell)


@for_each(
    ("change", "message"),
    [
        ({"space_group": 0}, "1 to 230"),
        ({"space_group": 231}, "1 to 230"),
        ({"cell": (5, 5, 6, 90, 90, 90)}, "does not have the symmetry"),
        ({"cell": (5, 5, 5, 90, 90, 120)}, "does not have the symmetry"),
        ({"symbols": ["Na", "Xx"]}, "unknown element 'Xx'"),
        ({"symbols": ["Na"]}, r"expected \(1, 3\), \(1,\) and \(1,\) for 1 symbols"),
        ({"positions": [(0, 0, 0), (0.5, 0.5)]}, "positions, occupancies or b_iso"),
        ({"positions": [(0, 0, 0), (0.5, 0.5, np.nan)]}, "Cl2 has no fractional"),
        ({"positions": [(0, 0, 0), (0.01, 0, 0)]}, "Na1 lies on top of Cl2"),
        ({"positions": [(0, 0, 0), (0.22, 0.22, 0.22)]}, "Cl2 lies on top of its own"),
        ({"occupancies": [1, 2]}, "Cl2 has occupancy 2, expected"),
        ({"occupancies": [-0.5, 1]}, "Na1 has occupancy -0.5, expected"),
        ({"symbols": [], "positions": np.zeros((0, 3))}, "no atoms"),
    ],
)
def test_bad_input_is_refused_with_the_reason(change, message):
    good = {
        "name": "halite",
        "space_group": 225,
        "cell": CUBE,
        "symbols": ["Na", "Cl"],
        "positions": [(0, 0, 0), (0.5, 0.5, 0.5)],
    }
    assert structure_from_sites(**good).formula == "ClNa"
    with pytest.raises(InputError, match=message):
        structure_from_sites(**good | change)
