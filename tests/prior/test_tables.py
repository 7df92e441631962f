"""The file of statistics: what goes in comes out, and nothing else does."""

import errno
import json

import numpy as np
import pytest

from xrdjax.errors import InputError
from xrdjax.prior import tables as module
from xrdjax.prior.file import BUNDLED, load_statistics, read_provenance, save_statistics
from xrdjax.prior.tables import Statistics, group_row, row_ranges
from xrdjax.symmetry.space_groups import LATTICE_SYSTEMS, SPACE_GROUPS
from xrdjax.symmetry.wyckoff import wyckoff_table

FIELDS = tuple(Statistics.__dataclass_fields__)
PROVENANCE = {"source": "made up", "citation": "Grazulis – Gražulis", "seed": 3}


@pytest.fixture(scope="module")
def statistics():
    """Random numbers in the layout of statistics, for three groups."""
    rng = np.random.default_rng(0)
    numbers = np.array([2, 167, 225], np.int32)
    counts = np.array([4, 3, 2])
    systems, group_ranges, system_ranges = row_ranges(numbers, counts)

    def shares(columns):
        weights = rng.random((3, columns)).astype(np.float32)
        return weights / weights.sum(axis=1, keepdims=True)

    def positive(*shape):
        return (0.5 + rng.random(shape)).astype(np.float32)

    wyckoff = (wyckoff_table().multiplicity[numbers] > 0).astype(np.float32)
    elements = shares(99) * (np.arange(99) > 0)
    return Statistics(
        space_groups=numbers,
        frequencies=(counts / 9).astype(np.float32),
        element_counts=shares(5),
        elements=(elements / elements.sum(axis=1, keepdims=True)).astype(np.float32),
        site_counts=shares(7),
        wyckoff=wyckoff / wyckoff.sum(axis=1, keepdims=True),
        group_ranges=group_ranges,
        atomic_volumes=positive(9),
        packing_factors=positive(9),
        volume_bandwidths=positive(3, 2),
        lattice_systems=systems.astype(np.int32),
        system_ranges=system_ranges,
        shapes=positive(9, 6),
        shape_bandwidths=positive(7, 6),
    )


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
    monkeypatch.setattr(module.np, "savez_compressed", full)
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
        (_replace("wyckoff", lambda a: a[:, ::-1]), "wyckoff .* does not exist"),
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


def test_ranges_of_groups_and_of_systems_cover_the_crystals_once():
    rng = np.random.default_rng(0)
    for _ in range(20):
        numbers = np.sort(rng.permutation(np.arange(1, 231))[:40])
        counts = rng.integers(1, 9, 40)
        systems, group_ranges, system_ranges = row_ranges(numbers, counts)
        owners = np.full(counts.sum(), -1)
        for k, (first, last) in enumerate(group_ranges):
            assert np.all(owners[first:last] == -1)
            owners[first:last] = k
        assert np.all(owners >= 0)
        np.testing.assert_array_equal(np.bincount(owners), counts)
        for system, (first, last) in enumerate(system_ranges):
            assert np.all(systems[owners[first:last]] == system)
            assert last - first == counts[systems == system].sum()


def test_every_group_with_statistics_has_a_row_and_no_other():
    statistics = load_statistics()
    numbers = statistics.space_groups.tolist()
    for group in SPACE_GROUPS:
        if group.number in numbers:
            assert numbers[group_row(statistics, group.number)] == group.number
        else:
            with pytest.raises(InputError, match=f"space group {group.number} "):
                group_row(statistics, group.number)


def test_a_group_without_statistics_is_refused_with_its_neighbours(statistics):
    with pytest.raises(InputError, match=r"224 \(P n -3 m\).*nearest are 2, 167, 225"):
        group_row(statistics, 224)


@pytest.mark.parametrize("number", [0, 231, -1])
def test_a_number_without_a_group_is_an_error(statistics, number):
    with pytest.raises(InputError, match="1 to 230"):
        group_row(statistics, number)


def test_the_bundled_statistics_are_small_and_say_where_they_come_from():
    assert BUNDLED.stat().st_size < 2_000_000
    provenance = read_provenance()
    assert "Materials Project" in provenance["source"]
    assert "APL Materials 1, 011002 (2013)" in provenance["citation"]
    assert provenance["license"] == "CC-BY 4.0"
    assert provenance["held_out"] == 0.2
    assert provenance["seed"] == 0
    # names of files, not paths of a machine
    assert "/" not in provenance["command"]
    assert json.loads(json.dumps(provenance)) == provenance


def test_the_counts_of_the_bundled_statistics_are_consistent():
    statistics, provenance = load_statistics(), read_provenance()
    counts = provenance["counts"]
    crystals = np.diff(statistics.group_ranges)[:, 0]
    assert crystals.min() >= provenance["min_crystals"]
    assert crystals.sum() == len(statistics.shapes) == counts["crystals kept"]
    assert len(crystals) == counts["groups kept"]
    np.testing.assert_allclose(
        statistics.frequencies, crystals / crystals.sum(), rtol=1e-6
    )
    for name in ("crystals", "types"):
        parts = counts["statistics"][name] + counts["held out"][name]
        assert parts == counts["all"][name]
    left_out = sum(counts["left out"].values())
    assert counts["crystals kept"] + left_out == counts["statistics"]["crystals"]
    # a fifth of the types, within four standard deviations of a binomial
    types = counts["all"]["types"]
    assert abs(counts["held out"]["types"] / types - 0.2) < 4 * (0.16 / types) ** 0.5


def test_the_bundled_shapes_are_those_of_their_lattice_systems():
    statistics = load_statistics()
    right, wide = np.pi / 2, 2 * np.pi / 3
    angles = {"rhombohedral": (right, right, wide), "hexagonal": (right, right, wide)}
    for name, (first, last) in zip(
        LATTICE_SYSTEMS, statistics.system_ranges, strict=True
    ):
        a, b, c, *rest = statistics.shapes[first:last].T
        if name not in ("triclinic", "monoclinic"):
            expected = np.tile(np.array([angles.get(name, (right,) * 3)]).T, len(a))
            np.testing.assert_allclose(rest, expected, atol=1e-6)
        if name in ("tetragonal", "rhombohedral", "hexagonal", "cubic"):
            np.testing.assert_allclose(a, b, rtol=1e-6)
        cosines = np.cos(np.array(rest, float))
        v = np.sqrt(1 - np.sum(cosines**2, axis=0) + 2 * np.prod(cosines, axis=0))
        np.testing.assert_allclose(a * b * c * v, 1, rtol=1e-5)
