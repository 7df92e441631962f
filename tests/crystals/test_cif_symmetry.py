"""What a CIF leaves open about its symmetry is decided by what else it states."""

import math

import gemmi
import numpy as np
import pytest
from laws import for_each

from xrdjax.crystals.cif import read_text
from xrdjax.crystals.crystal import expand_sites

RIGHT = (90, 90, 90)
TWO_ORIGINS = sorted({g.number for g in gemmi.spacegroup_table() if g.ext == "1"})
SYMBOL = "_symmetry_space_group_name_H-M"


def cif(cell, symmetry: str, rows: list[tuple], extra: str = "", tags=()) -> str:
    """A CIF of (label, x, y, z, values of more tags)."""
    lines = ["data_typed", extra]
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta")
    lines += [
        f"_cell_{name} {value}"
        for name, value in zip((*names, "angle_gamma"), cell, strict=True)
    ]
    lines += [symmetry, "loop_"]
    tags = ("label", "fract_x", "fract_y", "fract_z", *tags)
    lines += [f"_atom_site_{tag}" for tag in tags]
    lines += [" ".join(map(str, row)) for row in rows]
    return "\n".join(lines) + "\n"


def read(text: str):
    """The one structure, its atoms in the cell, and the notes."""
    reading = read_text(text, "typed.cif")
    assert not reading.failures, reading.failures
    (structure,) = reading.structures
    notes = "; ".join(note.text for note in reading.notes)
    return structure, len(expand_sites(structure)[0]), notes


def refusal(text: str) -> str:
    (failure,) = read_text(text, "typed.cif").failures
    return failure.reason


def _orbit(operations, position) -> int:
    images = [op.apply_to_xyz(list(position)) for op in operations]
    return len({tuple(np.round(np.mod(image, 1), 6) % 1) for image in images})


def _first_origin(number: int):
    """Zr and S at places of origin choice 1, and their multiplicities."""
    group = next(
        g for g in gemmi.spacegroup_table() if g.number == number and g.ext == "1"
    )
    edges = {"orthorhombic": (7.0, 8.2, 9.1), "tetragonal": (7.4, 7.4, 9.1)}
    cell = (*edges.get(group.crystal_system_str(), (9.3, 9.3, 9.3)), *RIGHT)
    free = (0.32, 0.32, 0.32) if cell[0] == cell[2] else (0.11, 0.23, 0.19)
    places = [("Zr1", 0, 0, 0), ("S1", *free)]
    counts = [_orbit(group.operations(), place[1:]) for place in places]
    return group.hm, cell, places, counts


