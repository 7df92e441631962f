"""Figures of merit, against SciPy and by hand, and their sums."""

import math

import numpy as np
from laws import for_each
from scipy.stats import binomtest

from xrdjax.evaluation import metrics
from xrdjax.symmetry.space_groups import space_group

GROUPS = np.array([2, 14, 76, 78, 144, 225])
FREQUENCIES = np.array([0.2, 0.3, 0.05, 0.05, 0.1, 0.3])


def answers(*columns):
    """Probabilities that put most weight on the column given for each pattern."""
    probabilities = np.full((len(columns), len(GROUPS)), 0.02)
    probabilities[np.arange(len(columns)), list(columns)] = 0.9
    return probabilities


@for_each(("hits", "count"), [(0, 5), (1, 7), (50, 100), (799, 1000), (3, 3)])
def test_the_wilson_interval_agrees_with_scipy(hits, count):
    expected = binomtest(hits, count).proportion_ci(method="wilson")
    np.testing.assert_allclose(
        metrics.wilson_interval(hits, count), (expected.low, expected.high), atol=1e-12
    )


def test_without_trials_a_proportion_is_nan():
    result = metrics.proportion(np.zeros(0, bool))
    assert result.count == 0
    assert math.isnan(result.fraction) and math.isnan(result.low)


def test_a_top_k_hit_is_a_label_among_the_k_largest():
    probabilities = np.array([[0.5, 0.3, 0.2], [0.1, 0.3, 0.6]])
    labels = np.array([1, 0])
    for k, expected in ((1, [False, False]), (2, [True, False]), (3, [True, True])):
        hits = metrics.top_k_hits(probabilities, labels, k)
        np.testing.assert_array_equal(hits, expected)


def test_a_constant_answer_is_right_for_one_class_only():
    hits = metrics.top_k_hits(np.full((4, 4), 0.25), np.arange(4), 1)
    assert hits.sum() == 1


def test_all_eleven_enantiomorphic_pairs_share_a_class_and_nothing_else_does():
    rows = metrics.enantiomorph_rows(np.arange(1, 231))
    shared = [n for n in range(1, 231) if rows[n - 1] != n - 1]
    assert len(shared) == 11
    for n in shared:
        assert space_group(n).enantiomorph == rows[n - 1] + 1


def test_a_group_without_its_mirror_image_stays_alone():
    rows = metrics.enantiomorph_rows(GROUPS)
    np.testing.assert_array_equal(rows, [0, 1, 2, 2, 4, 5])


def test_merging_classes_keeps_the_total_probability():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(6), 20)
    merged = metrics.merge_classes(probabilities, metrics.enantiomorph_rows(GROUPS))
    np.testing.assert_allclose(merged.sum(axis=1), 1)
    np.testing.assert_allclose(merged[:, 2], probabilities[:, 2] + probabilities[:, 3])
    assert not merged[:, 3].any()


def test_the_mirror_image_of_the_label_counts_only_with_pairs_as_one():
    result = metrics.score(answers(3, 2), np.array([2, 2]), GROUPS, FREQUENCIES)
    assert result["top1"]["hits"] == 1
    assert result["top1_enantiomorphs_as_one"]["hits"] == 2


def test_the_baseline_depends_on_the_frequencies_alone():
    labels = np.array([0, 1, 1, 2, 3, 4, 5])
    result = metrics.score(answers(*labels), labels, GROUPS, FREQUENCIES)
    baseline = result["frequency_baseline"]
    assert result["top1"]["fraction"] == 1
    # the most frequent group is 14; the five most frequent are all but 78
    assert baseline["top1"]["hits"] == 2
    assert baseline["top5"]["hits"] == 6


def test_hits_of_groups_and_of_systems_add_up_to_the_total():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 6, 200)
    result = metrics.score(rng.dirichlet(np.ones(6), 200), labels, GROUPS, FREQUENCIES)
    for k in ("top1", "top5"):
        for parts in (
            result["by_space_group"],
            list(result["by_crystal_system"].values()),
        ):
            assert sum(part[k]["count"] for part in parts) == 200
            assert sum(part[k]["hits"] for part in parts) == result[k]["hits"]
    counts = np.array(result["confusion_by_crystal_system"]["counts"])
    assert counts.sum() == 200
    assert np.trace(counts) == result["crystal_system_of_top1"]["hits"]


def test_rows_of_the_confusion_matrix_are_the_truth():
    counts = metrics.confusion_matrix(np.array([0, 0, 1]), np.array([1, 1, 1]), 2)
    np.testing.assert_array_equal(counts, [[0, 2], [0, 1]])


def test_all_structure_types_count_alike():
    hits = np.array([True, True, True, False])
    mean, count = metrics.mean_over_types(hits, ["a", "a", "a", "b"])
    assert (mean, count) == (0.5, 2)


def test_the_score_has_the_mean_over_types_where_they_are_known():
    labels = np.array([0, 1, 1, 1])
    given = answers(0, 1, 1, 2), labels, GROUPS, FREQUENCIES
    assert "by_structure_type" not in metrics.score(*given)
    result = metrics.score(*given, ("a", "b", "b", "b"))
    mean = result["by_structure_type"]
    assert mean == {"types": 2, "top1_mean": (1 + 2 / 3) / 2}
