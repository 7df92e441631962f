"""The figure of compare_prior: known beside drawn crystals, one panel a quantity."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter

from experiments.crystal_traits import Traits
from xrdjax.crystals.elements import SYMBOLS
from xrdjax.evaluation.metrics import CRYSTAL_SYSTEMS
from xrdjax.evaluation.plots import symbol
from xrdjax.symmetry.space_groups import space_group

# Known and drawn crystals, in colours of Okabe and Ito.
_COLOURS = ("#0072B2", "#D55E00")
_DPI = 110
_MOST_GROUPS, _MOST_ELEMENTS = 20, 25
_BINS = 40
# Share of the crystals at each end that would stretch an axis for nothing.
_TAIL = 0.005
# Pairs of elements: the least share that is drawn, how many are named on each side
# of the diagonal, and how far apart names are at least, in decades.
_LEAST_SHARE = 0.002
_NAMED_PAIRS = 5
_NAME_DISTANCE = (0.5, 0.13)


def group_shares(traits: Traits) -> Float[np.ndarray, "231"]:
    """Share of the crystals in each space group, by its number."""
    return np.bincount(traits.space_groups, minlength=231) / len(traits.space_groups)


def system_shares(traits: Traits) -> Float[np.ndarray, "7"]:
    """Share of the crystals in each of CRYSTAL_SYSTEMS."""
    systems = [space_group(n).crystal_system for n in traits.space_groups.tolist()]
    return np.array([np.mean([s == c for s in systems]) for c in CRYSTAL_SYSTEMS])


def element_shares(traits: Traits) -> Float[np.ndarray, " Z"]:
    """Share of the crystals that hold each element, by atomic number."""
    return traits.elements.mean(axis=0)


def pair_shares(traits: Traits) -> Float[np.ndarray, "Z Z"]:
    """Share of the crystals that hold both elements; above the diagonal only."""
    present = traits.elements.astype(float)
    return np.triu(present.T @ present / len(present), 1)


def _bars(
    axes: Axes, shares: Sequence[np.ndarray], labels: Sequence[str], title: str
) -> None:
    """Bars of known and drawn crystals side by side, in per cent."""
    for offset, share, colour in zip((-0.2, 0.2), shares, _COLOURS, strict=True):
        axes.bar(np.arange(len(share)) + offset, 100 * share, 0.4, color=colour)
    axes.set_xticks(range(len(labels)), labels)
    axes.set(title=title, ylabel="crystals / %", xlim=(-0.7, len(labels) - 0.3))


def _edges(values: np.ndarray, logarithmic: bool, whole: bool) -> np.ndarray:
    """Edges of the bins; whole numbers lie in the middle of a bin, or of several."""
    low, high = np.quantile(values, [_TAIL, 1 - _TAIL])
    if whole:
        low, high = np.floor(low), np.ceil(high) + 1
        if not logarithmic:
            return np.arange(low, high + 1) - 0.5
        return np.unique(np.ceil(np.geomspace(low, high, _BINS + 1))) - 0.5
    if high == low:
        low, high = 0.9 * low, 1.1 * high
    return (np.geomspace if logarithmic else np.linspace)(low, high, _BINS + 1)


def _histogram(
    axes: Axes,
    samples: Sequence[np.ndarray],
    title: str,
    label: str,
    *,
    logarithmic: bool = False,
    whole: bool = False,
) -> None:
    """Histograms over one another; what lies past the axis still counts."""
    axes.set(xlabel=label, ylabel="crystals / %")
    axes.set_title(title, pad=10)  # room for the triangles
    both = np.concatenate(samples).astype(float)
    if not len(both):
        return
    edges = _edges(both, logarithmic, whole)
    fills = ({"alpha": 0.35}, {"histtype": "step", "linewidth": 1.5})
    for sample, colour, fill in zip(samples, _COLOURS, fills, strict=True):
        weights = np.full(len(sample), 100 / max(len(sample), 1))
        axes.hist(sample, edges, weights=weights, color=colour, **fill)
    # of two sizes, so that equal medians show both
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
    if logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=8))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(edges[0], edges[-1])


def _pairs(axes: Axes, known: Traits, drawn: Traits) -> None:
    """How often two elements are together: on the diagonal what the prior keeps."""
    first, second = pair_shares(known), pair_shares(drawn)
    rows, columns = np.nonzero((first + second) / 2 >= _LEAST_SHARE)
    # a pair that is rarer still among the others stands there, as zero has no place
    floor = _LEAST_SHARE / 10
    x, y = (100 * np.maximum(s[rows, columns], floor) for s in (first, second))
    ends = (100 * floor / 3, 200 * max(first.max(), second.max(), floor))
    axes.plot(ends, ends, color="0.6", linewidth=1)
    axes.plot(x, y, ".", color="0.35", markersize=3, clip_on=False)
    box = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5}
    for sign, offset, side in ((1, (5, -4), "left"), (-1, (-5, -2), "right")):
        placed: list[np.ndarray] = []
        for i in np.argsort(-sign * (x - y), kind="stable"):
            place = np.log10([x[i], y[i]])
            if len(placed) == _NAMED_PAIRS or sign * (x[i] - y[i]) <= 0:
                break
            if any(np.all(np.abs(place - other) < _NAME_DISTANCE) for other in placed):
                continue
            placed.append(place)
            name = f"{SYMBOLS[rows[i]]}\N{EN DASH}{SYMBOLS[columns[i]]}"
            at = {"textcoords": "offset points", "ha": side, "fontsize": 8, "bbox": box}
            axes.annotate(name, (x[i], y[i]), offset, **at)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.set(xlabel="known crystals / %", ylabel="drawn crystals / %")
    axes.set_title("two elements together", pad=10)


def draw_comparison(known: Traits, drawn: Traits, path: str | Path) -> None:
    """Draws all quantities of known and drawn crystals, and writes a PNG.

    Triangles are medians.

    Args:
        known: traits of crystals from files.
        drawn: traits of crystals from the prior.
        path: PNG file to write.
    """
    figure = Figure(figsize=(14, 14), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.1)
    grid = figure.add_gridspec(4, 12, height_ratios=(1.1, 1.1, 1, 1))
    both = (known, drawn)

    shares = [group_shares(traits) for traits in both]
    groups = np.argsort(-shares[0], kind="stable")[:_MOST_GROUPS]
    groups = groups[shares[0][groups] > 0]
    axes = figure.add_subplot(grid[0, :8])
    names = [f"{symbol(n)} ({n})" for n in groups.tolist()]
    _bars(axes, [s[groups] for s in shares], names, "space groups, the most frequent")
    for label in axes.get_xticklabels():
        label.set(rotation=45, ha="right", rotation_mode="anchor")
    axes.legend(
        handles=[
            Patch(color=_COLOURS[0], label=f"known crystals ({len(known.sites):,})"),
            Patch(color=_COLOURS[1], label=f"drawn crystals ({len(drawn.sites):,})"),
            Line2D([], [], color="0.35", marker="v", ls="", label="medians"),
        ],
        frameon=False,
        fontsize=12,
    )

    axes = figure.add_subplot(grid[0, 8:])
    _bars(axes, [system_shares(t) for t in both], CRYSTAL_SYSTEMS, "crystal systems")
    for label in axes.get_xticklabels():
        label.set(rotation=45, ha="right", rotation_mode="anchor")

    shares = [element_shares(traits) for traits in both]
    present = np.argsort(-shares[0], kind="stable")[:_MOST_ELEMENTS]
    present = present[shares[0][present] > 0]
    axes = figure.add_subplot(grid[1, :8])
    title = "elements, the most frequent: crystals that hold them"
    _bars(axes, [s[present] for s in shares], [SYMBOLS[z] for z in present], title)

    counts = [traits.elements.sum(axis=1) for traits in both]
    most = max(count.max() for count in counts) + 1
    shares = [np.bincount(count, minlength=most)[1:] / len(count) for count in counts]
    axes = figure.add_subplot(grid[1, 8:])
    _bars(axes, shares, [str(n) for n in range(1, most)], "number of elements")

    def histogram(row, column, pick, *words, **options):
        place = figure.add_subplot(grid[row, 3 * column : 3 * column + 3])
        _histogram(place, [pick(traits) for traits in both], *words, **options)

    title = "sites in the asymmetric unit"
    histogram(2, 0, lambda t: t.sites, title, "sites", whole=True)
    kind = {"whole": True, "logarithmic": True}
    title = "atoms in the primitive cell"
    histogram(2, 1, lambda t: t.primitive_atoms, title, "atoms", **kind)
    volume = "cubic angstrom"
    histogram(2, 2, lambda t: t.volumes, "volume of the cell", volume, logarithmic=True)
    factor = "volume of cell / of atoms"
    histogram(2, 3, lambda t: t.packing_factors, "packing factor", factor)
    for column, system in enumerate(("tetragonal", "hexagonal")):
        histogram(
            3,
            column,
            lambda t, system=system: t.ratios_of(system),
            f"shape of {system} cells",
            "c / a",
            logarithmic=True,
        )
    histogram(3, 2, lambda t: t.distances, "shortest distance", "angstrom")
    _pairs(figure.add_subplot(grid[3, 9:]), known, drawn)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=_DPI)
