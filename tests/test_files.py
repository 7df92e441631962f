"""Files are written whole; an error names the file that cannot be written or read."""

import os
import resource
import signal
import stat

import numpy as np
import pytest

from xrdjax.errors import InputError
from xrdjax.files import (
    read_npz,
    require_writable,
    write_bytes,
    write_npz,
    write_text,
    write_whole,
)


def _mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_what_was_written_is_read_again(tmp_path):
    write_text(tmp_path / "text", "\N{ANGSTROM SIGN} one\r\ntwo\n")
    assert (tmp_path / "text").read_bytes().decode() == "\N{ANGSTROM SIGN} one\r\ntwo\n"
    write_bytes(str(tmp_path / "bytes"), b"\x00\xff")
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"
    arrays = {"a": np.arange(3), "b": np.array("words")}
    write_npz(tmp_path / "arrays", arrays)  # without the ending that numpy would add
    assert sorted(os.listdir(tmp_path)) == ["arrays", "bytes", "text"]
    again = read_npz(tmp_path / "arrays", ("a", "b"), "table", "")
    assert again.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)


def test_a_file_is_replaced_only_if_asked_for(tmp_path):
    path = tmp_path / "file"
    write_text(path, "old", overwrite=False)
    with pytest.raises(InputError, match="exists already: give another file name"):
        write_text(path, "new", overwrite=False)
    assert path.read_text() == "old"
    write_text(path, "new")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["file"]


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path, monkeypatch):
    path = tmp_path / "file"
    require_writable(path, overwrite=False)
    with pytest.raises(InputError, match="folder '.*none' does not exist"):
        require_writable(tmp_path / "none" / "file", overwrite=True)
    with pytest.raises(InputError, match="it is a folder"):
        require_writable(tmp_path, overwrite=True)
    path.touch()
    require_writable(path, overwrite=True)
    with pytest.raises(InputError, match="exists already: .* or --overwrite"):
        require_writable(path, overwrite=False)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="may not write to the folder"):
        require_writable(path, overwrite=True)
    assert os.listdir(tmp_path) == ["file"]


def test_a_failure_while_writing_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "file"
    write_text(path, "old")

    def fail(file):
        file.write(b"half")
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError):
        write_whole(path, fail, overwrite=True)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_reader_never_sees_half_a_file(tmp_path):
    path = tmp_path / "file"

    def write(file):
        file.write(b"half")
        file.flush()
        assert not path.exists()
        file.write(b" and half")

    write_whole(path, write, overwrite=False)
    assert path.read_text() == "half and half"


@pytest.mark.parametrize("umask", (0o022, 0o077))
def test_permissions_are_those_of_any_new_file(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "ours", "")
        (tmp_path / "any").write_text("")
    finally:
        os.umask(before)
    assert _mode(tmp_path / "ours") == _mode(tmp_path / "any") == 0o666 & ~umask


def test_a_folder_that_is_absent_or_a_file_is_named(tmp_path):
    write_text(tmp_path / "file", "")
    for folder in ("absent", "file"):
        path = tmp_path / folder / "table.npz"
        with pytest.raises(InputError, match="cannot write .*folder that exists") as e:
            write_npz(path, {}, overwrite=False)
        assert str(path) in str(e.value)


def test_a_full_disk_is_named(tmp_path):
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(InputError, match="make room on the disk"):
            write_bytes(tmp_path / "large", bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("damage", ("absent", "folder", "text", "cut", "other"))
def test_what_cannot_be_read_is_named_with_the_hint(tmp_path, damage):
    path = tmp_path / "table.npz"
    write_npz(path, {"a": np.random.default_rng(0).random(1000)})
    match damage:
        case "absent":
            path.unlink()
        case "folder":
            path.unlink()
            path.mkdir()
        case "text":
            path.write_text("data_halite\n")
        case "cut":
            path.write_bytes(path.read_bytes()[:-100])
        case "other":
            write_npz(path, {"b": np.zeros(1)})
    with pytest.raises(InputError, match="table.npz.*: expected another") as caught:
        read_npz(path, ("a",), "table", "expected another")
    assert "\n" not in str(caught.value)
