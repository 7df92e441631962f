"""The figure of throughput: stages, other programs, and the cost of large crystals."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from experiments.shared.figures import BLUE, VERMILION, hide_frame, save_figure
from xrdjax.evaluation.plots import symbol

_COLOURS = (BLUE, VERMILION)
# Stages from the random key to the pattern, in order.
STAGES = (
    "draw and label check",
    "placing atoms",
    "reflections",
    "structure factors",
    "profile",
)
_UNITS = {
    "volume": "volume of the cell / cubic angstrom",
    "sites": "sites in the asymmetric unit",
}


def _plot_bars(
    axes: Axes, names: list[str], values: list[float], texts: list[str], colours
) -> None:
    axes.barh(names, values, color=colours)
    axes.bar_label(axes.containers[0], texts, padding=4)
    axes.invert_yaxis()
    axes.margins(x=0.22)


def _plot_stages(axes: Axes, stages: dict[str, Any]) -> None:
    # a difference of two measured times can fall below zero
    times = [max(stages[name]["ms_each"], 0.0) for name in STAGES]
    texts = [f"{time:.3f}" for time in times]
    _plot_bars(axes, list(STAGES), times, texts, _COLOURS[0])
    whole = stages["synthetic_patterns"]["ms_each"]
    axes.set(xlabel="ms / crystal", title=f"stages (the whole: {whole:.3f} ms)")


def _plot_comparison(axes: Axes, comparison: list[dict[str, Any]]) -> None:
    names, values, texts, colours = [], [], [], []
    for row in comparison:
        names += [f"xrdjax: {row['work']}", f"{row['program']}: {row['other_work']}"]
        values += [row["xrdjax_per_core"], row["other_per_core"]]
        texts += [f"{value:,.{0 if value > 9.5 else 1}f} / s" for value in values[-2:]]
        colours += _COLOURS
    _plot_bars(axes, names, values, texts, colours)
    axes.set(xscale="log", xlabel="crystals / second, one core or device")
    axes.set_title("beside other programs")
    axes.margins(x=0.35)


def _plot_scaling(axes: Axes, curves: list[dict[str, Any]], against: str) -> None:
    chosen = [curve for curve in curves if curve["against"] == against]
    for curve, colour, marker in zip(chosen, _COLOURS, "os", strict=True):
        name = symbol(curve["group"])
        label = f"{name} (last three: power {curve['last_slope']:.2f})"
        axes.plot(
            curve["x"], curve["ms_each"], color=colour, marker=marker, label=label
        )
    axes.set(xscale="log", yscale="log", xlabel=_UNITS[against], ylabel="ms / crystal")
    axes.set_xticks(chosen[0]["x"], labels=[f"{x:,}" for x in chosen[0]["x"]])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.grid(color="0.9", which="both")
    axes.legend(frameon=False)


def plot_throughput(numbers: dict[str, Any], path: str | Path) -> None:
    """Plots the numbers of `python -m experiments.throughput`.

    Args:
        numbers: as in its JSON file; "comparison" may be absent.
        path: of the figure, .png.
    """
    compared = "comparison" in numbers
    figure = Figure(figsize=(13, 8), layout="constrained")
    upper, lower = figure.subfigures(2, 1)
    tops = upper.subplots(1, 2 if compared else 1, squeeze=False)[0]
    _plot_stages(tops[0], numbers["stages"])
    if compared:
        _plot_comparison(tops[1], numbers["comparison"])
    for axes, against in zip(lower.subplots(1, 2), _UNITS, strict=True):
        _plot_scaling(axes, numbers["scaling"], against)
    for axes in figure.axes:
        axes.set_axisbelow(True)
        hide_frame(axes)
    on = numbers["circumstances"]
    figure.suptitle(
        f"{on['device']}, {on['cores']} cores, float32, batch {numbers['batch']}, "
        f"jax {on['jax']}, commit {on['commit']}",
        fontsize=10,
    )
    save_figure(figure, path)
