"""Files, folders and zips of CIFs in, and CIFs out."""

import dataclasses
import zipfile
from pathlib import Path

import gemmi
import numpy as np
import pytest
import spglib
from gemmi import cif as gemmi_cif
from laws import for_each

from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.cif import read_crystals, read_text, write_cif
from xrdjax.crystals.crystal import Structure
from xrdjax.errors import InputError
from xrdjax.symmetry.operations import parse_operations
from xrdjax.symmetry.space_groups import SPACE_GROUPS

CELLS = {
    "triclinic": (6.1, 7.3, 8.9, 81.0, 97.0, 103.0),
    "monoclinic": (6.1, 7.3, 8.9, 90.0, 103.0, 90.0),
    "orthorhombic": (6.1, 7.3, 8.9, 90.0, 90.0, 90.0),
    "tetragonal": (7.1, 7.1, 8.9, 90.0, 90.0, 90.0),
    "rhombohedral": (7.1, 7.1, 11.9, 90.0, 90.0, 120.0),
    "hexagonal": (7.1, 7.1, 11.9, 90.0, 90.0, 120.0),
    "cubic": (14.3, 14.3, 14.3, 90.0, 90.0, 90.0),
}


def _general(number: int) -> Structure:
    """Two elements in general position: no more symmetry than the group's."""
    return structure_from_sites(
        f"group {number}",
        number,
        CELLS[SPACE_GROUPS[number - 1].lattice_system],
        ["Fe", "O"],
        [(0.337, 0.08, 0.293), (0.355, 0.454, 0.088)],
        occupancies=[1.0, 0.75],
        b_iso=[0.4, 0.0],
    )


HALITE = write_cif(
    structure_from_sites(
        "halite",
        225,
        (5.64, 5.64, 5.64, 90, 90, 90),
        ["Na", "Cl"],
        [(0, 0, 0), (0.5, 0.5, 0.5)],
    )
)
BROKEN = "data_broken\nloop_\n_atom_site_label\n_atom_site_fract_x\nNa1\n"
EMPTY = "data_empty\n_cell_length_a 5\n"


@for_each("number", range(1, 231))
def test_a_written_structure_is_read_back_as_it_was(number):
    structure = _general(number)
    reading = read_text(write_cif(structure), structure.name)
    assert not reading.failures
    for field in dataclasses.fields(Structure):
        before = getattr(structure, field.name)
        after = getattr(reading.structures[0], field.name)
        if isinstance(before, np.ndarray):
            np.testing.assert_allclose(after, before, atol=1e-8)
        else:
            assert after == before


@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")
@for_each("number", range(1, 231))
def test_gemmi_and_spglib_find_the_group_in_a_written_cif(number):
    block = gemmi_cif.read_string(write_cif(_general(number))).sole_block()
    small = gemmi.make_small_structure_from_block(block)
    assert small.spacegroup.number == number
    assert small.spacegroup.is_reference_setting()
    small.setup_cell_images()
    sites = small.get_all_unit_cell_sites()
    dataset = spglib.get_symmetry_dataset(
        (
            np.array(small.cell.orth.mat).T,
            [site.fract.tolist() for site in sites],
            [site.element.atomic_number for site in sites],
        ),
        symprec=1e-4,
    )
    assert dataset.number == number


def test_a_setting_without_a_name_is_written_by_its_operations():
    group = SPACE_GROUPS[61].hall  # P n m a, moved
    moved = gemmi.symops_from_hall(group)
    moved.change_basis_forward(gemmi.Op("x+1/8,y,z+1/12"))
    operations = parse_operations(tuple(op.triplet() for op in moved))
    structure = dataclasses.replace(
        _general(62),
        rotations=operations.rotations,
        translations=operations.translations,
        space_group=operations.space_group,
    )
    text = write_cif(structure)
    assert "H-M" not in text
    back = read_text(text, "moved.cif").structures[0]
    assert back.space_group == 62
    np.testing.assert_allclose(back.translations, structure.translations)


def test_a_translation_that_no_triplet_can_hold_is_an_error():
    structure = dataclasses.replace(_general(1), translations=np.full((1, 3), 0.01))
    with pytest.raises(InputError, match="multiples of 1/24"):
        write_cif(structure)


