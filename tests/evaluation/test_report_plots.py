"""Figures of accuracy, and which of them a report has."""

import json

import numpy as np
import pytest
from coded_patterns import code, reading_run, row_of
from figures import assert_plotted

from xrdjax.evaluation import metrics, report_plots
from xrdjax.evaluation.accuracy_plots import (
    plot_confusion,
    plot_space_groups,
    plot_training,
)
from xrdjax.evaluation.report_plots import plot_report, training_curve
from xrdjax.evaluation.sets import EvaluationSet

GROUPS = np.array([2, 14, 62, 166, 194, 225])


@pytest.fixture(scope="module")
def score():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(6), 60)
    # no crystal of group 62: an empty row is the rule, not the exception
    labels = rng.choice([0, 1, 3, 4, 5], 60)
    return metrics.score(probabilities, labels, GROUPS, np.full(6, 1 / 6))


def test_the_training_curve_is_plotted_from_a_single_point_on(tmp_path):
    for count in (1, 60):
        steps = np.arange(1.0, count + 1)
        path = tmp_path / f"{count}.png"
        titles = ("synthetic crystals", "held-out crystals", "gallery")
        final = {one: metrics.proportion(np.ones(3, bool))._asdict() for one in titles}
        plot_training(steps, np.linspace(0, 1, count), count, final, path)
        assert_plotted(path)


def test_the_training_curve_averages_neighbours_and_skips_what_was_not_finite(tmp_path):
    path = tmp_path / "metrics.jsonl"
    rows = [{"step": i, "accuracy": (i % 2) if i else None} for i in range(1001)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    steps, accuracies = training_curve(path)
    assert len(steps) == 200
    np.testing.assert_allclose(steps.mean(), 500.5)
    np.testing.assert_allclose(accuracies, 0.5, atol=0.11)


def test_without_metrics_there_is_no_training_curve(tmp_path):
    assert training_curve(tmp_path / "metrics.jsonl") is None
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "accuracy": null}\n')
    assert training_curve(tmp_path / "metrics.jsonl") is None


def test_the_confusion_leaves_out_systems_without_patterns(tmp_path, score):
    counts = score["confusion_by_crystal_system"]["counts"]
    assert sum(counts[2]) == 0
    plot_confusion(counts, "crystals", tmp_path / "a.png")
    assert_plotted(tmp_path / "a.png")


def test_space_groups_are_plotted_by_number_of_patterns(tmp_path, score):
    plot_space_groups(score["by_space_group"], "x", tmp_path / "a.png", most=3)
    assert_plotted(tmp_path / "a.png")


@pytest.fixture
def plotted(tmp_path, monkeypatch):
    """The calls of the functions that plot, which write empty files."""
    calls = []
    for name in ("training", "confusion", "space_groups", "examples"):

        def plot(*arguments, name=name):
            calls.append((name, arguments))
            arguments[-1].touch()

        monkeypatch.setattr(report_plots, f"plot_{name}", plot)
    return calls


def example_set(name, numbers, score):
    rows = [row_of(number) for number in numbers]
    examples = {row: [(f"{name} {row}", code([row])[0])] for row in rows}
    section = {"title": f"{name} crystals", "score": score}
    return EvaluationSet(name, section, examples)


def test_every_set_with_patterns_has_figures_and_the_page_finds_them(
    tmp_path, plotted, score
):
    history = tmp_path / "metrics.jsonl"
    history.write_text('{"step": 20, "accuracy": 0.4}\n')
    sets = [
        example_set("synthetic", (221, 225), score),
        example_set("crystals", (), None),
        example_set("gallery", (221, 225, 229), score),
    ]
    files = plot_report(reading_run(), history, sets, tmp_path / "report_figures")
    assert list(files) == [
        "Accuracy over training",
        "Synthetic crystals: confusion of crystal systems",
        "Synthetic crystals: accuracy by space group",
        "Gallery crystals: confusion of crystal systems",
        "Gallery crystals: accuracy by space group",
        "Known and synthetic patterns",
    ]
    assert all((tmp_path / file).exists() for file in files.values())
    assert len(set(files.values())) == 6
    calls = dict(plotted)
    assert list(calls["training"][3]) == ["synthetic crystals", "gallery crystals"]
    grid, known, synthetic, number, _ = calls["examples"]
    assert (len(grid), number) == (200, 225)  # the most frequent that both have
    assert known[0][0] == f"gallery {row_of(225)}"
    np.testing.assert_array_equal(synthetic[0], code([row_of(225)])[0])


def test_without_synthetic_crystals_or_a_history_there_is_nothing_to_compare(
    tmp_path, plotted, score
):
    sets = [example_set("gallery", (225,), score)]
    files = plot_report(reading_run(), tmp_path / "none", sets, tmp_path / "figures")
    assert len(files) == 2
    assert {name for name, _ in plotted} == {"confusion", "space_groups"}
