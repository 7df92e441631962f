"""Collections are read and analysed once, by however many processes."""

import contextlib
import os
import pickle
import zipfile

import pytest
from analyses import assert_same

from xrdjax.crystals import cif
from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.cif import write_cif
from xrdjax.crystals.textbook import gallery
from xrdjax.errors import InputError
from xrdjax.known import analyses, collection
from xrdjax.known.collection import known_crystals


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
