"""The figure of compare_prior: known beside synthetic crystals, a panel a quantity."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter

from experiments.compare_prior.pairs import plot_pairs
from experiments.compare_prior.traits import (
    Traits,
    element_shares,
    group_shares,
    system_shares,
)
from experiments.shared.figures import BLUE, VERMILION, hide_frame, save_figure
from xrdjax.crystals.elements import SYMBOLS
from xrdjax.evaluation.metrics import CRYSTAL_SYSTEMS
from xrdjax.evaluation.plots import symbol

_COLOURS = (BLUE, VERMILION)  # known, synthetic
_MOST_GROUPS, _MOST_ELEMENTS = 20, 25
_BINS = 40
# Share of outlying crystals at each end that an axis does not show.
_TAIL = 0.005

# Traits of known crystals, and of synthetic ones.
Both = tuple[Traits, Traits]


def _plot_bars(
    axes: Axes, shares: Sequence[np.ndarray], labels: Sequence[str], title: str
) -> None:
    """Bars of known and synthetic crystals side by side, in per cent."""
    for offset, share, colour in zip((-0.2, 0.2), shares, _COLOURS, strict=True):
        axes.bar(np.arange(len(share)) + offset, 100 * share, 0.4, color=colour)
    axes.set_xticks(range(len(labels)), labels)
    axes.set(title=title, ylabel="crystals / %", xlim=(-0.7, len(labels) - 0.3))


def _slant_labels(axes: Axes) -> None:
    for label in axes.get_xticklabels():
        label.set(rotation=45, ha="right", rotation_mode="anchor")


def _most_frequent(share: np.ndarray, most: int) -> np.ndarray:
    """Rows of the largest shares, the largest first; those of zero are left out."""
    rows = np.argsort(-share, kind="stable")[:most]
    return rows[share[rows] > 0]


def _plot_groups(axes: Axes, both: Both) -> None:
    shares = [group_shares(traits) for traits in both]
    groups = _most_frequent(shares[0], _MOST_GROUPS)
    names = [f"{symbol(n)} ({n})" for n in groups.tolist()]
    title = "space groups, the most frequent"
    _plot_bars(axes, [share[groups] for share in shares], names, title)
    _slant_labels(axes)
    known, synthetic = (f"({len(traits.sites):,})" for traits in both)
    axes.legend(
        handles=[
            Patch(color=_COLOURS[0], label=f"known crystals {known}"),
            Patch(color=_COLOURS[1], label=f"synthetic crystals {synthetic}"),
            Line2D([], [], color="0.35", marker="v", ls="", label="medians"),
        ],
        frameon=False,
        fontsize=12,
    )


def _plot_systems(axes: Axes, both: Both) -> None:
    shares = [system_shares(traits) for traits in both]
    _plot_bars(axes, shares, CRYSTAL_SYSTEMS, "crystal systems")
    _slant_labels(axes)


def _plot_elements(axes: Axes, both: Both) -> None:
    shares = [element_shares(traits) for traits in both]
    present = _most_frequent(shares[0], _MOST_ELEMENTS)
    names = [SYMBOLS[z] for z in present]
    title = "elements, the most frequent: crystals that hold them"
    _plot_bars(axes, [share[present] for share in shares], names, title)


def _plot_element_counts(axes: Axes, both: Both) -> None:
    counts = [traits.elements.sum(axis=1) for traits in both]
    most = max(count.max() for count in counts) + 1
    shares = [np.bincount(count, minlength=most)[1:] / len(count) for count in counts]
    _plot_bars(axes, shares, [str(n) for n in range(1, most)], "number of elements")


def _edges(values: np.ndarray, logarithmic: bool, whole: bool) -> np.ndarray:
    """Edges of the bins; whole numbers lie at the centres of bins."""
    low, high = np.quantile(values, [_TAIL, 1 - _TAIL])
    if whole:
        low, high = np.floor(low), np.ceil(high) + 1
        if not logarithmic:
            return np.arange(low, high + 1) - 0.5
        return np.unique(np.ceil(np.geomspace(low, high, _BINS + 1))) - 0.5
    if high == low:
        low, high = 0.9 * low, 1.1 * high
    return (np.geomspace if logarithmic else np.linspace)(low, high, _BINS + 1)


def _mark_medians(axes: Axes, samples: Sequence[np.ndarray]) -> None:
    """A triangle for each median above the axes, of two sizes in case they coincide."""
    for sample, colour, size in zip(samples, _COLOURS, (9, 5), strict=True):
        if len(sample):
            axes.plot(
                np.median(sample),
                1.0,
                color=colour,
                marker="v",
                markersize=size,
                clip_on=False,
                transform=axes.get_xaxis_transform(),
                zorder=5,
            )


def _use_logarithm(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=8))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _plot_histogram(
    axes: Axes,
    samples: Sequence[np.ndarray],
    title: str,
    label: str,
    *,
    logarithmic: bool = False,
    whole: bool = False,
) -> None:
    """Overlaid histograms; shares include the crystals beyond the axis."""
    axes.set(xlabel=label, ylabel="crystals / %")
    axes.set_title(title, pad=10)  # room for the triangles
    pooled = np.concatenate(samples).astype(float)
    if not len(pooled):
        return
    edges = _edges(pooled, logarithmic, whole)
    fills = ({"alpha": 0.35}, {"histtype": "step", "linewidth": 1.5})
    for sample, colour, fill in zip(samples, _COLOURS, fills, strict=True):
        weights = np.full(len(sample), 100 / max(len(sample), 1))
        axes.hist(sample, edges, weights=weights, color=colour, **fill)
    _mark_medians(axes, samples)
    if logarithmic:
        _use_logarithm(axes)
    axes.set_xlim(edges[0], edges[-1])


# Quantity, title, label of the axis, and kind of axis of each histogram, in order.
_HISTOGRAMS: tuple[tuple[Callable, str, str, dict[str, bool]], ...] = (
    (
        lambda traits: traits.sites,
        "sites in the asymmetric unit",
        "sites",
        {"whole": True},
    ),
    (
        lambda traits: traits.primitive_atoms,
        "atoms in the primitive cell",
        "atoms",
        {"whole": True, "logarithmic": True},
    ),
    (
        lambda traits: traits.volumes,
        "volume of the cell",
        "cubic angstrom",
        {"logarithmic": True},
    ),
    (
        lambda traits: traits.packing_factors,
        "packing factor",
        "volume of cell / of atoms",
        {},
    ),
    (
        lambda traits: traits.ratios_of("tetragonal"),
        "shape of tetragonal cells",
        "c / a",
        {"logarithmic": True},
    ),
    (
        lambda traits: traits.ratios_of("hexagonal"),
        "shape of hexagonal cells",
        "c / a",
        {"logarithmic": True},
    ),
    (lambda traits: traits.distances, "shortest distance", "angstrom", {}),
)


def plot_comparison(known: Traits, synthetic: Traits, path: str | Path) -> None:
    """Plots all quantities of known and synthetic crystals, and writes a PNG.

    Triangles are medians.

    Args:
        known: traits of crystals from files.
        synthetic: traits of crystals from the prior.
        path: PNG file to write.
    """
    figure = Figure(figsize=(14, 14), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.1)
    grid = figure.add_gridspec(4, 12, height_ratios=(1.1, 1.1, 1, 1))
    both = (known, synthetic)
    _plot_groups(figure.add_subplot(grid[0, :8]), both)
    _plot_systems(figure.add_subplot(grid[0, 8:]), both)
    _plot_elements(figure.add_subplot(grid[1, :8]), both)
    _plot_element_counts(figure.add_subplot(grid[1, 8:]), both)
    for i, (quantity, title, label, kind) in enumerate(_HISTOGRAMS):
        row, column = divmod(i, 4)
        axes = figure.add_subplot(grid[2 + row, 3 * column : 3 * column + 3])
        samples = [quantity(traits) for traits in both]
        _plot_histogram(axes, samples, title, label, **kind)
    plot_pairs(figure.add_subplot(grid[3, 9:]), known, synthetic)
    for axes in figure.axes:
        hide_frame(axes)
    save_figure(figure, path)
