"""Each CIF of the gallery against spglib, against itself and against other sources."""

import collections
import functools
import importlib.resources
import re
from pathlib import Path

import gemmi
import numpy as np
import pytest
import spglib
from gemmi import cif
from laws import for_each
from published import cif_texts

from xrdjax.crystals.cif import read_text
from xrdjax.crystals.crystal import expand_sites
from xrdjax.crystals.elements import SYMBOLS
from xrdjax.crystals.structure_types import analyse
from xrdjax.crystals.textbook import gallery, gallery_names, gallery_structures
from xrdjax.errors import InputError
from xrdjax.symmetry.space_groups import space_group

# Density functional theory (PBE) and experiment differ by up to 2 % in a cell edge,
# and by more in these. Largest deviation allowed, and why.
_DISPERSION = "layers, chains or molecules held by dispersion forces, which PBE lacks"
_MAGNETISM = "PBE overbinds the localised d or f electrons"
CELL_TOLERANCES = {
    "bismuth": (0.04, _DISPERSION),
    "black_phosphorus": (0.05, _DISPERSION),
    "boron_nitride": (0.16, _DISPERSION),
    "brucite": (0.04, _DISPERSION),
    "cadmium_iodide": (0.07, _DISPERSION),
    "graphite": (0.17, _DISPERSION),
    "macedonite": (0.04, "PBE exaggerates the tetragonal strain of PbTiO3"),
    "molybdenite": (0.09, _DISPERSION),
    "rosickyite": (0.03, _DISPERSION),
    "shcherbinaite": (0.03, _DISPERSION),
    "stibnite": (0.05, _DISPERSION),
    "sulfur": (0.03, _DISPERSION),
    "tellurium": (0.04, _DISPERSION),
    "troilite": (0.03, _MAGNETISM),
    "uranium": (0.03, _MAGNETISM),
}

# PBE moves the atoms of these too: chains in HgS, and CuO without its magnetic order.
# The AFLOW library of prototypes has both as here.
MOVED_ATOMS = {"cinnabar", "tenorite"}

# spglib warns on every call that its functions will raise in the future.
pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING")

for_each_crystal = for_each("name", gallery_names())


def cif_block(name: str) -> cif.Block:
    folder = importlib.resources.files("xrdjax.crystals") / "data" / "gallery"
    return cif.read_string((folder / f"{name}.cif").read_text()).sole_block()


def value(block: cif.Block, tag: str) -> str:
    return cif.as_string(block.find_value(tag))


structures = functools.cache(gallery_structures)


def composition(structure) -> dict[str, float]:
    """Number of atoms of each element in the conventional cell."""
    counts: dict[str, float] = collections.Counter()
    for site in expand_sites(structure)[1]:
        counts[SYMBOLS[structure.elements[site]]] += structure.occupancies[site]
    return counts


def test_gallery_is_broad():
    groups = {structure.space_group for structure in structures().values()}
    systems = {space_group(number).crystal_system for number in groups}
    assert tuple(structures()) == gallery_names()
    assert len(structures()) >= 60
    assert len(groups) >= 40
    assert len(systems) == 7


@for_each_crystal
def test_spglib_finds_the_space_group_that_the_cif_states(name):
    structure = structures()[name]
    positions, sites = expand_sites(structure)
    atoms = (structure.lattice, positions, structure.elements[sites])
    block = cif_block(name)
    stated = int(value(block, "_space_group_IT_number"))
    assert structure.name == name == block.name
    assert structure.space_group == stated
    for symprec in (1e-3, 1e-2):
        assert spglib.get_symmetry_dataset(atoms, symprec=symprec).number == stated


@for_each_crystal
def test_the_cell_holds_z_formula_units_of_the_cif(name):
    block = cif_block(name)
    units = int(value(block, "_cell_formula_units_Z"))
    formula = value(block, "_chemical_formula_sum")
    stated = {
        symbol: units * float(count or 1)
        for symbol, count in re.findall(r"([A-Z][a-z]?)([\d.]*)", formula)
    }
    assert composition(structures()[name]) == pytest.approx(stated)


@for_each_crystal
def test_atoms_keep_their_distance_and_the_density_is_that_of_a_solid(name):
    structure = structures()[name]
    positions, sites = expand_sites(structure)
    is_hydrogen = structure.elements[sites] == 1
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), axis=-1).reshape(-1, 3)
    difference = positions[:, None] - positions[None, :]
    difference = (difference - np.round(difference))[..., None, :] + shifts
    distances = np.linalg.norm(difference @ structure.lattice, axis=-1)
    distances[distances < 1e-6] = np.inf  # the atom itself
    least = np.where(is_hydrogen[:, None] | is_hydrogen[None, :], 0.8, 1.2)
    assert np.all(distances.min(axis=-1) > least)
    mass = sum(gemmi.Element(s).weight * n for s, n in composition(structure).items())
    density = mass * 1.66054 / structure.volume  # g/cm^3
    assert 1.3 < density < 20


