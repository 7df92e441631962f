"""Page and figure of gap_analysis: accuracy on increasingly randomised crystals."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiments.shared.figures import BLUE, hide_frame, save_figure
from xrdjax.evaluation.markdown import percent, table

_HEADER = (
    "crystals",
    "patterns",
    "changed",
    "top-1 / %",
    "top-5 / %",
    "top-1 over types / %",
    "gain in top-1 / points",
)
_LEGEND = (
    "In brackets: 95 % intervals, Wilson's for proportions, and for the gain that of a "
    "mean over pairs of one crystal, unchanged and randomised. Changed: crystals that "
    "have free coordinates, or a cell that is not cubic. Over types: mean over the "
    "structure types, with equal weights."
)
_PARTS = {"held_out": "held-out", "test": "held-out (those for validation left out)"}


def plot_gap(sets: Mapping[str, Mapping], path: str | Path) -> None:
    """Plots top-1 and top-5 accuracy of each set with 95 % intervals.

    Args:
        sets: by name, with `title`, and `top1` and `top5` as proportions.
        path: PNG file to write.
    """
    figure = Figure(figsize=(7.6, 1.3 + 0.5 * len(sets)), layout="constrained")
    axes = figure.subplots()
    for row, part in enumerate(sets.values()):
        top1, top5 = part["top1"], part["top5"]
        axes.barh(row, 100 * top5["fraction"], 0.7, color=BLUE, alpha=0.3)
        axes.barh(row, 100 * top1["fraction"], 0.7, color=BLUE)
        for share in (top1, top5):
            interval = 100 * np.array([share["low"], share["high"]])
            axes.plot(interval, [row, row], color="white", linewidth=3.0)
            axes.plot(interval, [row, row], color="0.25", linewidth=1.2, marker="|")
    labels = [f"{p['title']} ({p['top1']['count']:,})" for p in sets.values()]
    axes.set_yticks(range(len(sets)), labels)
    axes.set(
        xlim=(0, 100),
        ylim=(len(sets) - 0.5, -0.5),
        xlabel="accuracy / % (full: top-1, pale: top-5, with 95 % intervals)",
    )
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    hide_frame(axes)
    save_figure(figure, path, dpi=160)


def _row(part: Mapping) -> list[object]:
    over_types, mean = part.get("top1_over_types"), part.get("gain")
    gain = "{:+.1f} ({:+.1f} to {:+.1f})"
    return [
        part["title"],
        part["top1"]["count"],
        part.get("changed", ""),
        percent(part["top1"]),
        percent(part["top5"]),
        "" if over_types is None else f"{100 * over_types:.1f}",
        gain.format(*(100 * x for x in mean.values())) if mean else "",
    ]


def to_markdown(result: Mapping) -> str:
    """The table, and a description of its crystals."""
    counts = ", ".join(
        f"{name.replace('_', ' ')} {n:,}" for name, n in result["counts"].items()
    )
    return (
        "# What distinguishes known crystals from synthetic ones\n\n"
        f"Run `{result['workdir']}` at step {result['step']:,} (its "
        f"{result['checkpoint']}), {_PARTS[result['part']]} crystals of "
        f"`{result['crystals']}` ({counts}; abandoned {result['abandoned']:,}), seed "
        f"{result['seed']}. {result['device']}, {result['seconds']:.0f} s, "
        + ", ".join(f"{name} {v}" for name, v in result["versions"].items())
        + f".\n\n{table(_HEADER, [_row(part) for part in result['sets'].values()])}"
        f"\n\n{_LEGEND}\n\n"
        "![Accuracy on increasingly randomised crystals](gap_analysis.png)\n"
    )
