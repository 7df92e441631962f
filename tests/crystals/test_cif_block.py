"""What the tags of one CIF block mean."""

import re

import gemmi
import numpy as np
import pytest
from laws import for_each

from xrdjax.crystals.cif import read_text
from xrdjax.crystals.compositions import species_of_site
from xrdjax.crystals.crystal import expand_sites
from xrdjax.crystals.elements import SYMBOLS
from xrdjax.errors import InputError

CELL = """
_cell_length_a 5.6402(3)
_cell_length_b 5.6402(3)
_cell_length_c 5.6402(3)
_cell_angle_alpha 90
_cell_angle_beta 90.
_cell_angle_gamma 90.00(1)
"""
NAME = "_symmetry_space_group_name_H-M 'F m -3 m'\n"
SITES = """
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na1 Na1+ 0 0 0
Cl1 Cl1- 0.50000(2) .5 0.5(1)
"""


def _operations(tag: str, group: str) -> str:
    ops = gemmi.find_spacegroup_by_name(group).operations()
    return f"loop_\n{tag}\n" + "\n".join(f"'{op.triplet()}'" for op in ops) + "\n"


def _read(*parts: str):
    """The one structure of a CIF text."""
    reading = read_text("data_test\n" + "\n".join(parts), "test.cif")
    assert not reading.failures, reading.failures
    return reading.structures[0]


def _reason(*parts: str) -> str:
    reading = read_text("data_test\n" + "\n".join(parts), "test.cif")
    assert not reading.structures
    return reading.failures[0].reason


def test_uncertainties_in_brackets_are_ignored():
    structure = _read(CELL, NAME, SITES)
    assert structure.unit_cell == pytest.approx((5.6402,) * 3 + (90,) * 3)
    np.testing.assert_allclose(structure.positions[1], 0.5)


@for_each(
    "symmetry",
    [
        NAME,
        "_space_group_name_H-M_alt 'F m -3 m'\n",
        "_space_group.name_H-M_alt 'F m -3 m'\n",
        "_SYMMETRY_SPACE_GROUP_NAME_H-M Fm3m\n",
        "_symmetry_space_group_name_Hall '-F 4 2 3'\n",
        "_space_group_name_Hall '-F 4 2 3'\n_space_group_name_H-M_alt ?\n",
        "_space_group_IT_number 225\n",
        "_symmetry_Int_Tables_number 225\n",
        _operations("_symmetry_equiv_pos_as_xyz", "F m -3 m"),
        _operations("_space_group_symop_operation_xyz", "F m -3 m"),
        _operations("_space_group_symop.operation_xyz", "F m -3 m"),
    ],
)
def test_the_group_is_found_under_old_and_new_tags(symmetry):
    structure = _read(CELL, symmetry, SITES)
    assert structure.space_group == 225
    assert len(structure.rotations) == 192
    assert structure.formula == "ClNa"
    assert len(expand_sites(structure)[0]) == 8


def test_operations_take_precedence_over_the_name():
    name = "_symmetry_space_group_name_H-M 'P m n a'\n"
    reading = read_text(
        "data_test\n"
        + CELL
        + name
        + _operations("_symmetry_equiv_pos_as_xyz", "P m -3 m")
        + SITES,
        "test.cif",
    )
    (structure,) = reading.structures
    assert structure.space_group == 221
    assert len(expand_sites(structure)[0]) == 2
    assert "the name 'P m n a' is another" in reading.notes[0].text


def test_the_setting_is_that_of_the_operations():
    # diamond in both origins: the same crystal, other coordinates
    for origin, x in ((1, 0.0), (2, 0.125)):
        site = "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n"
        site += f"_atom_site_fract_z\nC1 {x} {x} {x}\n"
        operations = _operations("_symmetry_equiv_pos_as_xyz", f"F d -3 m:{origin}")
        structure = _read(CELL, operations, site)
        assert structure.space_group == 227
        assert len(expand_sites(structure)[0]) == 8
        np.testing.assert_allclose(structure.positions, x)


