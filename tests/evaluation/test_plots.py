"""Figures are looked at by people; here only what a person may overlook is tested."""

import json
import re

import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.mathtext import MathTextParser

from xrdjax.evaluation import metrics
from xrdjax.evaluation import plots as figures
from xrdjax.evaluation.report_figures import training_curve

GROUPS = (2, 14, 62, 166, 194, 225)


@pytest.fixture(scope="module")
def score():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(6), 60)
    # No crystal of group 62: an empty row is the rule, not the exception.
    labels = rng.choice([0, 1, 3, 4, 5], 60)
    return metrics.score(probabilities, labels, GROUPS, np.full(6, 1 / 6))


def assert_drawn(path):
    """The file is a picture, and not a blank one."""
    pixels = imread(path)
    assert pixels.shape[0] > 300 and pixels.shape[1] > 600
    assert pixels[..., :3].std() > 0.02


def test_every_symbol_is_valid_mathtext_and_keeps_its_letters():
    parser = MathTextParser("agg")
    for number in range(1, 231):
        text = figures.symbol(number)
        parser.parse(text)
        full = metrics.space_group(number).hermann_mauguin
        letters = re.sub(r"\\bar|[^A-Za-z]", "", text)
        assert letters == re.sub(r"[^A-Za-z]", "", full)


@pytest.mark.parametrize(
    "number,expected",
    [
        (2, r"$P\bar{1}$"),
        (14, r"$P2_1/c$"),
        (62, "$Pnma$"),
        (152, "$P3_121$"),
        (227, r"$Fd\bar{3}m$"),
    ],
)
def test_symbols_are_those_of_the_international_tables(number, expected):
    assert figures.symbol(number) == expected


def test_the_training_curve_is_drawn_from_a_single_point_on(tmp_path):
    for count in (1, 60):
        steps = np.arange(1.0, count + 1)
        path = tmp_path / f"{count}.png"
        names = ("synthetic crystals", "held-out known crystals", "gallery")
        ends = {name: metrics.proportion(np.ones(3, bool))._asdict() for name in names}
        figures.draw_training(steps, np.linspace(0, 1, count), count, ends, path)
        assert_drawn(path)


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


def test_the_confusion_leaves_out_systems_without_crystals(tmp_path, score):
    counts = score["confusion_by_crystal_system"]["counts"]
    assert sum(counts[2]) == 0
    figures.draw_confusion(counts, "crystals", tmp_path / "a.png")
    assert_drawn(tmp_path / "a.png")


def test_examples_are_drawn_whatever_their_names(tmp_path):
    grid = np.linspace(5, 90, 500)
    pattern = np.exp(-0.5 * ((grid - 30) / 0.3) ** 2)
    real = [("$x_{1}", pattern), ("a_b^c \\ 100 %", pattern)]
    figures.draw_examples(grid, real, [pattern], 225, tmp_path / "a.png")
    assert_drawn(tmp_path / "a.png")


def test_groups_are_drawn_by_number_of_patterns(tmp_path, score):
    figures.draw_space_groups(score["by_space_group"], "x", tmp_path / "a.png", most=3)
    assert_drawn(tmp_path / "a.png")


def test_colours_of_crystal_systems_differ():
    assert len(set(figures._SYSTEM_COLOURS.values())) == len(metrics.CRYSTAL_SYSTEMS)
