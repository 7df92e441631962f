"""The figures of the comparison of sources: accuracy at the end, and on the way."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiments.compare_sources_table import NAMES

# Colours of Okabe and Ito.
_COLOURS = {"crystals": "#D55E00", "synthetic": "#0072B2", "mixed": "#009E73"}
_DPI = 110
# Title of each group of bars, the split of its runs, and the crystals of its test.
_TESTS = (
    ("unseen types", "type", "crystals"),
    ("random split", "random", "crystals"),
    ("random crystals", "type", "synthetic"),
)


def draw_comparison(results: Sequence[Mapping], path: str | Path) -> None:
    """Draws top-1 accuracy, a panel for each network and a colour for each source.

    Args:
        results: as from `compare_sources.collect`.
        path: PNG file to write.
    """
    models = list(dict.fromkeys(r["model"] for r in results))
    sources = list(dict.fromkeys(r["source"] for r in results))
    figure = Figure(figsize=(4.4 * len(models), 3.6), layout="constrained")
    panels = figure.subplots(1, len(models), sharey=True, squeeze=False)[0]
    width = 0.8 / len(sources)
    for axes, model in zip(panels, models, strict=True):
        for i, source in enumerate(sources):
            places, heights, errors = [], [], []
            for place, (_, split, tested) in enumerate(_TESTS):
                job = {"source": source, "model": model, "split": split}
                found = [r[tested] for r in results if job.items() <= r.items()]
                if not found or found[0] is None:
                    continue
                top1 = found[0]["top1"]
                places.append(place + (i - (len(sources) - 1) / 2) * width)
                heights.append(100 * top1["fraction"])
                # rounding may put an end of the interval on the wrong side
                below = max(top1["fraction"] - top1["low"], 0.0)
                errors.append((below, max(top1["high"] - top1["fraction"], 0.0)))
            axes.bar(
                places,
                heights,
                width,
                yerr=100 * np.array(errors).reshape(-1, 2).T,
                color=_COLOURS.get(source, "0.5"),
                error_kw={"elinewidth": 1},
                label=f"trained on {source}",
            )
        axes.set_xticks(range(len(_TESTS)), [title for title, _, _ in _TESTS])
        axes.set_title(NAMES.get(model, model))
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set(ylabel="top-1 accuracy / %", ylim=(0, 100))
    panels[0].legend(frameon=False)
    figure.savefig(path, dpi=_DPI)


def draw_curves(results: Sequence[Mapping], path: str | Path) -> None:
    """Draws how accuracy grows with the patterns seen, for the runs split by type.

    Args:
        results: as from `compare_sources.collect`.
        path: PNG file to write.
    """
    runs = [r for r in results if r["split"] == "type"]
    models = list(dict.fromkeys(r["model"] for r in runs))
    figure = Figure(figsize=(4.6 * len(models), 4.4), layout="constrained")
    panels = figure.subplots(1, len(models), sharey=True, squeeze=False)[0]
    for axes, model in zip(panels, models, strict=True):
        for run in runs:
            if run["model"] != model:
                continue
            curve = run["curve"]
            patterns = [point["patterns"] / 1e3 for point in curve]
            for kind, style, what in (
                ("validation", "o-", "unseen types"),
                ("training", "--", "in training"),
            ):
                axes.plot(
                    patterns,
                    [100 * point[kind] for point in curve],
                    style,
                    color=_COLOURS.get(run["source"], "0.5"),
                    markersize=4,
                    label=f"{run['source']}, {what}",
                )
        axes.set(title=NAMES.get(model, model), xlabel="patterns seen / thousands")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set(ylabel="top-1 accuracy / %", ylim=(0, 102))
    # a source may be missing in one of the panels
    drawn = [axes.get_legend_handles_labels() for axes in panels]
    by_label = {
        label: handle
        for handles, labels in drawn
        for handle, label in zip(handles, labels, strict=True)
    }
    figure.legend(
        by_label.values(),
        by_label.keys(),
        loc="outside lower center",
        ncols=2,
        fontsize="small",
        frameon=False,
    )
    figure.savefig(path, dpi=_DPI)
