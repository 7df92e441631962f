"""Analysis of errors: worked cases, and sums."""

import numpy as np
import pytest

from xrdjax.evaluation.errors import (
    explain_errors,
    ideal_answers,
    positions_ceiling,
    summed_accuracies,
)

# P -1, P n a 21 and P n m a, P 4 and P 4/m m m, I m -3 m
GROUPS = np.array([2, 33, 62, 75, 123, 229])
FREQUENCIES = np.array([0.2, 0.1, 0.3, 0.05, 0.15, 0.2])
SHARES = (
    "right_bravais_lattice",
    "right_extinction_symbol",
    "right_laue_class",
    "right_extinction_symbol_and_laue_class",
)


def certain(*answers):
    """Probabilities of a network that is sure of these rows."""
    return np.eye(len(GROUPS))[list(answers)]


def hits(entry):
    return [entry[key]["hits"] for key in SHARES]


def test_what_a_wrong_answer_has_in_common_with_the_truth_is_counted():
    labels = np.array([2, 2, 3, 3, 0, 5])
    about = explain_errors(certain(2, 1, 4, 5, 1, 5), labels, GROUPS)["all"]
    # P n a 21 for P n m a has both; P 4/m m m for P 4 only the extinction symbol
    assert (about["errors"]["hits"], about["errors"]["count"]) == (4, 6)
    assert hits(about) == [2, 2, 1, 1]
    assert about["right_laue_class"]["count"] == 4


def test_crystal_systems_and_quartiles_of_lines_add_up_to_all():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 6, 200)
    lines = rng.integers(5, 400, 200)
    about = explain_errors(rng.dirichlet(np.ones(6), 200), labels, GROUPS, lines)
    for parts in (
        list(about["by_crystal_system"].values()),
        about["by_number_of_lines"],
    ):
        for key in ("errors", *SHARES):
            for number in ("hits", "count"):
                total = sum(part[key][number] for part in parts)
                assert total == about["all"][key][number]
    quartiles = about["by_number_of_lines"]
    assert [q["errors"]["count"] for q in quartiles] == pytest.approx([50] * 4, abs=3)
    ends = [end for q in quartiles for end in q["lines"]]
    assert ends == sorted(ends) and (ends[0], ends[-1]) == (lines.min(), lines.max())


def test_equal_numbers_of_lines_stay_together():
    about = explain_errors(
        certain(0, 1, 2), np.array([0, 1, 2]), GROUPS, np.array([7, 7, 7])
    )
    assert [q["lines"] for q in about["by_number_of_lines"]] == [[7, 7]]


def test_without_errors_their_shares_are_none_and_lines_need_not_be_known():
    about = explain_errors(certain(0, 1), np.array([0, 1]), GROUPS)
    assert all(about["all"][key] is None for key in SHARES)
    assert "by_number_of_lines" not in about


def test_an_ideal_reader_answers_the_most_frequent_of_the_groups_that_agree():
    labels = np.arange(6)
    answers = ideal_answers(labels, GROUPS, FREQUENCIES)
    np.testing.assert_array_equal(GROUPS[answers], [2, 62, 62, 123, 123, 229])
    # the Laue class distinguishes 4/m from 4/mmm, but not mm2 from mmm
    answers = ideal_answers(
        labels, GROUPS, FREQUENCIES, ("extinction_symbol", "laue_class")
    )
    np.testing.assert_array_equal(GROUPS[answers], [2, 62, 62, 75, 123, 229])


def test_the_ceiling_is_that_readers_accuracy_and_the_laue_class_raises_it():
    ceiling = positions_ceiling(np.array([0, 1, 2, 2, 3]), GROUPS, FREQUENCIES)
    assert ceiling["extinction_symbol"]["hits"] == 3
    assert ceiling["extinction_symbol_and_laue_class"]["hits"] == 4


def test_sums_are_right_where_no_single_group_is():
    # P -1 is the most probable group, but P n a 21 and P n m a are so together
    probabilities = np.array([[0.4, 0.3, 0.3, 0.0, 0.0, 0.0]])
    found = summed_accuracies(probabilities, np.array([2]), GROUPS)
    assert {kind: entry["top1"]["hits"] for kind, entry in found.items()} == {
        "space_group": 0,
        "extinction_symbol": 1,
        "bravais_lattice": 1,
        "centring": 1,
        "laue_class": 1,
        "crystal_system": 1,
    }
    assert found["extinction_symbol"]["classes"] == 4
