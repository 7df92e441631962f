"""Analysed crystals come back from their file number for number, or not at all."""

import json

import numpy as np
import pytest
from analyses import assert_same

from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.cif import Failure, Note, Reading, write_cif
from xrdjax.crystals.textbook import gallery, gallery_structures
from xrdjax.errors import InputError
from xrdjax.known.analyses import AnalysedCrystals, analyse_reading
from xrdjax.known.collection import known_crystals
from xrdjax.known.file import load_analyses, save_analyses


@pytest.fixture(scope="module")
def known():
    reading = Reading(
        tuple(gallery_structures().values()), (Failure("broken é.cif", "no atoms"),)
    )
    known = analyse_reading(reading, 0.02)
    assert len(known.analyses) > 100 and not known.without_symmetry
    failed = (Failure("overlap", "spglib finds no space group"),)
    return AnalysedCrystals(known.analyses, known.unreadable, failed, known.symprec)


@pytest.fixture
def path(known, tmp_path):
    save_analyses(tmp_path / "known.npz", known)
    return tmp_path / "known.npz"


def test_what_was_saved_is_loaded_number_for_number(path, known):
    assert_same(load_analyses(path), known)
    assert_same(known_crystals(str(path), 0.02), known)


def test_no_crystals_are_kept_too(tmp_path):
    nothing = AnalysedCrystals((), (), (), 0.01)
    save_analyses(tmp_path / "none.npz", nothing)
    assert load_analyses(tmp_path / "none.npz") == nothing


def test_cifs_and_the_file_of_their_analyses_are_the_same_crystals(tmp_path):
    for name in ("quartz", "halite"):
        (tmp_path / f"{name}.cif").write_text(write_cif(gallery(name)))
    (tmp_path / "broken.cif").write_text("data_x\n_cell_length_a ?\n")
    read = known_crystals(tmp_path)
    assert [a.space_group for a in read.analyses] == [225, 154]
    assert [failure.name for failure in read.unreadable] == ["broken.cif"]
    save_analyses(tmp_path / "known.npz", read)
    assert_same(known_crystals(tmp_path / "known.npz"), read)


def test_analyses_of_another_tolerance_are_refused(path):
    with pytest.raises(
        InputError, match="symprec of 0.02 angstrom, but 0.01 is asked for"
    ):
        known_crystals(path, 0.01)


def test_a_file_that_exists_is_replaced_only_when_asked(path, known):
    before = path.read_bytes()
    with pytest.raises(InputError, match="exists already"):
        save_analyses(path, known)
    assert path.read_bytes() == before
    save_analyses(path, AnalysedCrystals((), (), (), 0.01), overwrite=True)
    assert load_analyses(path).analyses == ()


def test_another_ending_is_refused_as_it_would_not_be_recognised(tmp_path, known):
    with pytest.raises(InputError, match="ends in .npz"):
        save_analyses(tmp_path / "known.zip", known)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_an_error(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match="damaged or no analyses file"):
        load_analyses(path)


def test_a_file_of_something_else_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no analyses file .*xrdjax.statistics"):
        load_analyses(tmp_path / "missing.npz")
    np.savez(tmp_path / "other.npz", numbers=np.arange(3))
    with pytest.raises(InputError, match="holds no analyses"):
        load_analyses(tmp_path / "other.npz")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("space_groups", lambda x: x + 230, "space_groups has values outside 1 to 230"),
        ("letters", lambda x: x - 50, "letters has values outside 0 to 26"),
        ("positions", lambda x: x * np.nan, "positions has values that are not finite"),
        ("positions", lambda x: x[:-1], "positions is float64 of shape"),
        ("rows", lambda x: x + 1, "positions is float64 of shape"),
        ("elements", lambda x: x.astype(float), "elements is float64 of shape"),
        ("words", lambda x: np.array("{"), "damaged or no analyses file"),
        ("words", lambda x: np.array("[]"), "damaged or no analyses file"),
    ],
)
def test_altered_contents_are_an_error(path, name, change, message):
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **(arrays | {name: change(arrays[name])}))
    with pytest.raises(InputError, match=message):
        load_analyses(path)


def test_a_type_that_is_missing_is_an_error(path):
    with np.load(path) as file:
        arrays = dict(file)
    words = json.loads(str(arrays["words"]))
    words["type_keys"].pop()
    np.savez(path, **(arrays | {"words": np.array(json.dumps(words))}))
    with pytest.raises(InputError, match="not as many type_keys as names"):
        load_analyses(path)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("space_groups", lambda a: np.ones_like(a), "structure type of another"),
        ("lattices", np.zeros_like, "no volume"),
        ("lattices", lambda a: a * [1, 1.1, 1.2], "the symmetry of space group"),
        ("occupancies", lambda a: a - 5, "occupancies has values outside"),
        ("b_iso", lambda a: a - 1, "b_iso has values outside"),
        ("multiplicities", lambda a: a + 1, "Wyckoff letters"),
        ("positions", lambda a: a + 1e6, "positions has values outside"),
    ],
)
def test_numbers_that_belong_to_no_such_crystal_are_refused(
    path, name, change, message
):
    with np.load(path) as file:
        arrays = dict(file)
    arrays[name] = change(arrays[name]).astype(arrays[name].dtype)
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=message):
        load_analyses(path)


def test_notes_are_kept_and_a_crystal_too_large_to_analyse_is_named(tmp_path):
    grid = np.stack(np.meshgrid(*[np.arange(17)] * 3), -1).reshape(-1, 3) / 17
    large = structure_from_sites(
        "large", 1, (40, 40, 40, 90, 90, 90), ["C"] * len(grid), grid
    )
    notes = (Note("halite", "read as F m -3 m"),)
    known = analyse_reading(Reading((gallery("halite"), large), (), notes))
    assert [analysis.space_group for analysis in known.analyses] == [225]
    (failure,) = known.without_symmetry
    assert failure.name == "large" and "4913 atoms" in failure.reason
    save_analyses(tmp_path / "known.npz", known)
    assert load_analyses(tmp_path / "known.npz").notes == notes
