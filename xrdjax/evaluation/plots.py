"""Figures of an evaluation, written as PNG.

Colours are those of Okabe and Ito, which people with any colour vision tell
apart. Figures are made without pyplot: no display and no global state is needed.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from xrdjax.evaluation.metrics import CRYSTAL_SYSTEMS
from xrdjax.symmetry.space_groups import space_group

_BLUE, _VERMILION = "#0072B2", "#D55E00"
_COLOURS = (_VERMILION, _BLUE, "#009E73")
_MARKERS = ("o", "s", "^")
# One colour a crystal system; black for the seventh.
_SYSTEM_COLOURS = dict(
    zip(
        CRYSTAL_SYSTEMS,
        ("#000000", "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "#0072B2"),
        strict=True,
    )
)
_DPI = 160
# Room for this many bars at least, so that a single one is no wall.
_FEWEST_BARS = 8


def symbol(number: int) -> str:
    """Hermann-Mauguin symbol of a space group, short and as matplotlib sets it.

    14 gives $P2_1/c$, 225 gives $Fm\\bar{3}m$.
    """
    centring, *axes = space_group(number).hermann_mauguin.split()
    if 3 <= number <= 15:  # full symbol of the unique axis b: "P 1 21/c 1"
        axes = [axes[1]]
    words = [re.sub(r"(\d)(\d)", r"\1_\2", axis) for axis in axes]
    words = [re.sub(r"-(\d)", r"\\bar{\1}", word) for word in words]
    return f"${centring}{''.join(words)}$"


def _axes(width: float, height: float):
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def draw_training(
    steps: Float[np.ndarray, " n"],
    accuracies: Float[np.ndarray, " n"],
    last_step: int,
    ends: Mapping[str, Mapping[str, float]],
    path: str | Path,
) -> None:
    """Draws accuracy over training, and beside it what the trained network reaches.

    Args:
        steps: [n] training steps.
        accuracies: [n] top-1 accuracy on the training's own crystals, 0 to 1.
        last_step: step of the network that was evaluated.
        ends: its top-1 accuracy on each set of crystals, by name, with `fraction`,
            `low` and `high`, 0 to 1.
        path: PNG file to write.
    """
    figure = Figure(figsize=(6.8, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(6, 1))
    line = {"color": "0.35", "linewidth": 1.4, "clip_on": False}
    marker = "." if len(steps) < 3 else None  # a line needs more
    left.plot(steps, 100 * accuracies, label="in training", marker=marker, **line)
    for i, (name, end) in enumerate(ends.items()):
        middle, low, high = 100 * np.array([end["fraction"], end["low"], end["high"]])
        right.errorbar(
            [i],
            [middle],
            [[middle - low], [high - middle]],
            color=_COLOURS[i],
            marker=_MARKERS[i],
            markersize=7,
            linestyle="none",
            capsize=3,
            clip_on=False,
            label=f"{name} ({middle:.1f} %)",
        )
    left.set(xlabel="training step", ylabel="top-1 accuracy / %", ylim=(0, 100))
    left.set_xlim(0, max(last_step, steps[-1]))
    left.xaxis.set_major_formatter("{x:,.0f}")
    left.xaxis.get_major_locator().set_params(nbins=5)
    right.set(xlabel=f"step {last_step:,}", xlim=(-0.7, len(ends) - 0.3), xticks=[])
    right.tick_params(axis="y", length=0)
    for axes in (left, right):
        axes.grid(axis="y", color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.align_xlabels()
    figure.legend(loc="outside upper left", ncols=2, frameon=False)
    figure.savefig(path, dpi=_DPI)


def draw_confusion(
    counts: Sequence[Sequence[int]], title: str, path: str | Path
) -> None:
    """Draws which crystal system was taken for which.

    Args:
        counts: [7, 7] number of patterns, true system by predicted system, in
            the order of `CRYSTAL_SYSTEMS`; cells show the share of the row, and
            a system without crystals is left out of the rows.
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
        if table[present[row], column] == 0:
            text = "\N{EN DASH}"
        else:
            text = f"{share:.1f}" if share < 99.95 else "100"
        colour = "white" if share > 55 else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set_xticks(range(len(CRYSTAL_SYSTEMS)), CRYSTAL_SYSTEMS, rotation=30)
    for label in axes.get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")
    rows = [f"{CRYSTAL_SYSTEMS[i]} ({totals[i]})" for i in present]
    axes.set_yticks(range(len(present)), rows)
    axes.set(
        xlabel="predicted crystal system",
        ylabel="true crystal system (patterns)",
        title=title,
    )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(1, len(CRYSTAL_SYSTEMS)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(present)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0)
    figure.colorbar(image, label="share of the row / %", pad=0.02)
    figure.savefig(path, dpi=_DPI)