@for_each("number", TWO_ORIGINS)
def test_the_origin_is_the_one_that_fits_what_the_file_states(number):
    name, cell, places, counts = _first_origin(number)
    units = math.gcd(*counts)
    formula = "_chemical_formula_sum 'Zr{} S{}'".format(*(n // units for n in counts))
    mass = 1.66054 * np.dot(counts, [91.224, 32.06]) / np.prod(cell[:3])
    multiplicities = [(*p, n) for p, n in zip(places, counts, strict=True)]
    symmetry = f"{SYMBOL} '{name}'"
    for text in (
        cif(cell, symmetry, multiplicities, "", ("symmetry_multiplicity",)),
        cif(cell, symmetry, places, f"{formula}\n_cell_formula_units_Z {units}"),
        cif(cell, symmetry, places, f"_exptl_crystal_density_diffrn {mass:.3f}"),
        cif(cell, f"_space_group_IT_number {number}", places, formula),
    ):
        structure, atoms, _ = read(text)
        assert (structure.space_group, atoms) == (number, sum(counts))


def test_an_origin_that_is_named_and_does_not_fit_is_not_taken():
    rows = [("Si1", 0, 0, 0, 8)]
    cell = (5.43, 5.43, 5.43, *RIGHT)
    for symmetry in (
        f"{SYMBOL} 'F d -3 m :2'",
        "_space_group_name_Hall '-F 4vw 2vw 3'",
    ):
        _, atoms, notes = read(
            cif(cell, symmetry, rows, "", ("symmetry_multiplicity",))
        )
        assert atoms == 8 and "the file states 8" in notes


def test_without_evidence_the_origin_is_at_the_inversion():
    cell = (3.57, 3.57, 3.57, *RIGHT)
    place = [("C1", 0.125, 0.125, 0.125)]
    structure, atoms, notes = read(cif(cell, f"{SYMBOL} 'F d -3 m'", place))
    assert atoms == 8 and notes == ""
    np.testing.assert_allclose(structure.positions, 0.125)


def test_wyckoff_letters_and_contacts_are_evidence_too():
    cell = (5.66, 5.66, 5.66, *RIGHT)
    rows = [("Ge1", 0, 0, 0, "8a")]
    text = cif(cell, f"{SYMBOL} 'F d 3 m'", rows, "", ("Wyckoff_symbol",))
    assert read(text)[1] == 8
    # tetragonal SnO: at origin choice 2, tin would be 1.4 angstrom from tin
    rows = [("O1", 0, 0, 0), ("Sn1", 0, 0.5, 0.2383)]
    _, atoms, notes = read(cif((3.8, 3.8, 4.84, *RIGHT), f"{SYMBOL} 'P 4/n m m'", rows))
    assert atoms == 4 and "read as P 4/n m m:1" in notes


IDENTITY = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z"
MGO = (4.21, 4.21, 4.21, *RIGHT)
SITES = [("Mg1", 0, 0, 0), ("O1", 0.5, 0.5, 0.5)]
FACES = [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]
ALL = [("Mg", *p) for p in FACES] + [("O", *np.mod(np.add(p, 0.5), 1)) for p in FACES]
MOVED = [(e, *np.round(np.mod(np.add(p, (0.1, 0.2, 0.15)), 1), 4)) for e, *p in ALL]


@for_each(
    ("rows", "extra", "atoms", "group"),
    [
        (SITES, "_chemical_formula_sum 'Mg O'\n_cell_formula_units_Z 4", 8, 225),
        (SITES, "_exptl_crystal_density_diffrn 3.58", 8, 225),
        (SITES, "", 8, 225),
        (ALL, "_chemical_formula_sum 'Mg O'\n_cell_formula_units_Z 4", 8, 1),
        (ALL, "", 8, 1),
        (MOVED, "", 8, 1),
        (MOVED, "_chemical_formula_sum 'Mg O'\n_cell_formula_units_Z 4", 8, 1),
    ],
)
def test_an_identity_alone_is_the_group_unless_all_atoms_are_listed(
    rows, extra, atoms, group
):
    text = cif(MGO, f"{SYMBOL} 'F m -3 m'\n{IDENTITY}", rows, extra)
    structure, found, notes = read(text)
    assert (found, structure.space_group) == (atoms, group)
    assert ("F m -3 m" in notes) == (group == 225)


def test_operations_without_the_centring_and_in_one_text_are_completed():
    ops = [
        op.triplet() for op in gemmi.find_spacegroup_by_name("P m -3 m").operations()
    ]
    loop = "loop_\n_symmetry_equiv_pos_as_xyz\n" + "\n".join(ops)
    assert read(cif(MGO, f"{SYMBOL} 'F m -3 m'\n{loop}", SITES))[1] == 8
    field = "_symmetry_equiv_pos_as_xyz\n;\n1 x,y,z\n2 -x,-y,-z\n;"
    structure, atoms, _ = read(
        cif((5, 6, 7, 80, 95, 99), field, [("Na1", 0.1, 0.2, 0.3)])
    )
    assert (structure.space_group, atoms) == (2, 2)


@for_each(
    ("name", "angles", "setting"),
    [
        ("P 21/m", (90, 90, 98), "P 1 1 21/m"),
        ("P 2/m", (98, 90, 90), "P 2/m 1 1"),
        ("P 1 2/c 1", (90, 90, 98), "P 1 1 2/a"),
        ("P 21/b", (90, 90, 98), "P 1 1 21/b"),
        ("B 2/b", (90, 90, 98), "B 1 1 2/b"),
        ("B b", (90, 90, 98), "B 1 1 b"),
        ("P 21/n", (90, 98, 90), "P 1 21/n 1"),
        ("", (90, 90, 98), "P 1 1 2/m"),
    ],
)
def test_the_unique_axis_is_the_one_of_the_oblique_angle(name, angles, setting):
    symmetry = f"{SYMBOL} '{name}'" if name else "_space_group_IT_number 10"
    text = cif((6.1, 7.3, 8.4, *angles), symmetry, [("Sr1", 0.11, 0.23, 0.19)])
    structure, _, _ = read(text)
    expected = gemmi.find_spacegroup_by_name(setting).operations()
    assert {tuple(np.ravel(w)) for w in structure.rotations} == {
        tuple(np.ravel(op.rot) // op.DEN) for op in expected
    }
    shifts = {tuple(np.mod(op.tran, op.DEN) / op.DEN) for op in expected}
    assert {tuple(w) for w in structure.translations} == shifts


@for_each(
    ("old", "new", "cell"),
    [
        ("R -3 c HR", "R -3 c:H", (5, 5, 17, 90, 90, 120)),
        ("R -3 m RS", "R -3 m:R", (6.4, 6.4, 6.4, 46, 46, 46)),
        ("R -3 c H", "R -3 c:R", (6.4, 6.4, 6.4, 46, 46, 46)),
        ("Ia-3d (230)", "I a -3 d", (12, 12, 12, *RIGHT)),
        ("P n m a, No. 62", "P n m a", (5, 6, 7, *RIGHT)),
        ("Fd3cZ", "F d -3 c:2", (12, 12, 12, *RIGHT)),
        ("I 4 3 m", "I -4 3 m", (9, 9, 9, *RIGHT)),
        ("C 6/m m m", "P 6/m m m", (5, 5, 7, 90, 90, 120)),
        ("P 2 1/c", "P 1 21/c 1", (5, 6, 7, 90, 100, 90)),
        ("P 2(1)", "P 1 21 1", (5, 6, 7, 90, 100, 90)),
        ("P\u00a04bar\u00a02\u00a0m", "P -4 2 m", (5, 5, 7, *RIGHT)),
    ],
)
def test_old_synonyms_of_a_group_are_understood(old, new, cell):
    structure, _, _ = read(cif(cell, f"{SYMBOL} '{old}'", [("Cu1", 0, 0, 0)]))
    expected = gemmi.find_spacegroup_by_name(new)
    assert structure.space_group == expected.number
    assert len(structure.rotations) == len(list(expected.operations()))


def test_a_number_alone_may_mean_another_setting_of_its_group():
    # chrysoberyl-like olivine in P b n m, of which only the number is given
    sites = [
        ("Co1", 0, 0, 0),
        ("Co2", 0.9915, 0.2774, 0.25),
        ("Ge", 0.4262, 0.094, 0.25),
        ("O1", 0.7657, 0.0913, 0.25),
        ("O2", 0.2215, 0.4474, 0.25),
        ("O3", 0.2777, 0.1628, 0.0331),
    ]
    formula = "_chemical_formula_sum 'Co2 Ge O4'\n_cell_formula_units_Z 4"
    cell = (4.87, 10.36, 6.06, *RIGHT)
    structure, atoms, notes = read(
        cif(cell, "_space_group_IT_number 62", sites, formula)
    )
    assert (structure.space_group, atoms) == (62, 28)
    assert "read as P b n m" in notes


MAGNETIC = """loop_
_space_group_symop{0}magn_operation{1}xyz
x,y,z,+1
-x,-y,-z,-1
loop_
_space_group_symop{0}magn_centering{1}xyz
x,y,z,+1
x+1/2,y+1/2,z,-1
"""


@for_each("dots", [("_", "."), (".", "_")])
def test_magnetic_operations_are_read_without_their_time_reversal(dots):
    symmetry = MAGNETIC.format(*dots)
    structure, atoms, _ = read(
        cif((5, 6, 7, 80, 95, 99), symmetry, [("Mn1", 0.1, 0.2, 0.3)])
    )
    assert (structure.space_group, atoms) == (2, 4)


@pytest.mark.parametrize("triplet", ["h,k,l", "-a,-b,-c", "2_655"])
def test_operations_on_indices_or_axes_are_refused(triplet):
    loop = f"loop_\n_space_group_symop_operation_xyz\nx,y,z\n{triplet}"
    assert repr(triplet) in refusal(cif(MGO, loop, SITES))


def test_more_operations_than_any_cell_has_are_refused():
    steps = [
        f"x+{i}/24,y+{j}/24,z+{k}/24"
        for i in range(24)
        for j in range(24)
        for k in range(24)
    ]
    loop = "loop_\n_space_group_symop_operation_xyz\n" + "\n".join(steps)
    assert "13824 symmetry operations" in refusal(cif(MGO, loop, SITES))
