"""Scores of answers to measured patterns, and the command that prints them."""

import numpy as np
import pytest

from experiments.measured_patterns.patterns import read_patterns
from experiments.measured_patterns.scores import scores
from xrdjax.errors import InputError

GROUPS = np.array([2, 14, 62, 225])


def test_scores_count_all_patterns_and_each_mineral_once():
    probabilities = np.array(
        [
            [0.1, 0.7, 0.1, 0.1],  # 14, right
            [0.1, 0.7, 0.1, 0.1],  # the same mineral, right
            [0.0, 0.1, 0.9, 0.0],  # 62, wrong: 225
            [0.3, 0.2, 0.3, 0.2],  # not among the groups
        ]
    )
    truth = np.array([14, 14, 225, 136])
    counted = scores(probabilities, GROUPS, truth, np.array([0, 0, 1, 2]))
    assert (counted["patterns"], counted["in_its_groups"]) == (4, 3)
    assert counted["top1"] == 0.5
    assert counted["top1_by_mineral"] == pytest.approx(1 / 3)
    assert counted["top5"] == 0.75
    assert counted["crystal_system"] == 0.5
    assert counted["top1_at_50%"] == 0.5  # the surest two: 62, wrong, and 14
    expected = -np.log([0.7, 0.7, 1e-12]).mean()
    assert counted["minus_log_p"] == pytest.approx(expected)


def test_a_file_is_read_with_its_angles_or_even_ones(tmp_path):
    path = tmp_path / "patterns.npz"
    patterns = {"intensity": np.ones((2, 86)), "space_group": np.array([14, 225])}
    np.savez(path, **patterns, phase=np.array(["b", "a"]))
    read = read_patterns(path)
    np.testing.assert_allclose(read.two_theta, np.arange(5, 91))
    assert read.minerals.tolist() == [1, 0]
    np.savez(path, intensity=np.ones((2, 86)))
    with pytest.raises(InputError, match="lacks the arrays space_group"):
        read_patterns(path)
