"""Figures of a network's accuracy, written as PNG."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from xrdjax.evaluation.metrics import CRYSTAL_SYSTEMS
from xrdjax.evaluation.plots import (
    BLUE,
    SYSTEM_COLOURS,
    VERMILION,
    one_panel,
    save,
    symbol,
)
from xrdjax.symmetry.space_groups import space_group

_COLOURS = (VERMILION, BLUE, "#009E73")
_MARKERS = ("o", "s", "^")
# Space for at least this many bars, so that a single one does not fill the figure.
_FEWEST_BARS = 8


def plot_training(
    steps: Float[np.ndarray, " n"],
    accuracies: Float[np.ndarray, " n"],
    last_step: int,
    final: Mapping[str, Mapping[str, float]],
    path: str | Path,
) -> None:
    """Plots accuracy during training, and beside it that of the trained network.

    Args:
        steps: [n] training steps.
        accuracies: [n] top-1 accuracy on the training patterns, 0 to 1.
        last_step: step of the network that was evaluated.
        final: its top-1 accuracy on each set of patterns, by title, with `fraction`,
            `low` and `high`, 0 to 1.
        path: PNG file to write.
    """
    figure = Figure(figsize=(6.8, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(6, 1))
    line = {"color": "0.35", "linewidth": 1.4, "clip_on": False}
    marker = "." if len(steps) < 3 else None  # too few for a line
    left.plot(steps, 100 * accuracies, label="training", marker=marker, **line)
    left.set(xlabel="training step", ylabel="top-1 accuracy / %", ylim=(0, 100))
    left.set_xlim(0, max(last_step, steps[-1]))
    left.xaxis.set_major_formatter("{x:,.0f}")
    left.xaxis.get_major_locator().set_params(nbins=5)
    _plot_final(right, final)
    right.set_xlabel(f"step {last_step:,}")
    for axes in (left, right):
        axes.grid(axis="y", color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.align_xlabels()
    figure.legend(loc="outside upper left", ncols=2, frameon=False)
    save(figure, path)


def _plot_final(axes: Axes, final: Mapping[str, Mapping[str, float]]) -> None:
    """A point with its interval for each set of patterns."""
    for i, (title, end) in enumerate(final.items()):
        middle, low, high = 100 * np.array([end["fraction"], end["low"], end["high"]])
        axes.errorbar(
            [i],
            [middle],
            [[middle - low], [high - middle]],
            color=_COLOURS[i],
            marker=_MARKERS[i],
            markersize=7,
            linestyle="none",
            capsize=3,
            clip_on=False,
            label=f"{title} ({middle:.1f} %)",
        )
    axes.set(xlim=(-0.7, len(final) - 0.3), xticks=[])
    axes.tick_params(axis="y", length=0)


def plot_confusion(
    counts: Sequence[Sequence[int]], title: str, path: str | Path
) -> None:
    """Plots the crystal systems predicted for patterns of each true system.

    Args:
        counts: [7, 7] number of patterns, true by predicted system, in the order of
            `CRYSTAL_SYSTEMS`; cells show percentages of their row, and a true system
            without patterns has no row.
        title: what was classified.
        path: PNG file to write.
    """
    table = np.asarray(counts)
    totals = table.sum(axis=1)
    present = np.flatnonzero(totals)
    shares = 100 * table[present] / totals[present, None]
    figure = Figure(
        figsize=(7.6, max(3.6, 1.9 + 0.62 * len(present))), layout="constrained"
    )
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 55 else "black"
        text = _percentage(share)
        axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set_xticks(range(len(CRYSTAL_SYSTEMS)), CRYSTAL_SYSTEMS, rotation=30)
    for label in axes.get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")
    rows = [f"{CRYSTAL_SYSTEMS[i]} ({totals[i]:,})" for i in present]
    axes.set_yticks(range(len(present)), rows)
    axes.set(
        xlabel="predicted crystal system",
        ylabel="true crystal system (patterns)",
        title=title,
    )
    _separate_cells(axes, shares.shape)
    figure.colorbar(image, label="patterns of the true system / %", pad=0.02)
    save(figure, path)


def _percentage(share: float) -> str:
    """At most three digits, to fit into a cell."""
    if share == 0:
        return "\N{EN DASH}"
    return f"{share:.1f}" if share < 99.95 else "100"


def _separate_cells(axes: Axes, shape: tuple[int, ...]) -> None:
    """White lines between the cells of an image, in place of axes."""
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(1, shape[1]) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, shape[0]) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0)


def plot_space_groups(
    by_space_group: Sequence[Mapping], title: str, path: str | Path, most: int = 30
) -> None:
    """Plots top-1 and top-5 accuracy of the space groups with the most patterns.

    Args:
        by_space_group: entries `space_group`, `top1`, `top5` as in a score.
        title: what was classified.
        path: PNG file to write.
        most: largest number of groups.
    """
    entries = sorted(
        by_space_group, key=lambda e: (-e["top1"]["count"], e["space_group"])
    )[:most]
    systems = [space_group(e["space_group"]).crystal_system for e in entries]
    rows = max(len(entries), _FEWEST_BARS)
    figure, axes = one_panel(7.6, 1.6 + 0.27 * rows)
    for row, (entry, system) in enumerate(zip(entries, systems, strict=True)):
        _plot_bar(axes, row, entry["top1"], entry["top5"], SYSTEM_COLOURS[system])
    labels = [
        f"{symbol(e['space_group'])} ({e['space_group']}), {e['top1']['count']:,}"
        for e in entries
    ]
    axes.set_yticks(range(len(entries)), labels)
    axes.set_ylim(rows - 0.4, -0.6)
    axes.set(
        xlim=(0, 100),
        xlabel="accuracy / % (full: top-1 with 95 % interval, pale: top-5)",
        ylabel="space group (number), patterns",
        title=title,
    )
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    handles = [
        Patch(color=colour, label=system)
        for system, colour in SYSTEM_COLOURS.items()
        if system in systems
    ]
    figure.legend(handles=handles, loc="outside right upper", frameon=False)
    save(figure, path)


def _plot_bar(axes: Axes, row: int, top1: Mapping, top5: Mapping, colour: str) -> None:
    pale = 0.3 * np.array(to_rgb(colour)) + 0.7
    axes.barh(row, 100 * top5["fraction"], 0.78, color=pale)
    axes.barh(row, 100 * top1["fraction"], 0.78, color=colour)
    interval = 100 * np.array([top1["low"], top1["high"]])
    axes.plot(interval, [row, row], color="white", linewidth=3.0)
    axes.plot(interval, [row, row], color="0.25", linewidth=1.2, marker="|")
