"""Figures are judged by eye; only what the eye may overlook is tested here."""

import re

import numpy as np
import pytest
from figures import assert_plotted
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser

from xrdjax.errors import InputError
from xrdjax.evaluation import plots
from xrdjax.evaluation.plots import (
    SYSTEM_COLOURS,
    plot_examples,
    plot_pattern,
    save,
    symbol,
)
from xrdjax.symmetry.space_groups import SPACE_GROUPS

GRID = np.linspace(5, 90, 500)
PATTERN = np.exp(-0.5 * ((GRID - 30) / 0.3) ** 2)


def line(h, k, l, angle, intensity):
    return {
        "h": h,
        "k": k,
        "l": l,
        "two_theta_deg": angle,
        "intensity": intensity,
    }


def test_every_symbol_is_valid_mathtext_and_keeps_its_letters():
    parser = MathTextParser("agg")
    for group in SPACE_GROUPS:
        text = symbol(group.number)
        parser.parse(text)
        letters = re.sub(r"\\bar|[^A-Za-z]", "", text)
        assert letters == re.sub(r"[^A-Za-z]", "", group.hermann_mauguin)


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
    assert symbol(number) == expected


def test_colours_of_crystal_systems_differ():
    assert len(set(SYSTEM_COLOURS.values())) == len(SYSTEM_COLOURS) == 7


@pytest.mark.parametrize("name", ["$x_{1}", "a_b^c \\ 100 %", "100 \N{EURO SIGN}"])
def test_names_are_plotted_as_they_are(tmp_path, name):
    plot_examples(GRID, [(name, PATTERN)], [PATTERN], 225, tmp_path / "a.png")
    assert_plotted(tmp_path / "a.png")
    plot_pattern(GRID, PATTERN, [line(1, 1, 1, 30, 100)], name, tmp_path / "b.png")
    assert_plotted(tmp_path / "b.png")


def test_indices_have_bars_and_spaces_where_they_need_them():
    assert plots._indices(line(1, 0, 4, 0, 0)) == "104"
    assert plots._indices(line(1, -1, 0, 0, 0)) == r"1$\bar{1}$0"
    assert plots._indices(line(0, 0, 12, 0, 0)) == "0 0 12"


def test_the_strongest_lines_get_labels_that_do_not_overlap():
    lines = [line(1, 0, 0, angle, 100 - angle) for angle in range(10, 60)]
    chosen = plots._strongest(lines[::-1], apart=3, most=4)
    assert [one["two_theta_deg"] for one in chosen] == [10, 13, 16, 19]
    assert len(plots._strongest(lines, apart=3, most=100)) == 17


def test_a_figure_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        save(Figure(), tmp_path / "none" / "a.png")
