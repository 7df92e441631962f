"""Lines are listed by angle, under the indices that are usually printed."""

import csv
import io

import numpy as np
from laws import in_every_group

from xrdjax.diffraction.line_table import lines_table, to_csv, usual_indices
from xrdjax.diffraction.powder import Lines
from xrdjax.symmetry.search import reference_operations

MILLER = np.random.default_rng(0).integers(-9, 10, (40, 3))


@in_every_group
def test_all_reflections_of_a_family_get_the_same_indices_of_the_family(group):
    rotations, _ = reference_operations(group.number)
    rotations = rotations.astype(int)
    usual = usual_indices(MILLER, rotations)
    family = np.concatenate([MILLER @ rotations, -MILLER @ rotations])  # [2 G, n, 3]
    assert (family == usual).all(axis=2).any(axis=0).all()
    negatives = (family < 0).sum(axis=2)
    np.testing.assert_array_equal((usual < 0).sum(axis=1), negatives.min(axis=0))
    for image in family[:: max(1, len(family) // 5)]:
        np.testing.assert_array_equal(usual_indices(image, rotations), usual)


def test_indices_of_quartz_are_those_of_the_literature():
    rotations, _ = reference_operations(154)
    given = np.array([[2, -1, 0], [1, 0, -1], [1, 0, 1], [3, -1, -1], [0, 0, -3]])
    usual = usual_indices(given, rotations.astype(int))
    expected = [[1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 2, 1], [0, 0, 3]]
    np.testing.assert_array_equal(usual, expected)


def make_lines(**changes):
    """Two lines, the one at the higher angle first, and padding."""
    fields = {
        "miller": np.array([[2, 0, 0], [1, 1, 1], [0, 0, 0]], np.int32),
        "multiplicity": np.array([6, 8, 0], np.float32),
        "s": np.array([0.5, 0.4, 0], np.float32),
        "two_theta_deg": np.array([45, 36, 0], np.float32),
        "magnitude": np.array([80.0, 20.5, 0], np.float32),
        "strength": np.array([3, 2, 0], np.float32),
        "intensity": np.array([50, 200, 0], np.float32),
        "overflow": np.array(0, np.int32),
    }
    return Lines(**fields | changes)


def test_rows_are_by_angle_with_the_strongest_at_100():
    rows = lines_table(make_lines(), np.eye(3, dtype=int)[None])
    assert [row["two_theta_deg"] for row in rows] == [36, 45]
    assert [row["intensity"] for row in rows] == [100, 25]
    assert [row["h"] for row in rows] == [1, 2]
    np.testing.assert_allclose([row["d"] for row in rows], [2.5, 2], rtol=1e-6)
    assert [row["|F|"] for row in rows] == [20.5, 80]


def test_lines_without_intensity_stay_at_zero():
    lines = make_lines(intensity=np.zeros(3, np.float32))
    rows = lines_table(lines, np.eye(3, dtype=int)[None])
    assert [row["intensity"] for row in rows] == [0, 0]


def test_the_csv_is_read_again():
    rows = lines_table(make_lines(), np.eye(3, dtype=int)[None])
    first, _ = csv.DictReader(io.StringIO(to_csv(rows)))
    assert first == {
        "h": "1",
        "k": "1",
        "l": "1",
        "multiplicity": "8",
        "d": "2.50000",
        "two_theta_deg": "36.0000",
        "|F|": "20.5000",
        "intensity": "100.0000",
    }