def test_operations_left_out_are_filled_in_from_the_name():
    ops = _operations("_symmetry_equiv_pos_as_xyz", "F m -3 m").replace("'x,y,z'\n", "")
    assert len(_read(CELL, NAME, ops, SITES).rotations) == 192
    assert "form no group" in _reason(CELL, ops, SITES)
    assert "form no group" in _reason(CELL, "_space_group_IT_number 216\n", ops, SITES)


def test_missing_angles_are_right_angles():
    lengths = "\n".join(f"_cell_length_{axis} 5.64" for axis in "abc")
    assert _read(lengths, NAME, SITES).unit_cell[3:] == pytest.approx((90, 90, 90))


SITE_TAGS = ("label", "type_symbol", "fract_x", "fract_y", "fract_z")


def _sites(rows: str, *more: str) -> str:
    tags = "\n".join(f"_atom_site_{tag}" for tag in SITE_TAGS + more)
    return f"loop_\n{tags}\n{rows}\n"


def test_mixed_and_partly_filled_sites_keep_their_occupancies():
    structure = _read(
        CELL,
        NAME,
        _sites(
            "Mg1 Mg 0 0 0 0.75(2)\nFe1 Fe 0 0 0 .2\nO1 O .5 .5 .5 ?\nF1 F .25 .25 .25 0",
            "occupancy",
        ),
    )
    assert [SYMBOLS[z] for z in structure.elements] == ["Mg", "Fe", "O"]
    np.testing.assert_allclose(structure.occupancies, [0.75, 0.2, 1])
    assert not structure.is_ordered


def test_deuterium_tritium_charges_and_capitals_are_elements():
    structure = _read(
        CELL,
        "_space_group_IT_number 1\n",
        _sites(
            "D1 D 0 0 0\nT1 T 0 0 .5\nFE1 FE 0 .5 0\nO O2- .5 0 0\nCu1 Cu1.5+ .5 .5 0"
        ),
    )
    assert structure.elements.tolist() == [1, 1, 26, 8, 29]


@for_each(
    ("type_symbol", "label", "formula", "element"),
    [
        ("", "Fe1", "", "Fe"),
        ("", "FE1", "", "Fe"),
        ("", "SiT2", "", "Si"),
        ("", "CaM1", "", "Ca"),
        ("", "O1W", "", "O"),
        ("", "Ow2", "", "O"),
        ("", "O-H", "", "O"),
        ("", "Wat", "", "O"),
        ("", "HO1", "H4 O6", "H"),
        ("", "HO1", "Ho2 O3", "Ho"),
        ("", "CO1", "C O2", "C"),
        ("", "CO1", "Co O", "Co"),
        ("", "HN", "H3 N", "H"),
        ("", "D2", "D2 O", "H"),
        ("O-H", "X1", "", "O"),
        ("Na", "Cl1", "", "Na"),
        ("FE+3", "M1", "", "Fe"),
    ],
)
def test_the_element_of_a_site_follows_from_type_label_and_formula(
    type_symbol, label, formula, element
):
    ((number, amount),) = species_of_site(type_symbol, label, formula).shares
    assert (SYMBOLS[number], amount) == (element, 1)


@for_each("symbol", ["Xx", "M", "Vac", "Va", "Dum", "1", "Es"])
def test_a_site_without_an_element_is_refused(symbol):
    with pytest.raises(InputError, match="site .*: unknown element"):
        species_of_site(symbol, "", "")


def test_dummy_atoms_are_left_out():
    rows = "Na1 Na 0 0 0 d\nCl1 Cl .5 .5 .5 .\nCENT X ? ? ? dum\nQ Q .1 .2 .3 dum"
    structure = _read(CELL, NAME, _sites(rows, "calc_flag"))
    assert len(structure.elements) == 2


