"""Crystals of the development data, read whole."""

import re
import zipfile
from pathlib import Path

import gemmi
import pytest
from gemmi import cif as gemmi_cif

from xrdjax.crystals.cif import read_crystals, read_text, write_cif
from xrdjax.crystals.crystal import expand_sites, to_crystal
from xrdjax.crystals.elements import SYMBOLS

# Files of cod_cifs.zip that hold no possible crystal, each looked at by hand.
UNUSABLE = {
    # coordinates of origin choice 1 with the operations of choice 2
    "openchemistry/CoFe2O4.cif": "lies on top",
    "openchemistry/NiFe2O4.cif": "lies on top",
    # H on three places 0.22 angstrom apart, each full
    "openchemistry/Mg(OH)2-Brucite.cif": "lies on top",
    # P -3 in a cell with three right angles
    "openchemistry/W2C.cif": "does not have the symmetry",
}


@pytest.fixture(scope="module")
def cod(shared_data):
    return shared_data / "cod_cifs.zip"


@pytest.fixture(scope="module")
def reading(cod):
    return read_crystals(cod)


def test_all_files_of_the_open_database_are_read_but_the_impossible_ones(reading):
    assert {failure.name for failure in reading.failures} == set(UNUSABLE)
    for failure in reading.failures:
        assert UNUSABLE[failure.name] in failure.reason
    assert len(reading.structures) == 553 - len(UNUSABLE)


def _blocks(path: Path) -> dict[str, gemmi_cif.Block]:
    """The files of a zip as gemmi reads them: what they declare."""
    with zipfile.ZipFile(path) as archive:
        return {
            name: gemmi_cif.read_string(archive.read(name).decode("latin-1"), 0)[0]
            for name in archive.namelist()
        }


def test_the_group_of_every_crystal_is_the_one_its_file_declares(cod, reading):
    blocks, compared = _blocks(cod), 0
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
    assert compared > 540


def test_expanded_atoms_make_up_the_formula_that_the_file_declares(cod, reading):
    blocks, compared, different = _blocks(cod), 0, set()
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
    assert compared > 300
    # the rest are mistakes of the files: an atom listed that the formula lacks
    assert len(different) <= 6, different


def test_primitive_atoms_and_writing_hold_in_the_settings_of_real_files(reading):
    for structure in reading.structures:
        crystal = to_crystal(structure)
        count = len(expand_sites(structure)[0])
        assert len(crystal.elements) * crystal.symmetry.centring_order == count
        back = read_text(write_cif(structure), structure.name).structures[0]
        assert back.space_group == structure.space_group
        assert back.formula == structure.formula


def test_a_thousand_relaxed_crystals_are_read_with_their_declared_group(
    shared_data, tmp_path
):
    path = tmp_path / "some.zip"
    with zipfile.ZipFile(shared_data / "mp_experimental_cifs.zip") as archive:
        names = archive.namelist()[::38]
        with zipfile.ZipFile(path, "w") as some:
            for name in names:
                some.writestr(name, archive.read(name))
    blocks, reading = _blocks(path), read_crystals(path)
    assert not reading.failures
    assert len(reading.structures) == len(names) >= 999
    for structure in reading.structures:
        number = blocks[structure.name].find_value("_space_group_IT_number")
        assert structure.space_group == int(number)
        assert structure.is_ordered
