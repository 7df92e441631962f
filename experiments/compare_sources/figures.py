"""The figures of a comparison of sources: accuracy at the end, and during training."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.compare_sources.table import NAMES
from experiments.shared.figures import (
    BLUE,
    GREEN,
    VERMILION,
    hide_frame,
    save_figure,
)

_COLOURS = {"crystals": VERMILION, "synthetic": BLUE, "mixed": GREEN}
# Title of each group of bars, the split of its runs, and the crystals of its test.
_TESTS = (
    ("unseen types", "type", "crystals"),
    ("random split", "random", "crystals"),
    ("synthetic crystals", "type", "synthetic"),
)


def _panels(
    results: Sequence[Mapping], width: float, height: float
) -> tuple[Figure, list[tuple[Axes, str]]]:
    """A figure with a panel for each network, and the networks' names."""
    models = list(dict.fromkeys(r["model"] for r in results))
    figure = Figure(figsize=(width * len(models), height), layout="constrained")
    panels = figure.subplots(1, len(models), sharey=True, squeeze=False)[0]
    for axes, model in zip(panels, models, strict=True):
        axes.set_title(NAMES.get(model, model))
        hide_frame(axes)
    panels[0].set_ylabel("top-1 accuracy / %")
    return figure, list(zip(panels, models, strict=True))


def _top1(results: Sequence[Mapping], job: Mapping, tested: str) -> Mapping | None:
    found = [r[tested] for r in results if job.items() <= r.items()]
    return found[0]["top1"] if found and found[0] is not None else None


def _plot_bars(
    axes: Axes, top1: Sequence[Mapping | None], offset: float, width: float, source: str
) -> None:
    """A bar for each finished test, with its 95 % interval."""
    shown = [(place, score) for place, score in enumerate(top1) if score is not None]
    # rounding may put an end of the interval on the wrong side of the value
    errors = [
        (max(s["fraction"] - s["low"], 0.0), max(s["high"] - s["fraction"], 0.0))
        for _, s in shown
    ]
    axes.bar(
        [place + offset for place, _ in shown],
        [100 * score["fraction"] for _, score in shown],
        width,
        yerr=100 * np.array(errors).reshape(-1, 2).T,
        color=_COLOURS.get(source, "0.5"),
        error_kw={"elinewidth": 1},
        label=f"trained on {source}",
    )


def plot_accuracy(results: Sequence[Mapping], path: str | Path) -> None:
    """Plots top-1 accuracy, a panel for each network and a colour for each source.

    Args:
        results: as from `results.collect`.
        path: PNG file to write.
    """
    sources = list(dict.fromkeys(r["source"] for r in results))
    width = 0.8 / len(sources)
    figure, panels = _panels(results, 4.4, 3.6)
    for axes, model in panels:
        for i, source in enumerate(sources):
            top1 = [
                _top1(
                    results, {"source": source, "model": model, "split": split}, tested
                )
                for _, split, tested in _TESTS
            ]
            offset = (i - (len(sources) - 1) / 2) * width
            _plot_bars(axes, top1, offset, width, source)
        axes.set_xticks(range(len(_TESTS)), [title for title, _, _ in _TESTS])
    first, _ = panels[0]
    first.set_ylim(0, 100)
    first.legend(frameon=False)
    save_figure(figure, path)


def _plot_curve(axes: Axes, run: Mapping) -> None:
    curve = run["curve"]
    for kind, style, where in (
        ("validation", "o-", "unseen types"),
        ("training", "--", "in training"),
    ):
        axes.plot(
            [point["patterns"] / 1e3 for point in curve],
            [100 * point[kind] for point in curve],
            style,
            color=_COLOURS.get(run["source"], "0.5"),
            markersize=4,
            label=f"{run['source']}, {where}",
        )


def plot_curves(results: Sequence[Mapping], path: str | Path) -> None:
    """Plots accuracy against the number of patterns seen, for the runs split by type.

    Args:
        results: as from `results.collect`.
        path: PNG file to write.
    """
    runs = [r for r in results if r["split"] == "type"]
    figure, panels = _panels(runs, 4.6, 4.4)
    for axes, model in panels:
        for run in runs:
            if run["model"] == model:
                _plot_curve(axes, run)
        axes.set_xlabel("patterns seen / thousands")
    panels[0][0].set_ylim(0, 102)
    # a source may be missing in one of the panels
    by_label = {
        label: handle
        for axes, _ in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        by_label.values(),
        by_label.keys(),
        loc="outside lower center",
        ncols=2,
        fontsize="small",
        frameon=False,
    )
    save_figure(figure, path)