def test_displacements_are_converted_to_b():
    tags = "U_iso_or_equiv", "B_iso_or_equiv"
    rows = "Na1 Na 0 0 0 0.02(1) ?\nCl1 Cl .5 .5 .5 ? 1.5"
    factor = 8 * np.pi**2
    np.testing.assert_allclose(
        _read(CELL, NAME, _sites(rows, *tags)).b_iso, [0.02 * factor, 1.5]
    )
    np.testing.assert_array_equal(_read(CELL, NAME, SITES).b_iso, 0)
    rows = "Na1 Na 0 0 0 -0.02 .\nCl1 Cl .5 .5 .5 . ."
    np.testing.assert_array_equal(_read(CELL, NAME, _sites(rows, *tags)).b_iso, 0)


def test_anisotropic_displacements_give_the_equivalent_one_of_gemmi():
    cell = "_cell_length_a 6\n_cell_length_b 7\n_cell_length_c 8\n"
    cell += "_cell_angle_alpha 80\n_cell_angle_beta 100\n_cell_angle_gamma 110\n"
    u = (0.01, 0.02, 0.03, 0.004, -0.005, 0.006)
    tags = [f"_atom_site_aniso_U_{ij}" for ij in ("11", "22", "33", "12", "13", "23")]
    loop = "loop_\n_atom_site_aniso_label\n" + "\n".join(tags)
    loop += "\nNa1 " + " ".join(map(str, u)) + "\n"
    oracle = gemmi.UnitCell(6, 7, 8, 80, 100, 110).calculate_u_eq(gemmi.SMat33d(*u))
    structure = _read(cell, "_space_group_IT_number 1\n", SITES, loop)
    np.testing.assert_allclose(structure.b_iso, [8 * np.pi**2 * oracle, 0])


@for_each(
    ("parts", "reason"),
    [
        ((CELL, NAME), "no atoms"),
        ((CELL, NAME, _sites("Na1 Na ? ? ?")), "no atoms"),
        ((NAME, SITES), "no unit cell: _cell_length_a is not given"),
        ((CELL.replace("a 5.6402(3)", "a 0"), NAME, SITES), "all positive"),
        ((CELL.replace("a 5.6402(3)", "a -5.6"), NAME, SITES), "all positive"),
        ((CELL.replace("a 5.6402(3)", "a ?"), NAME, SITES), "_cell_length_a is not"),
        ((CELL.replace("a 5.6402(3)", "a nan"), NAME, SITES), "'nan', expected a num"),
        ((CELL.replace("gamma 90.00(1)", "gamma 180"), NAME, SITES), "close no cell"),
        ((CELL.replace("gamma 90.00(1)", "gamma 120"), NAME, SITES), "symmetry of the"),
        ((CELL, SITES), "no symmetry: .*got neither"),
        ((CELL, "_space_group_IT_number 999\n", SITES), "no symmetry: .*got '999'"),
        ((CELL, "loop_\n_symmetry_equiv_pos_as_xyz\nx,y\n", SITES), "'x,y' cannot be"),
        ((CELL, NAME, SITES.replace("Na1 Na1+", "Q1 Qq")), "Q1: unknown element 'Qq'"),
        ((CELL, NAME, SITES.replace("Na1+ 0", "Na1+ ?")), "Na1 has no fractional"),
        ((CELL, NAME, SITES.replace("Na1+ 0", "Na1+ a")), "Na1: a coordinate is 'a'"),
        ((CELL, NAME, SITES.replace("Na1+ 0 ", "Na1+ 0.02 ")), "top of its own image"),
        ((CELL, NAME, _sites("Na1 Na 0 0 0\nK1 K 0 0 0")), "Na1 lies on top of K1"),
        ((CELL, NAME, _sites("Na1 Na 0 0 0 x", "occupancy")), "occupancy is 'x'"),
        ((CELL, NAME, _sites("Na1 Na 0 0 0 7", "occupancy")), "occupancy 7, expected"),
        ((CELL, NAME, SITES + "Na2 Na 0"), "not a readable CIF"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(parts, reason):
    assert re.search(reason, _reason(*parts)), _reason(*parts)