def _write(folder: Path) -> dict[str, str]:
    texts = {
        "a.cif": HALITE,
        "b/Second.CIF": HALITE.replace("data_halite", "data_b"),
        "b/c/broken.cif": BROKEN,
        "empty.cif": EMPTY,
        "two.cif": HALITE + HALITE.replace("data_halite", "data_other") + EMPTY,
        "half.cif": HALITE
        + HALITE.replace("data_halite", "data_bad").replace("Na", "Q"),
        "notes.txt": "no crystal",
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return texts


def _check_reading(reading) -> None:
    assert [structure.name for structure in reading.structures] == [
        "a.cif",
        "b/Second.CIF",
        "half.cif:halite",
        "two.cif:halite",
        "two.cif:other",
    ]
    assert [failure.name for failure in reading.failures] == [
        "b/c/broken.cif",
        "empty.cif",
        "half.cif:bad",
    ]
    broken, empty, bad = (failure.reason for failure in reading.failures)
    assert "not a readable CIF" in broken
    assert "no atoms" in empty
    assert "unknown element 'Q'" in bad


def test_a_folder_is_read_with_its_subfolders_and_failures_are_named(tmp_path):
    _write(tmp_path)
    _check_reading(read_crystals(tmp_path))
    _check_reading(read_crystals(str(tmp_path)))


def _zip(path: Path, texts: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
    return path


def test_a_zip_is_read_like_a_folder(tmp_path):
    texts = _write(tmp_path / "folder") | {"__MACOSX/._a.cif": "shadow"}
    _check_reading(read_crystals(_zip(tmp_path / "all.zip", texts)))


def test_a_single_file_is_read_block_by_block(tmp_path):
    _write(tmp_path)
    assert len(read_crystals(tmp_path / "two.cif").structures) == 2
    half = read_crystals(tmp_path / "half.cif")
    assert len(half.structures) == 1
    assert [failure.name for failure in half.failures] == ["half.cif:bad"]


def test_progress_is_shown_when_asked_for(tmp_path, capsys):
    _write(tmp_path)
    read_crystals(tmp_path)
    assert capsys.readouterr().err == ""
    read_crystals(tmp_path, progress=True)
    assert "6/6" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        HALITE.replace("data_halite", "data_halite\n_x 'Gr\u00fcn'").encode("latin-1"),
        HALITE.encode("utf-8-sig"),
        HALITE.replace("\n", "\r\n").encode(),
        HALITE.replace("data_halite", "data_halite\n_cell_volume 1").encode(),
    ],
    ids=["latin-1", "byte order mark", "line ends of Windows", "a tag twice"],
)
def test_old_and_careless_files_are_read_nevertheless(content):
    assert read_text(content, "old.cif").structures[0].formula == "ClNa"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.cif", None, "absent.cif does not exist; expected a CIF, a folder"),
        ("empty.cif", b"", "empty.cif holds no crystal: not a CIF"),
        ("noatoms.cif", EMPTY.encode(), "holds no crystal: no atoms"),
        ("broken.cif", BROKEN.encode(), "holds no crystal: not a readable CIF"),
        ("image.png", b"\x89PNG\r\n\x1a\n\x00\x00", "holds no crystal: not a readable"),
        ("false.zip", b"no zip at all", "cannot be read as a zip .*; expected a CIF"),
    ],
)
def test_a_path_without_crystals_is_an_error_that_says_why(
    tmp_path, name, content, message
):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_crystals(tmp_path / name)


def test_a_folder_or_zip_without_cifs_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"holds no file that ends in \.cif"):
        read_crystals(_zip(tmp_path / "none.zip", {"readme.txt": "nothing"}))
    (tmp_path / "none.zip").unlink()
    with pytest.raises(InputError, match=r"holds no file that ends in \.cif"):
        read_crystals(tmp_path)


def test_a_damaged_member_of_a_zip_is_named_and_the_others_are_read(tmp_path):
    path = _zip(tmp_path / "damaged.zip", {"a.cif": HALITE, "b.cif": HALITE})
    content = bytearray(path.read_bytes())
    content[content.find(b"_cell_length_a")] ^= 0xFF
    path.write_bytes(content)
    reading = read_crystals(path)
    assert [structure.name for structure in reading.structures] == ["b.cif"]
    assert reading.failures[0].name == "a.cif"
    assert "cannot be read" in reading.failures[0].reason