@for_each_crystal
def test_cif_names_its_source(name):
    block = cif_block(name)
    assert all(map(cif.as_string, block.find_values("_publ_author_name")))
    assert len(block.find_values("_publ_author_name")) >= 1
    assert value(block, "_journal_name_full")
    assert 1900 < int(value(block, "_journal_year")) < 2026
    assert int(value(block, "_journal_page_first")) > 0


@pytest.mark.parametrize("typed", ["Quartz", "quartz beta", "silicon-nitride-alpha"])
def test_case_blanks_and_hyphens_do_not_matter(typed):
    assert gallery(typed).name == typed.lower().replace(" ", "_").replace("-", "_")


def test_misspelt_name_is_an_error_with_a_suggestion():
    with pytest.raises(InputError, match="did you mean 'quartz'"):
        gallery("quarz")
    with pytest.raises(InputError, match=r"no crystal 'zzz'; gallery_names\(\) lists"):
        gallery("zzz")


def test_quartz_is_left_handed_as_published():
    # Levien, Prewitt & Weidner, Am. Mineral. 65 (1980) 920: a = 4.916, c = 5.4054.
    quartz = gallery("quartz")
    assert quartz.space_group == 154
    assert quartz.unit_cell == pytest.approx((4.916, 4.916, 5.4054, 90, 90, 120))
    assert quartz.formula == "O2Si"


def candidates(path, structures) -> dict[str, list]:
    """Crystals of a folder or zip that may be those of the gallery.

    A look at each CIF of a zip finds those with the same elements and the same space
    group, or its mirror image; only these are read.
    """
    wanted = collections.defaultdict(list)
    for structure in structures.values():
        elements = frozenset(SYMBOLS[z] for z in structure.elements)
        number = structure.space_group
        for hand in {number, space_group(number).enantiomorph or number}:
            wanted[elements, hand].append(structure)
    found = collections.defaultdict(list)
    for name, text in cif_texts(path).items():
        if path.suffix == ".zip":
            head = text[: text.index("_cell_length_a")]
            formula = re.search(r"_chemical_formula_structural\s+'?([^'\n]+)", head)[1]
            elements = frozenset(re.findall("[A-Z][a-z]?", formula))
            number = int(re.search(r"_space_group_IT_number\s+(\d+)", head)[1])
            if (elements, number) not in wanted:
                continue
        for candidate in read_text(text, name).structures:
            elements = frozenset(SYMBOLS[z] for z in candidate.elements)
            for structure in wanted.get((elements, candidate.space_group), ()):
                if candidate.formula == structure.formula:
                    found[structure.name].append(candidate)
    return found


def fitting_deviations(found, structures) -> dict[str, float]:
    """Largest relative deviation of a cell edge, of crystals with the same atoms."""
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Lattice, Structure

    def atoms(structure) -> Structure:
        positions, sites = expand_sites(structure)
        symbols = [SYMBOLS[z] for z in structure.elements[sites]]
        return Structure(Lattice(structure.lattice), symbols, positions)

    # stol: of the mean distance between atoms; distinguishes stackings of layers
    matcher = StructureMatcher(ltol=0.3, stol=0.08, angle_tol=5)
    deviations: dict[str, float] = {}
    for name, others in found.items():
        mine = analyse(structures[name])
        same_type = [
            (other, theirs)
            for other in others
            if (theirs := analyse(other)).type_key == mine.type_key
        ]
        for other, theirs in same_type:
            if matcher.fit(atoms(structures[name]), atoms(other)):
                ratio = np.divide(*(a.standard.unit_cell[:3] for a in (theirs, mine)))
                deviation = float(np.abs(ratio - 1).max())
                deviations[name] = min(deviation, deviations.get(name, np.inf))
        assert not same_type or (name in deviations) != (name in MOVED_ATOMS), name
    return deviations


def test_crystals_that_others_measured_have_the_same_cells_and_atoms():
    """The public CIFs, of other authors and in other settings."""
    found = candidates(Path(__file__).parents[1] / "data", structures())
    deviations = fitting_deviations(found, structures())
    assert len(deviations) >= 9
    assert max(deviations.values()) < 0.005, deviations


def test_calculated_crystals_have_the_same_cells_and_atoms(shared_data):
    found = candidates(shared_data / "mp_experimental_cifs.zip", structures())
    deviations = fitting_deviations(found, structures())
    assert len(deviations) >= 100
    wrong = {
        name: deviation
        for name, deviation in deviations.items()
        if deviation > CELL_TOLERANCES.get(name, (0.02, ""))[0]
    }
    assert not wrong
    # an unnecessary exception must go
    assert all(deviations[name] > 0.02 for name in CELL_TOLERANCES)
