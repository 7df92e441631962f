"""The structure type of a crystal, however it is written."""

import dataclasses

import numpy as np
import pytest
from laws import for_each
from typed_crystals import KNOWN, crystal, cubic, rewritten, unimodular

from xrdjax.crystals.crystal import Structure
from xrdjax.crystals.structure_types import analyse
from xrdjax.errors import InputError
from xrdjax.known.analyses import analyse_all
from xrdjax.symmetry.space_groups import space_group

for_each_crystal = for_each(("structure", "key"), KNOWN, lambda case: case[0].name)


def _mirrored(structure):
    """The other hand of a crystal, as a list of atoms: x' = -x."""
    atoms = rewritten(structure, np.eye(3, dtype=int), np.zeros(3))
    return dataclasses.replace(atoms, positions=np.mod(-atoms.positions, 1.0))


@for_each_crystal
def test_types_of_known_crystals_are_those_of_the_textbook(structure, key):
    analysis = analyse(structure)
    assert analysis.space_group == structure.space_group
    assert analysis.type_key == key


@for_each_crystal
def test_the_type_depends_on_neither_origin_nor_basis_nor_supercell(structure, key):
    rng = np.random.default_rng(len(structure.name))
    for size in (1, 1, 1, 2):
        basis = np.diag([size, 1, 1]) @ unimodular(rng)
        again = analyse(rewritten(structure, basis, rng.random(3)))
        assert again.space_group == structure.space_group
        assert again.type_key == key


@for_each_crystal
def test_the_type_depends_on_neither_the_order_nor_the_names_of_elements(
    structure, key
):
    order = np.arange(len(structure.elements))[::-1]
    other = Structure(
        name=structure.name,
        lattice=structure.lattice,
        positions=structure.positions[order],
        elements=structure.elements[order] + 3,
        occupancies=structure.occupancies[order],
        b_iso=structure.b_iso[order],
        rotations=structure.rotations,
        translations=structure.translations,
    )
    assert analyse(other).type_key == key


@for_each_crystal
def test_the_two_hands_of_a_crystal_have_one_type(structure, key):
    mirrored = analyse(_mirrored(structure))
    enantiomorph = space_group(structure.space_group).enantiomorph
    assert mirrored.space_group == (enantiomorph or structure.space_group)
    assert mirrored.type_key == key


def _mixed_halite(occupancies):
    sites = [("Mg", (0, 0, 0)), ("Fe", (0, 0, 0)), ("O", (0.5, 0.5, 0.5))]
    return crystal("mixed", 225, cubic(4.25), sites, occupancies=occupancies)


def test_a_mixed_site_is_one_site_of_one_species():
    analysis = analyse(_mixed_halite([0.3, 0.7, 1.0]))
    assert analysis.type_key == "225 AB 4 4"
    assert analysis.sites in ((0, 0, 1), (0, 1, 1))
    rows = analysis.standard
    content = dict(zip(rows.elements.tolist(), rows.occupancies.tolist(), strict=True))
    assert content == {8: 1.0, 12: 0.3, 26: 0.7}
    assert len(set(analysis.wyckoff_letters)) == 2


def test_rows_that_lie_less_than_a_hundredth_of_an_angstrom_apart_share_a_site():
    structure = _mixed_halite([0.3, 0.7, 1.0])
    structure.positions[1] += 0.005 / 4.25
    assert analyse(structure).type_key == "225 AB 4 4"


def test_different_occupancy_is_a_different_species():
    def cesium_chloride(first, second):
        sites = [("Fe", (0, 0, 0)), ("Co", (0, 0, 0))]
        sites += [("Fe", (0.5,) * 3), ("Co", (0.5,) * 3)]
        occupancies = [first, 1 - first, second, 1 - second]
        return analyse(
            crystal("alloy", 221, cubic(2.86), sites, occupancies=occupancies)
        )

    assert cesium_chloride(0.5, 0.5).type_key == "229 A 2"
    assert cesium_chloride(0.5, 0.6).type_key == "221 AB 1 1"


def test_a_vacancy_is_part_of_the_pattern():
    sites = [("Fe", (0, 0, 0)), ("Fe", (0.5,) * 3)]
    for occupancies, key in (((1.0, 1.0), "229 A 2"), ((1.0, 0.9), "221 AB 1 1")):
        iron = crystal("iron", 221, cubic(2.86), sites, occupancies=occupancies)
        assert analyse(iron).type_key == key


def test_an_empty_site_changes_nothing():
    sites = [("Cu", (0, 0, 0)), ("O", (0.25,) * 3)]
    copper = crystal("copper", 225, cubic(3.61), sites)
    analysis = analyse(dataclasses.replace(copper, occupancies=np.array([1.0, 0.0])))
    assert analysis.type_key == "225 A 4"
    assert analysis.standard.elements.tolist() == [29]


def test_a_crystal_without_atoms_is_named():
    empty = dataclasses.replace(KNOWN[0][0], occupancies=np.zeros(1))
    with pytest.raises(InputError, match="copper has no occupied site"):
        analyse(empty)


def _overlapping():
    """Two images of one atom, nearer to each other than a coarse symprec."""
    site = ("H", (0.005, 0.005, 0.005))
    return crystal("overlap", 2, (5, 6, 7, 80, 85, 75), [site], occupancies=[0.5])


def test_overlapping_atoms_are_an_error_that_says_what_to_do():
    with pytest.raises(InputError, match="overlap within 0.2 angstrom.*symprec"):
        analyse(_overlapping(), symprec=0.2)


def test_what_cannot_be_analysed_is_named_and_the_others_are_analysed():
    structures = [KNOWN[0][0], _overlapping(), KNOWN[1][0]]
    analyses, failures = analyse_all(structures, symprec=0.2)
    assert [a.standard.name for a in analyses] == ["copper", "halite"]
    assert [failure.name for failure in failures] == ["overlap"]
    assert "symprec" in failures[0].reason
