"""The file of statistics: what was written is read, and nothing else is."""

import errno

import numpy as np
import pytest

from xrdjax import files
from xrdjax.errors import InputError
from xrdjax.prior.file import load_statistics, read_provenance, save_statistics
from xrdjax.prior.tables import Statistics

FIELDS = tuple(Statistics.__dataclass_fields__)


PROVENANCE = {"source": "made up", "citation": "Grazulis – Gražulis", "seed": 3}


@pytest.fixture
def path(tmp_path, statistics):
    path = tmp_path / "some.npz"
    save_statistics(path, statistics, PROVENANCE)
    return path


def test_what_was_saved_is_loaded(path, statistics):
    loaded = load_statistics(path)
    for name in FIELDS:
        expected, array = getattr(statistics, name), getattr(loaded, name)
        np.testing.assert_array_equal(array, expected, name)
        assert array.dtype == expected.dtype, name
    assert read_provenance(path) == PROVENANCE


def test_the_same_statistics_are_the_same_bytes(path, statistics, tmp_path):
    save_statistics(tmp_path / "again.npz", load_statistics(path), PROVENANCE)
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_a_file_that_exists_is_kept(path, statistics):
    before = path.read_bytes()
    with pytest.raises(InputError, match="exists already"):
        save_statistics(path, statistics, {})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_replaced_when_asked(path, statistics):
    save_statistics(path, statistics, {"seed": 4}, overwrite=True)
    assert read_provenance(path) == {"seed": 4}
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_write_that_fails_leaves_things_as_they_were(
    path, statistics, monkeypatch, overwrite
):
    def full(file, **arrays):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    before = path.read_bytes()
    target = path if overwrite else path.with_name("new.npz")
    monkeypatch.setattr(files.np, "savez_compressed", full)
    with pytest.raises(InputError, match="No space left on device"):
        save_statistics(target, statistics, {}, overwrite=overwrite)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_does_not_exist_is_named(tmp_path, statistics):
    with pytest.raises(InputError, match="cannot write .*nowhere.*folder that exists"):
        save_statistics(tmp_path / "nowhere" / "some.npz", statistics, {})


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_an_error(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match="damaged or no statistics file"):
        load_statistics(path)


def test_an_altered_byte_is_an_error_or_without_effect(path, statistics):
    content = path.read_bytes()
    refused = 0
    for place in range(0, len(content), 23):
        altered = bytearray(content)
        altered[place] ^= 0xFF
        path.write_bytes(altered)
        try:
            loaded = load_statistics(path)
        except InputError:
            refused += 1
            continue
        for name in FIELDS:  # a date of the zip, for instance
            expected = getattr(statistics, name)
            np.testing.assert_array_equal(getattr(loaded, name), expected, name)
    assert refused > 100


def test_foreign_files_are_errors(tmp_path):
    text = tmp_path / "text.npz"
    text.write_text("data_halite\n")
    array = tmp_path / "array.npy"
    np.save(array, np.zeros(3))
    objects = tmp_path / "objects.npz"
    np.savez(objects, space_groups=np.array([{}], dtype=object))
    for path in (text, array, objects):
        with pytest.raises(InputError, match="damaged or no statistics file"):
            load_statistics(path)
    other = tmp_path / "other.npz"
    np.savez(other, intensity=np.zeros(3))
    with pytest.raises(InputError, match="holds no statistics .*space_groups"):
        load_statistics(other)
    with pytest.raises(InputError, match="no statistics file .*xrdjax.statistics"):
        load_statistics(tmp_path / "missing.npz")
    with pytest.raises(InputError, match="cannot read"):
        load_statistics(tmp_path)


def _set(name, index, value):
    def damage(arrays):
        arrays[name][index] = value

    return damage


def _replace(name, change):
    def damage(arrays):
        arrays[name] = change(arrays[name])

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_replace("space_groups", lambda a: a[::-1]), "space_groups does not ascend"),
        (_set("space_groups", 2, 231), "space_groups does not ascend"),
        (
            _replace("space_groups", lambda a: a.astype(float)),
            "space_groups is float64",
        ),
        (_replace("space_groups", lambda a: a[:0]), "space_groups is int32 of shape"),
        (_replace("frequencies", lambda a: a[:2]), "frequencies has the shape"),
        (_replace("frequencies", lambda a: a[:, None]), "frequencies is float32 of"),
        (_set("frequencies", 0, 0.9), "frequencies .* do not add up to 1"),
        (_set("element_counts", (1, 2), np.nan), "element_counts .* not finite"),
        (_set("site_counts", (1, 2), -0.1), "site_counts has negative"),
        (_replace("elements", lambda a: a[:, :90]), "elements has the shape"),
        (_replace("elements", lambda a: np.roll(a, 1, 1)), "elements .* not exist"),
        (_replace("wyckoff", lambda a: a[:, ::-1]), "wyckoff .* do not exist"),
        (_set("group_rows", (2, 1), 7), "group_ranges does not cover"),
        (_replace("group_rows", lambda a: a[::-1]), "group_ranges does not match"),
        (_set("lattice_systems", 0, 3), "lattice_systems does not match"),
        (_set("system_rows", (0, 1), 3), "system_ranges does not match"),
        (_set("atomic_volumes", 0, 0), "atomic_volumes .* not positive"),
        (_set("packing_factors", 0, -1), "packing_factors .* not positive"),
        (_set("volume_bandwidths", (0, 0), 0), "volume_bandwidths .* not positive"),
        (_set("shapes", (0, 4), 90), "shapes has angles that are not in radians"),
        (_set("shape_bandwidths", (0, 0), np.inf), "shape_bandwidths .* not finite"),
    ],
)
def test_statistics_unfit_for_sampling_are_refused(path, damage, message):
    with np.load(path) as file:
        arrays = dict(file)
    damage(arrays)
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=message):
        load_statistics(path)


def test_provenance_must_be_a_mapping(path):
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {"provenance": np.array("[1]")})
    with pytest.raises(InputError, match="provenance is not a mapping"):
        load_statistics(path)
