"""A bad file of a folder or zip costs only itself."""

import gzip
import os
import warnings
import zipfile
from pathlib import Path

import pytest

from xrdjax.crystals import archives
from xrdjax.crystals.cif import Reading, read_crystals
from xrdjax.errors import InputError

GOOD = """data_galena
_cell_length_a 5.936
_cell_length_b 5.936
_cell_length_c 5.936
_symmetry_space_group_name_H-M 'F m -3 m'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Pb 0 0 0
S 0.5 0.5 0.5
"""
ENTRY = b"PK\x01\x02"


def _zip(path: Path, method: int = zipfile.ZIP_DEFLATED) -> bytearray:
    """A zip of three, of which the tests spoil b.cif."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("b.cif", "a.cif", "c.cif"):
            archive.writestr(name, GOOD, method)
    return bytearray(path.read_bytes())


def _check(reading: Reading, reason: str) -> None:
    assert [structure.name for structure in reading.structures] == ["a.cif", "c.cif"]
    (failure,) = reading.failures
    assert reason in failure.reason


def test_magnetic_and_gzipped_files_are_read_everywhere(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.mcif").write_text(GOOD)
    (folder / "b.cif.gz").write_bytes(gzip.compress(GOOD.encode()))
    (folder / "c.MCIF.gz").write_bytes(gzip.compress(GOOD.encode()))
    (folder / "d.cif.gz").write_bytes(gzip.compress(GOOD.encode())[:-9])
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    for path in (folder, tmp_path / "all.zip"):
        reading = read_crystals(path)
        assert [s.formula for s in reading.structures] == ["PbS"] * 3
        assert [failure.name for failure in reading.failures] == ["d.cif.gz"]
    assert len(read_crystals(folder / "b.cif.gz").structures) == 1
    with pytest.raises(InputError, match="cannot be unpacked"):
        read_crystals(folder / "d.cif.gz")


METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]


@pytest.mark.parametrize("method", [*METHODS, zipfile.ZIP_LZMA])
def test_a_damaged_member_is_named_and_the_rest_is_read(tmp_path, method):
    data = _zip(tmp_path / "x.zip", method)
    start = data.find(b"b.cif") + 5
    data[start : start + 60] = bytes(60)
    (tmp_path / "x.zip").write_bytes(data)
    _check(read_crystals(tmp_path / "x.zip"), "cannot be read")


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (8, b"\x01\x00", "encrypted"),
        (10, b"\x61\x00", "not supported"),
        (20, b"\x09\x00\x00\x00", "cannot be read"),
        (24, b"\xff\xff\xff\x7f", "unpacks to 2147483647 bytes"),
    ],
)
def test_an_odd_entry_is_named_and_the_rest_is_read(tmp_path, offset, value, reason):
    data = _zip(tmp_path / "x.zip")
    start = data.find(ENTRY) + offset
    data[start : start + len(value)] = value
    (tmp_path / "x.zip").write_bytes(data)
    _check(read_crystals(tmp_path / "x.zip"), reason)


def test_an_entry_of_a_future_version_or_with_a_name_that_is_no_text(tmp_path):
    data = _zip(tmp_path / "x.zip")
    start = data.find(ENTRY)
    data[start + 6] = 99
    (tmp_path / "x.zip").write_bytes(data)
    assert len(read_crystals(tmp_path / "x.zip").structures) == 3
    data[start + 9] |= 8  # the name claims to be UTF-8
    data[start + 46] = 0xFF
    (tmp_path / "x.zip").write_bytes(data)
    assert len(read_crystals(tmp_path / "x.zip").structures) == 2


def test_what_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST", 2000)
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.cif", GOOD)
        archive.writestr("b.cif", " " * 10**6)
        archive.writestr("c.cif", GOOD)
    _check(read_crystals(tmp_path / "x.zip"), "unpacks to 1000000 bytes")
    (tmp_path / "y").mkdir()
    for name in ("a.cif", "c.cif"):
        (tmp_path / "y" / name).write_text(GOOD)
    (tmp_path / "y" / "b.cif.gz").write_bytes(gzip.compress(b" " * 10**6))
    _check(read_crystals(tmp_path / "y"), "it holds more than")


def test_odd_file_names_are_read_and_shown_on_one_line(tmp_path):
    names = ["../a.cif", "C:\\b.cif", "line\nend.cif", "same.cif", "same.cif"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            for name in names:
                archive.writestr(name, GOOD)
    found = [
        structure.name for structure in read_crystals(tmp_path / "x.zip").structures
    ]
    assert sorted(found) == sorted([*names[:2], "line\\nend.cif", *names[3:]])
    (tmp_path / "folder").mkdir()
    path = os.fsencode(tmp_path / "folder") + b"/\xff.cif"
    Path(os.fsdecode(path)).write_text(GOOD)
    (structure,) = read_crystals(tmp_path / "folder").structures
    assert structure.name.encode() == b"\\udcff.cif"


def test_a_path_that_is_no_file_or_folder_is_an_error(tmp_path):
    os.mkfifo(tmp_path / "pipe.cif")
    for path, message in (
        ("", "is empty"),
        ("x" * 5000, "File name too long"),
        (tmp_path / "pipe.cif", "neither a file nor a folder"),
    ):
        with pytest.raises(InputError, match=message):
            read_crystals(path)
