"""Extinction classes of all 230 groups, against gemmi's absences and worked symbols."""

import itertools
from collections import defaultdict

import gemmi
import numpy as np
import pytest
from laws import for_each, in_every_group

from xrdjax.errors import InputError
from xrdjax.symmetry.absences import centring_absences, group_absences
from xrdjax.symmetry.extinction import classification, classifications
from xrdjax.symmetry.extinction_symbols import extinction_symbol, symmetry_directions
from xrdjax.symmetry.space_groups import SPACE_GROUPS, space_group

# beyond every modulus, and larger than the cube that the table is made from
CUBE = np.array(list(itertools.product(range(9), range(-8, 9), range(-8, 9))))
GEMMI = {
    group.number: group.operations()
    for group in gemmi.spacegroup_table()
    if group.is_reference_setting()
}

# Written as in International Tables A, 5th edition, ch. 3.1; the groups of a class.
WORKED = {
    "P -": {1, 2},
    "P 1 21/c 1": {14},
    "C 1 c 1": {9, 15},
    "P - - 21": {17},
    "P 21 21 21": {19},
    "P - - a": {26, 28, 51},
    "P b c -": {29, 57},
    "P - n a": {30, 53},
    "P b a -": {32, 55},
    "P n - a": {33, 62},
    "C - - 21": {20},
    "C - c -": {36, 40, 63},
    "C - - (ab)": {39, 67},
    "C - c (ab)": {41, 64},
    "C c c (ab)": {68},
    "F d d -": {43},
    "I - - (ab)": {46, 74},
    "I b a -": {45, 72},
    "I b c a": {73},
    "P - 21 c": {114},
    "P 41 21 -": {92, 96},
    "P 42/n - -": {86},
    "I 41/a - -": {88},
    "I a - d": {141, 230},
    "I a c d": {142},
    "P 61 - -": {169, 170, 178, 179},
    "P - c c": {103, 124, 184, 192},
    "R - -": {146, 148, 155, 160, 166},
    "R - c": {161, 167},
    "P a - -": {205},
    "P - - n": {31, 59, 218, 223},
    "P n - n": {222},
    "F - - c": {219, 226},
    "F 41 - -": {210},
    "F d - -": {203, 227},
    "F d - c": {228},
}
DIFFRACTION = {
    62: "mmm P n - a",
    144: "-3 P 31 - -",
    149: "-31m P - - -",
    150: "-3m1 P - - -",
    171: "6/m P 62 - -",
    198: "m-3 P 21 - -",
    208: "m-3m P 42 - -",
}


def distinct(*fields):
    return len({tuple(getattr(c, f) for f in fields) for c in classifications()})


@in_every_group
def test_absences_are_those_of_gemmi(group):
    expected = GEMMI[group.number].systematic_absences(CUBE.astype(np.int32))
    np.testing.assert_array_equal(group_absences(group, CUBE), expected)


def test_groups_share_a_class_if_and_only_if_gemmi_gives_them_the_same_absences():
    """Partition by gemmi over the cube, axes of orthorhombic groups in any order."""
    classes = defaultdict(set)
    for group in SPACE_GROUPS:
        axes = list(itertools.permutations(range(3)))
        if group.crystal_system != "orthorhombic":
            axes = axes[:1]
        absent = min(
            GEMMI[group.number]
            .systematic_absences(CUBE[:, list(order)].astype(np.int32))
            .tobytes()
            for order in axes
        )
        classes[classification(group.number).crystal_family, absent].add(group.number)
    found = defaultdict(set)
    for one in classifications():
        found[one.extinction_class].add(one.number)
    assert sorted(map(sorted, found.values())) == sorted(map(sorted, classes.values()))
    assert all(min(members) == first for first, members in found.items())


def test_the_classes_can_be_counted_in_the_published_ways():
    assert distinct("extinction_class") == 97
    assert distinct("crystal_system", "extinction_class") == 101
    assert distinct("laue_class", "extinction_class") == 120
    assert distinct("diffraction_symbol") == 122
    assert distinct("chiral_pair") == 219
    assert distinct("arithmetic_class") == 73
    assert distinct("bravais_lattice") == 14
    assert distinct("laue_class") == 11


def test_a_class_is_its_symbol_in_a_crystal_family_and_has_one_bravais_lattice():
    assert distinct("crystal_family", "extinction_symbol") == 97
    assert distinct("extinction_class", "bravais_lattice") == 97
    assert distinct("extinction_class", "diffraction_symbol") == 122


@in_every_group
def test_a_symbol_states_every_absence_of_its_group(group):
    """Absent are the reflections that the conditions in the symbol forbid, no others."""
    if group.crystal_system == "triclinic":
        assert not group_absences(group, CUBE).any()
        return
    forbidden = centring_absences(group, CUBE)
    parts = extinction_symbol(group).split()[1:]
    if group.crystal_system == "monoclinic":
        assert parts[0] == parts[-1] == "1"
        parts = parts[1:-1]
    for part, direction in zip(parts, symmetry_directions(group), strict=True):
        # "21/c" is two symbols, and so is "(ab)"
        letters = part.strip("()") if part.startswith("(") else part.split("/")
        for condition in (*direction.glides, *direction.screws):
            if condition.symbol in letters:
                forbidden |= condition.absences(group.rotations, CUBE)
    np.testing.assert_array_equal(forbidden, group_absences(group, CUBE))


@for_each(("symbol", "groups"), WORKED.items())
def test_symbols_are_those_of_international_tables(symbol, groups):
    found = {c.number for c in classifications() if c.extinction_symbol == symbol}
    assert found == groups


def test_screw_axes_are_named_after_the_laue_class_in_diffraction_symbols():
    found = {
        number: classification(number).diffraction_symbol for number in DIFFRACTION
    }
    assert found == DIFFRACTION


@in_every_group
def test_mirror_images_have_all_classes_in_common(group):
    one = classification(group.number)
    other = classification(group.enantiomorph or group.number)
    for field in set(vars(one)) - {"number"}:
        assert getattr(one, field) == getattr(other, field)


def test_a_group_in_an_a_centred_setting_counts_as_c_centred():
    assert {classification(n).centring for n in (38, 39, 40, 41)} == {"C"}
    assert {space_group(n).centring for n in (38, 39, 40, 41)} == {"A"}
    assert classification(38).bravais_lattice == "oS"
    assert classification(38).arithmetic_class == "mm2A"


def test_no_other_number_has_classes():
    with pytest.raises(InputError, match="1 to 230"):
        classification(0)
