"""What a CIF says twice is compared, and numbers that describe no crystal are refused."""

import numpy as np
import pytest
from laws import for_each

from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.cif import read_text
from xrdjax.errors import InputError

HEAD = """data_rutile
{extra}
_cell_length_a 4.594
_cell_length_b 4.594
_cell_length_c 2.959
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 42/m n m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
"""
SN, OXYGEN = "Sn1 Sn4+ 0 0 0\n", "O1 O2- 0.307 0.307 0\n"
TIN = "_chemical_formula_sum 'O2 Sn'\n_cell_formula_units_Z 2"


def _read(rows: str, extra: str = TIN, head: str = HEAD):
    reading = read_text(head.format(extra=extra) + rows, "typed.cif")
    return reading.structures, [note.text for note in reading.notes], reading.failures


def _refusal(*args, **kwargs) -> str:
    structures, _, failures = _read(*args, **kwargs)
    assert not structures
    return failures[0].reason


def test_a_file_that_agrees_with_itself_has_no_notes():
    (structure,), notes, _ = _read(SN + OXYGEN)
    assert structure.formula == "O2Sn" and notes == []


def test_a_file_that_is_cut_off_at_a_row_or_in_it_is_refused():
    assert "make up Sn, but _chemical_formula_sum states 'O2 Sn'" in _refusal(SN)
    assert "'O1 O2- 0.307', has not the 5 values" in _refusal(SN + "O1 O2- 0.307\n")
    assert "make up O2Sn, but" in _refusal(SN + OXYGEN, TIN.replace("Sn", "Si"))
    four = "_chemical_formula_sum 'O4 Sn'\n_cell_formula_units_Z 2"
    assert "make up O2Sn, but" in _refusal(SN + OXYGEN, four)


def test_smaller_contradictions_are_notes():
    _, (note,), _ = _read(SN + OXYGEN, TIN.replace("Z 2", "Z 4"))
    assert note == "the cell holds 2 formula units 'O2 Sn', but " + (
        "_cell_formula_units_Z states 4"
    )
    _, (note,), _ = _read(SN + OXYGEN, "_cell_volume 71.2")
    assert "_cell_volume states 71.2" in note
    _, (note,), _ = _read(SN + OXYGEN, "_exptl_crystal_density_diffrn 5.2")
    assert "density comes to 8.0" in note
    _, notes, _ = _read(SN + OXYGEN, "_exptl_crystal_density_diffrn 8010")  # kg/m^3
    assert notes == []
    _, (note,), _ = _read(SN + OXYGEN, "_chemical_formula_sum 'O2.2 Sn'")
    assert "'O2.2 Sn'" in note


def test_two_contradictions_that_agree_are_an_error():
    extra = "_chemical_formula_sum P\n_cell_formula_units_Z 8\n"
    extra += "_exptl_crystal_density_diffrn 6.6"
    assert "_cell_formula_units_Z states 8" in _refusal("P1 P 0 0 0\n", extra)


def test_hydrogen_and_water_that_were_not_located_are_no_contradiction():
    brucite = "_chemical_formula_sum 'H4 O4 Sn'\n_cell_formula_units_Z 2"
    assert _read(SN + OXYGEN, brucite)[0]
    assert not _read(SN + OXYGEN, "_chemical_formula_sum 'O2 Sn H2'")[1]


def test_a_label_in_doubt_needs_a_formula_that_confirms_it():
    head = HEAD.replace("_atom_site_type_symbol\n", "")
    mixed = "Ti0.6Sn0.4 0 0 0\nO1 0.307 0.307 0\n"
    (structure,), _, _ = _read(mixed, "_chemical_formula_sum 'O2 Sn0.4 Ti0.6'", head)
    assert structure.formula == "O2Sn0.4Ti0.6"
    for rows, formula in ((mixed, ""), (mixed.replace("0.6Sn0.4", "Sn"), "")):
        assert "names both Ti and Sn" in _refusal(rows, formula, head)
    both = "_chemical_formula_sum 'O2 Sn0.4 Ti0.6'"
    assert "names both Ti and Sn" in _refusal(
        "TiSn 0 0 0\nO1 0.307 0.307 0\n", both, head
    )


def test_a_dot_is_zero_and_hydrogen_without_coordinates_is_left_out():
    (structure,), notes, _ = _read("Sn1 Sn4+ . . .\nH1 H ? ? ?\n" + OXYGEN)
    np.testing.assert_array_equal(structure.positions[0], 0)
    assert structure.formula == "O2Sn"
    assert ["read as 0" in notes[0], "H1 of hydrogen" in notes[1]] == [True, True]
    assert "Sn1 has no fractional" in _refusal("Sn1 Sn4+ ? ? ?\n" + OXYGEN)


@for_each(
    ("old", "new", "message"),
    [
        ("0.307 0.307", "1e300 0.307", "1e+300, expected fractions"),
        ("0.307 0.307", "2.41 2.41", "divide Cartesian"),
        ("alpha 90", "alpha 1.5708", "radians"),
        ("_a 4.594", "_a 0.4594", "nanometres"),
        ("_c 2.959", "_c 29590", "picometres"),
        ("fract", "Cartn", "are Cartesian"),
        ("O2- 0.307 0.307 0", "O2- 0.307 0.307 0x", "'0x', expected a number"),
    ],
)
def test_numbers_that_describe_no_crystal_are_refused(old, new, message):
    text = (HEAD.format(extra="") + SN + OXYGEN).replace(old, new)
    (failure,) = read_text(text, "typed.cif").failures
    assert message in failure.reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b_iso": [-0.5, 0]}, "B of -0.5 square angstrom"),
        ({"b_iso": [np.nan, 0]}, "B of nan"),
        ({"positions": [(0, 0, 0), (1.41, 1.41, 2.1)]}, "divide Cartesian"),
        ({"cell": (4.6, 4.6, 3.0, 1.5708, 1.5708, 1.5708)}, "radians"),
        ({"symbols": "TiO"}, "expected a list of element symbols"),
    ],
)
def test_sites_typed_in_are_held_to_the_same(change, message):
    good = {
        "name": "rutile",
        "space_group": 136,
        "cell": (4.594, 4.594, 2.959, 90, 90, 90),
        "symbols": ["Ti", "O"],
        "positions": [(0, 0, 0), (0.305, 0.305, 0)],
    }
    with pytest.raises(InputError, match=message):
        structure_from_sites(**good | change)
