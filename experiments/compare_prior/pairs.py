"""One panel of the figure: how often pairs of elements occur together in a crystal."""

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes

from experiments.compare_prior.traits import Traits, pair_shares
from xrdjax.crystals.elements import SYMBOLS

# The least share of a pair that is plotted, how many are named on each side of the
# diagonal, and how far apart names are at least, in decades.
_LEAST_SHARE = 0.002
_NAMED_PAIRS = 5
_NAME_DISTANCE = (0.5, 0.13)


def _pairs_to_name(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], sign: int
) -> list[int]:
    """Pairs farthest below (sign 1) or above (-1) the diagonal, with space for names."""
    chosen: list[int] = []
    places: list[np.ndarray] = []
    for i in np.argsort(-sign * (x - y), kind="stable").tolist():
        place = np.log10([x[i], y[i]])
        if len(chosen) == _NAMED_PAIRS or sign * (x[i] - y[i]) <= 0:
            break
        if any(np.all(np.abs(place - other) < _NAME_DISTANCE) for other in places):
            continue
        chosen.append(i)
        places.append(place)
    return chosen


def _name_pairs(
    axes: Axes,
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    pairs: Int[np.ndarray, "n 2"],
) -> None:
    box = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5}
    for sign, offset, side in ((1, (5, -4), "left"), (-1, (-5, -2), "right")):
        for i in _pairs_to_name(x, y, sign):
            name = "\N{EN DASH}".join(SYMBOLS[z] for z in pairs[i])
            at = {"textcoords": "offset points", "ha": side, "fontsize": 8, "bbox": box}
            axes.annotate(name, (x[i], y[i]), offset, **at)


def plot_pairs(axes: Axes, known: Traits, synthetic: Traits) -> None:
    """Plots how often two elements occur together; the prior reproduces the diagonal.

    Args:
        axes: to plot on.
        known: traits of crystals from files.
        synthetic: traits of crystals from the prior.
    """
    first, second = pair_shares(known), pair_shares(synthetic)
    pairs = np.argwhere((first + second) / 2 >= _LEAST_SHARE)
    # rarer pairs, including absent ones, are plotted at the lower limit
    floor = _LEAST_SHARE / 10
    x, y = (100 * np.maximum(s[tuple(pairs.T)], floor) for s in (first, second))
    ends = (100 * floor / 3, 200 * max(first.max(), second.max(), floor))
    axes.plot(ends, ends, color="0.6", linewidth=1)
    axes.plot(x, y, ".", color="0.35", markersize=3, clip_on=False)
    _name_pairs(axes, x, y, pairs)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.set(xlabel="known crystals / %", ylabel="synthetic crystals / %")
    axes.set_title("two elements together", pad=10)
