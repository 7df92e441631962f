"""Analysed crystals come back from their file number for number, or not at all."""

import contextlib
import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from xrdjax.crystals import cif
from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.cif import Failure, Reading, write_cif
from xrdjax.crystals.textbook import gallery, gallery_structures
from xrdjax.errors import InputError
from xrdjax.known import analyses, collection
from xrdjax.known.analyses import AnalysedCrystals, analyse_reading
from xrdjax.known.collection import known_crystals
from xrdjax.known.file import load_analyses, save_analyses


def assert_same(found: AnalysedCrystals, expected: AnalysedCrystals) -> None:
    assert vars(found) | {"analyses": ()} == vars(expected) | {"analyses": ()}
    for one, other in zip(found.analyses, expected.analyses, strict=True):
        for name, value in vars(other).items():
            if name != "standard":
                assert getattr(one, name) == value
        for name, value in vars(other.standard).items():
            np.testing.assert_array_equal(getattr(one.standard, name), value)


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


class Pool(contextlib.nullcontext):
    """Stands in for a pool of processes: all that goes in or out is pickled."""

    def __init__(self, processes, context):
        super().__init__(self)
        assert processes == 2 and context.get_start_method() == "spawn"

    def map(self, function, chunks):
        for chunk in chunks:
            work = pickle.loads(pickle.dumps((function, chunk)))
            yield pickle.loads(pickle.dumps(work[0](work[1])))


def test_several_processes_find_the_same_as_one(tmp_path, monkeypatch):
    """Crystals and failures in the order of the files, which are in a zip."""
    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor", Pool)
    monkeypatch.setattr(cif, "_CHUNK", 2)
    monkeypatch.setattr(analyses, "_CHUNK", 2)
    names = ("quartz", "copper", "iron", "diamond", "tungsten")
    texts = {f"{name}.cif": write_cif(gallery(name)) for name in names}
    overlap = structure_from_sites(
        "overlap", 2, (5, 6, 7, 80, 85, 75), ["H"], [(0.005,) * 3], [0.5]
    )
    texts |= {"overlap.cif": write_cif(overlap), "broken.cif": "data_x\n_cell ?\n"}
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
    one, several = (
        known_crystals(tmp_path / "all.zip", 0.2, processes=n) for n in (1, 2)
    )
    assert several is one, "asked for twice, the crystals are the same"
    collection._read_and_analyse.cache_clear()
    several = known_crystals(tmp_path / "all.zip", 0.2, processes=2)
    assert_same(several, one)
    assert [a.standard.name for a in one.analyses] == sorted(
        f"{name}.cif" for name in names
    )
    assert [failure.name for failure in one.unreadable] == ["broken.cif"]
    assert [failure.name for failure in one.without_symmetry] == ["overlap.cif"]
    # kept once, not once a crystal
    iron, tungsten = several.analyses[2], several.analyses[4]
    assert iron.standard.rotations is tungsten.standard.rotations


@pytest.fixture
def readings(monkeypatch):
    """Grows by a path each time that CIFs are read."""
    readings = []
    read_crystals = collection.read_crystals

    def count(path, *args):
        readings.append(path)
        return read_crystals(path, *args)

    monkeypatch.setattr(collection, "read_crystals", count)
    return readings


def test_cifs_are_read_once_however_they_are_asked_for(tmp_path, monkeypatch, readings):
    (tmp_path / "quartz.cif").write_text(write_cif(gallery("quartz")))
    first = known_crystals(str(tmp_path), 0.01, processes=1)
    monkeypatch.chdir(tmp_path)
    assert known_crystals(".", 0.01, progress=True) is first
    assert readings == [str(tmp_path)]


@pytest.mark.parametrize("kind", ["file", "folder", "folder of folders"])
def test_cifs_that_changed_are_read_again(tmp_path, readings, kind):
    folder = tmp_path / "inside" if kind == "folder of folders" else tmp_path
    folder.mkdir(exist_ok=True)
    file = folder / "x.cif"
    file.write_text(write_cif(gallery("quartz")))
    path = file if kind == "file" else tmp_path
    assert known_crystals(path).analyses[0].space_group == 154
    file.write_text(write_cif(gallery("halite")))
    later = file.stat().st_mtime_ns + 10**9  # clocks of file systems may be coarse
    os.utime(file, ns=(later, later))
    assert known_crystals(path).analyses[0].space_group == 225
    assert readings == [path, path]


def test_cifs_are_analysed_again_with_another_tolerance(tmp_path, readings):
    (tmp_path / "quartz.cif").write_text(write_cif(gallery("quartz")))
    assert known_crystals(tmp_path, 0.01).symprec == 0.01
    assert known_crystals(tmp_path, 0.02).symprec == 0.02
    assert readings == [tmp_path, tmp_path]


def test_cifs_that_are_not_there_are_an_error_each_time(tmp_path):
    for _ in range(2):
        with pytest.raises(InputError, match=r"none\.zip does not exist"):
            known_crystals(tmp_path / "none.zip")


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
