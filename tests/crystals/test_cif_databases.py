"""Published CIFs, read whole: a few public ones, and those of the development data."""

import re

import gemmi
import pytest
from gemmi import cif as gemmi_cif
from published import cif_blocks, cif_texts

from xrdjax.crystals.cif import read_crystals, read_text, write_cif
from xrdjax.crystals.crystal import expand_sites, to_crystal
from xrdjax.crystals.elements import SYMBOLS

# Files that hold no possible crystal, each looked at by hand.
UNUSABLE = {
    "data": {},
    "cod_cifs.zip": {
        # coordinates of origin choice 1 with the operations of choice 2
        "openchemistry/CoFe2O4.cif": "lies on top",
        "openchemistry/NiFe2O4.cif": "lies on top",
        # H on three places 0.22 angstrom apart, each full
        "openchemistry/Mg(OH)2-Brucite.cif": "lies on top",
        # P -3 in a cell with three right angles
        "openchemistry/W2C.cif": "does not have the symmetry",
    },
}
CRYSTALS = {"data": 16, "cod_cifs.zip": 549}

# Group, formula and density of the public ones: what the files must come to, from
# handbooks (g/cm^3; of heavy ice, with the weight of hydrogen).
PUBLIC = {
    "anatase.cif": (141, "O2Ti", 3.89),
    "aragonite.cif": (62, "CCaO3", 2.93),
    "baddeleyite.cif": (14, "O2Zr", 5.82),
    "calcite.cif": (167, "CCaO3", 2.71),
    "copper_gold.cif": (225, "Au0.25Cu0.75", 12.2),
    "corundum.cif": (167, "Al2O3", 3.98),
    "diamond.cif": (227, "C", 3.515),
    "halite.cif": (225, "ClNa", 2.165),
    "heavy_ice.cif": (194, "H2O", 0.93),
    "lanthanum_hexaboride.cif": (221, "B6La", 4.72),
    "olivine.cif": (62, "Fe0.2Mg1.8O4Si", 3.35),
    "pyrite.cif": (205, "FeS2", 5.01),
    "quartz.cif:left": (154, "O2Si", 2.65),
    "quartz.cif:right": (152, "O2Si", 2.65),
    "tungsten.cif": (229, "W", 19.25),
    "wustite.cif": (225, "Fe0.945O", 5.72),
}


@pytest.fixture(scope="module")
def reading(collected_cifs):
    return read_crystals(collected_cifs)


@pytest.fixture(scope="module")
def blocks(collected_cifs):
    return cif_blocks(cif_texts(collected_cifs))


def test_all_files_are_read_but_those_of_impossible_crystals(collected_cifs, reading):
    unusable = UNUSABLE[collected_cifs.name]
    assert {failure.name for failure in reading.failures} == set(unusable)
    for failure in reading.failures:
        assert unusable[failure.name] in failure.reason
    assert len(reading.structures) == CRYSTALS[collected_cifs.name]


@pytest.mark.parametrize("collected_cifs", ["public"], indirect=True)
def test_public_crystals_have_group_formula_and_density_of_the_handbooks(reading):
    assert [structure.name for structure in reading.structures] == list(PUBLIC)
    for structure in reading.structures:
        group, formula, density = PUBLIC[structure.name]
        assert (structure.space_group, structure.formula) == (group, formula)
        _, sites = expand_sites(structure)
        weights = [gemmi.Element(SYMBOLS[z]).weight for z in structure.elements[sites]]
        mass = 1.66054 * (weights @ structure.occupancies[sites])
        assert mass / structure.volume == pytest.approx(density, rel=0.006)


def test_the_group_of_every_crystal_is_the_one_its_file_declares(
    collected_cifs, reading, blocks
):
    compared = 0
    for structure in reading.structures:
        find = blocks[structure.name].find_value
        number = find("_space_group_IT_number") or find("_symmetry_Int_Tables_number")
        name = find("_symmetry_space_group_name_H-M")
        group = gemmi.find_spacegroup_by_name(gemmi_cif.as_string(name or ""))
        expected = {int(number)} if number else set()
        expected |= {group.number} if group else set()
        if expected:
            compared += 1
            assert expected == {structure.space_group}, structure.name
    assert compared >= {"data": 13, "cod_cifs.zip": 540}[collected_cifs.name]


def test_expanded_atoms_make_up_the_formula_that_the_file_declares(
    collected_cifs, reading, blocks
):
    compared, different = 0, set()
    for structure in reading.structures:
        formula = blocks[structure.name].find_value("_chemical_formula_sum") or ""
        atoms = re.findall(r"([A-Z][a-z]?)([\d.]*)", formula)
        # hydrogen is often not located
        expected = {e: float(n or 1) for e, n in atoms if e not in ("H", "D")}
        if not expected:
            continue
        _, sites = expand_sites(structure)
        found = dict.fromkeys(expected, 0.0)
        for site in sites:
            symbol = SYMBOLS[structure.elements[site]]
            if symbol != "H":
                found[symbol] = found.get(symbol, 0.0) + structure.occupancies[site]
        compared += 1
        ratios = [found[symbol] / expected.get(symbol, 1e-9) for symbol in found]
        if max(ratios) > 1.02 * min(ratios):
            different.add(structure.name)
    assert compared >= {"data": 15, "cod_cifs.zip": 300}[collected_cifs.name]
    # mistakes of the files: an atom listed that the formula lacks
    assert len(different) <= {"data": 0, "cod_cifs.zip": 6}[collected_cifs.name]


def test_primitive_atoms_and_writing_hold_in_the_settings_of_real_files(reading):
    for structure in reading.structures:
        crystal = to_crystal(structure)
        count = len(expand_sites(structure)[0])
        assert len(crystal.elements) * crystal.symmetry.centring_order == count
        back = read_text(write_cif(structure), structure.name).structures[0]
        assert back.space_group == structure.space_group
        assert back.formula == structure.formula


def test_crystals_are_read_with_the_number_of_the_group_that_their_file_states(
    numbered_cifs,
):
    """A thousand of the development data, and all of the gallery."""
    every = {"gallery": 1, "mp_experimental_cifs.zip": 38}[numbered_cifs.name]
    texts = cif_texts(numbered_cifs, every)
    assert (
        len(texts)
        >= {"gallery": 100, "mp_experimental_cifs.zip": 999}[numbered_cifs.name]
    )
    disordered = 0
    for name, block in cif_blocks(texts).items():
        if name not in texts:
            continue
        reading = read_text(texts[name], name)
        assert not reading.failures
        (structure,) = reading.structures
        number = int(block.find_value("_space_group_IT_number"))
        assert structure.space_group == number, name
        disordered += not structure.is_ordered
    assert disordered <= 1