def draw_examples(
    grid_deg: Float[np.ndarray, " T"],
    real: Sequence[tuple[str, Float[np.ndarray, " T"]]],
    synthetic: Sequence[Float[np.ndarray, " T"]],
    number: int,
    path: str | Path,
) -> None:
    """Draws real and synthetic diffractograms of one space group on the same axes.

    The square root is drawn, which is what the network sees: weak lines show.

    Args:
        grid_deg: [T] two theta, degrees.
        real: name and [T] intensity divided by its maximum, of each crystal.
        synthetic: each [T] intensity divided by its maximum.
        number: the space group of all of them.
        path: PNG file to write.
    """
    rows = [(pattern, "synthetic", _VERMILION) for pattern in synthetic]
    rows += [(pattern, name, _BLUE) for name, pattern in reversed(real)]
    figure, axes = _axes(8.0, 1.3 + 0.78 * len(rows))
    for level, (pattern, name, colour) in enumerate(rows):
        base = 1.35 * level
        axes.plot(grid_deg, base + np.sqrt(pattern), color=colour, linewidth=0.7)
        # The name stands above its own curve, clear of the strongest line's tip.
        axes.text(
            grid_deg[-1],
            base + 1.05,
            name,
            color=colour,
            ha="right",
            fontsize=9,
            parse_math=False,
        )
    axes.set(
        xlabel=r"$2\theta$ / degrees",
        ylabel=r"$\sqrt{I/I_\mathrm{max}}$, shifted",
        xlim=(grid_deg[0], grid_deg[-1]),
        ylim=(-0.05, 1.35 * len(rows) + 0.02),
        yticks=[],
        title=f"Real and synthetic crystals of {symbol(number)} (no. {number})",
    )
    figure.savefig(path, dpi=_DPI)


def draw_space_groups(
    by_space_group: Sequence[Mapping], title: str, path: str | Path, most: int = 30
) -> None:
    """Draws top-1 and top-5 accuracy of the space groups with most patterns.

    Args:
        by_space_group: entries `space_group`, `top1`, `top5` as in a score.
        title: what was classified.
        path: PNG file to write.
        most: how many groups at most.
    """
    entries = sorted(
        by_space_group, key=lambda e: (-e["top1"]["count"], e["space_group"])
    )[:most]
    rows = max(len(entries), _FEWEST_BARS)
    figure, axes = _axes(7.6, 1.6 + 0.27 * rows)
    for row, entry in enumerate(entries):
        system = space_group(entry["space_group"]).crystal_system
        colour = _SYSTEM_COLOURS[system]
        top1, top5 = entry["top1"], entry["top5"]
        axes.barh(row, 100 * top5["fraction"], 0.78, color=colour, alpha=0.3)
        axes.barh(row, 100 * top1["fraction"], 0.78, color=colour)
        interval = 100 * np.array([top1["low"], top1["high"]])
        axes.plot(interval, [row, row], color="white", linewidth=3.0)
        axes.plot(interval, [row, row], color="0.25", linewidth=1.2, marker="|")
    labels = [
        f"{symbol(e['space_group'])} ({e['space_group']}), {e['top1']['count']}"
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
    shown = {space_group(e["space_group"]).crystal_system for e in entries}
    handles = [
        Patch(color=_SYSTEM_COLOURS[name], label=name)
        for name in CRYSTAL_SYSTEMS
        if name in shown
    ]
    figure.legend(handles=handles, loc="outside right upper", frameon=False)
    figure.savefig(path, dpi=_DPI)


def draw_pattern(
    path: str | Path,
    two_theta_deg: Float[np.ndarray, " T"],
    pattern: Float[np.ndarray, " T"],
    lines: Sequence[Mapping[str, float]],
    title: str,
    labelled: int = 8,
) -> None:
    """Draws a diffractogram, a tick for each line, and the indices of the strongest.

    Args:
        path: PNG to write.
        two_theta_deg: [T] grid, degrees.
        pattern: [T] intensities with maximum 1.
        lines: rows with h, k, l, two_theta_deg and intensity.
        title: of the figure.
        labelled: at most so many lines get their indices.
    """
    figure, axes = _axes(8.0, 4.0)
    axes.plot(two_theta_deg, pattern, color=_BLUE, linewidth=0.8)
    angles = [line["two_theta_deg"] for line in lines]
    axes.vlines(angles, -0.06, -0.02, color=_VERMILION, linewidth=0.6)
    placed: list[float] = []
    span = two_theta_deg[-1] - two_theta_deg[0]
    for line in sorted(lines, key=lambda line: -line["intensity"]):
        angle = line["two_theta_deg"]
        if len(placed) == labelled or any(abs(angle - x) < span / 30 for x in placed):
            continue
        placed.append(angle)
        height = float(np.interp(angle, two_theta_deg, pattern))
        indices = "".join(
            f"$\\bar{{{-i}}}$" if i < 0 else str(i)
            for i in (line["h"], line["k"], line["l"])
        )
        axes.annotate(
            indices,
            (angle, height),
            (0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    axes.set(
        xlabel=r"2$\theta$ (degrees)",
        ylabel="intensity (maximum 1)",
        title=title,
        xlim=(two_theta_deg[0], two_theta_deg[-1]),
        ylim=(-0.08, 1.1),
    )
    figure.savefig(path, dpi=_DPI)
