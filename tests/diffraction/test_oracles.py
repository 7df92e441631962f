"""Lines, intensities and profiles against gemmi, pymatgen and plain float64 sums."""

import warnings
from functools import lru_cache
from importlib.resources import files

import gemmi
import numpy as np
from oracles import powder
from oracles.adapters import atoms_of, crystal_of, lines_of, structure_from_gemmi
from published import cif_texts

from xrdjax.crystals.cif import read_crystals
from xrdjax.crystals.crystal import Structure
from xrdjax.crystals.textbook import gallery_structures
from xrdjax.diffraction.powder import powder_pattern
from xrdjax.instrument.grid import PAPER_GRID
from xrdjax.instrument.instrument import InstrumentRanges
from xrdjax.instrument.measurement import peaks_for
from xrdjax.instrument.specimen import SpecimenRanges, make_specimen


@lru_cache(maxsize=2)
def known_crystals(path) -> list[gemmi.SmallStructure]:
    """Ordered crystals of a folder, or 300 of a zip, tin left out.

    pymatgen's form factor of tin is 12 % too high near 90 degrees: above antimony's,
    where it has to lie between those of indium and antimony.
    """
    crystals = []
    for text in cif_texts(path, 1 if path.is_dir() else 126).values():
        block = gemmi.cif.read_string(text).sole_block()
        small = gemmi.make_small_structure_from_block(block)
        if all(site.element.name != "Sn" and site.occ == 1 for site in small.sites):
            crystals.append(small)
    return crystals


def check_structure_factors(structure: Structure, small: gemmi.SmallStructure) -> None:
    """|F| of up to 200 lines against gemmi's, from gemmi's own reading of the file."""
    miller, magnitude, _ = lines_of(structure)
    rows = np.random.default_rng(0).permutation(len(miller))[:200]
    expected = powder.gemmi_structure_factors(small, miller[rows])
    largest = abs(powder.structure_factors(atoms_of(structure), miller)).max()
    np.testing.assert_allclose(
        magnitude[rows], expected, rtol=0, atol=1e-4 * largest, err_msg=structure.name
    )


def test_structure_factors_of_the_gallery_are_those_of_gemmi():
    structures = gallery_structures()
    assert len(structures) > 100
    folder = files("xrdjax.crystals") / "data" / "gallery"
    for name, structure in structures.items():
        text = (folder / f"{name}.cif").read_text()
        block = gemmi.cif.read_string(text).sole_block()
        check_structure_factors(structure, gemmi.make_small_structure_from_block(block))


def test_structure_factors_of_known_crystals_are_those_of_gemmi(shared_data):
    for small in known_crystals(shared_data / "mp_experimental_cifs.zip")[::5]:
        check_structure_factors(structure_from_gemmi(small), small)


def test_lines_of_known_crystals_are_those_of_pymatgen(numbered_cifs):
    """The two differ by their tables of form factors only: mildly in intensity."""
    residuals = []
    crystals = known_crystals(numbered_cifs)
    assert len(crystals) > 100
    for small in crystals:
        structure = structure_from_gemmi(small)
        _, _, lines = lines_of(structure)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pymatgen's, about itself
            expected = powder.pymatgen_lines(atoms_of(structure))
        ours, theirs = powder.side_by_side(lines, expected)
        # pymatgen drops lines below 1e-5 of the strongest, and where atoms cancel, a
        # line may be that weak with one table and not with the other
        for one, other in ((ours, theirs), (theirs, ours)):
            missing = one.intensity[other.intensity == 0].sum()
            assert missing < 1e-3 * one.intensity.sum(), small.name
        nearest = np.min(
            abs(expected.two_theta_deg[:, None] - lines.two_theta_deg), axis=1
        )
        assert nearest.max() < 1e-4, small.name
        ours_of_one = ours.intensity / ours.intensity.sum()
        theirs_of_one = theirs.intensity / theirs.intensity.sum()
        residuals.append(abs(ours_of_one - theirs_of_one).sum())
    assert np.median(residuals) < 0.01
    assert np.max(residuals) < 0.04


def test_intensities_of_files_in_any_setting_are_those_of_a_plain_sum(collected_cifs):
    """Partial occupancies, displacements and odd settings, as databases have them."""
    structures = read_crystals(collected_cifs).structures
    if collected_cifs.suffix == ".zip":
        small = [s for s in structures if s.volume < 3000]
        unusual = [s for s in small if not s.is_ordered or np.any(s.b_iso > 0)]
        assert len(unusual) > 40
        structures = unusual[::3] + small[::8]
    assert len(structures) >= 16
    for structure in structures:
        lines = lines_of(structure)[2]
        ours, plain = powder.side_by_side(
            lines, powder.powder_lines(atoms_of(structure))
        )
        np.testing.assert_allclose(
            ours.intensity,
            plain.intensity,
            rtol=0,
            atol=1e-4 * plain.intensity.max(),
            err_msg=structure.name,
        )


def test_pattern_is_the_sum_over_every_line_and_point():
    """Of every seventh textbook crystal, displacement factors included."""
    grid = PAPER_GRID.two_theta_deg
    peaks = peaks_for(PAPER_GRID, InstrumentRanges(), SpecimenRanges((20.0, 100.0)))
    sizes_nm = (20.0, 47.3, 100.0)
    for i, structure in enumerate(list(gallery_structures().values())[::7]):
        size_nm = sizes_nm[i % 3]
        expected = powder.powder_profile(
            powder.powder_lines(atoms_of(structure)), size_nm, grid
        )
        pattern = powder_pattern(
            crystal_of(structure),
            specimen=make_specimen(size_nm),
            peaks=peaks,
            max_reflections=2048,
        )
        np.testing.assert_allclose(np.asarray(pattern), expected, rtol=0, atol=3e-4)
