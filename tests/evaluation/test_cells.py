"""Errors of unit cells, on answers whose errors are known."""

import numpy as np
import pytest
from coded_patterns import code, reading_run

from xrdjax.crystals.standard_cell import BRAVAIS_LATTICES
from xrdjax.errors import InputError
from xrdjax.evaluation.cells import cells_page, predict_cells, score_cells

GROUPS = np.array([14, 62, 225], np.int32)
# of halite, quartz-like and monoclinic axes in the order of their settings
TRUE = np.array(
    [
        [5.0, 6.0, 7.0, 90, 100, 90],
        [9.0, 4.0, 6.0, 90, 90, 90],
        [5.6, 5.6, 5.6, 90, 90, 90],
    ]
)
ROWS = [BRAVAIS_LATTICES.index(name) for name in ("mP", "oP", "cF")]


def scored(length=1.0, angle=0.0, answers=(0, 1, 2)):
    """Scores of answers that are off by a factor of all lengths, and degrees of beta."""
    standard = np.array([TRUE[0], [4.0, 6.0, 9.0, 90, 90, 90], TRUE[2]])
    standard[:, :3] *= length
    standard[0, 4] += angle
    cells = np.ones((3, len(BRAVAIS_LATTICES), 6), np.float32) * 50
    cells[range(3), ROWS] = standard
    true = np.concatenate([TRUE[:, :3], np.deg2rad(TRUE[:, 3:])], axis=1)
    probabilities = np.eye(3, dtype=np.float32)[list(answers)]
    return score_cells(
        probabilities, np.arange(3), GROUPS, cells, true.astype(np.float32)
    )


def test_exact_cells_have_no_error_however_their_axes_are_called():
    scores = scored()
    for name in ("lattice_given", "lattice_answered", "reduced"):
        assert scores[name]["length_mape"] < 1e-3, name
        assert scores[name]["within"]["hits"] == 3, name
    assert list(scores["by_bravais_lattice"]) == ["mP", "oP", "cF"]


def test_errors_are_counted_against_three_per_cent_and_one_degree():
    for factor, angle, hits in ((1.02, 0.5, 3), (1.04, 0.0, 0), (1.0, 1.5, 2)):
        scores = scored(factor, angle)
        for name in ("lattice_given", "lattice_answered"):
            found = scores[name]
            assert found["length_mape"] == pytest.approx(100 * (factor - 1), abs=1e-3)
            assert found["within"]["hits"] == hits
    page = "\n".join(cells_page(scores))
    assert "| conventional, true Bravais lattice given | 3 | 0.0 | 0.0 | 66.7" in page
    assert "19.8 %" in page


def test_a_wrong_bravais_lattice_is_a_miss_unless_the_lattice_is_given():
    scores = scored(answers=(0, 1, 0))
    assert scores["lattice_given"]["within"]["hits"] == 3
    assert scores["lattice_answered"]["within"]["hits"] == 2
    assert scores["lattice_answered"]["length_mape"] > 100


def test_a_network_without_cells_states_how_to_get_one():
    with pytest.raises(InputError, match="lattice_weight"):
        predict_cells(reading_run(), code([1]))
