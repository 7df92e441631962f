"""Lines are listed by angle."""

import csv
import io

import numpy as np

from xrdjax.diffraction.line_table import lines_table, to_csv
from xrdjax.diffraction.powder import Lines


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
    rows = lines_table(make_lines())
    assert [row["two_theta_deg"] for row in rows] == [36, 45]
    assert [row["intensity"] for row in rows] == [100, 25]
    assert [row["h"] for row in rows] == [1, 2]
    np.testing.assert_allclose([row["d"] for row in rows], [2.5, 2], rtol=1e-6)
    assert [row["|F|"] for row in rows] == [20.5, 80]


def test_lines_without_intensity_stay_at_zero():
    lines = make_lines(intensity=np.zeros(3, np.float32))
    rows = lines_table(lines)
    assert [row["intensity"] for row in rows] == [0, 0]


def test_the_csv_is_read_again():
    rows = lines_table(make_lines())
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
