"""A measured pattern as it was recorded, and as the network sees it: two panels."""

import functools
import io

import jax
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from xrdjax.evaluation.plots import TWO_THETA
from xrdjax.evaluation.ranked import Ranked, Seen
from xrdjax.measured.resampling import at_wavelength
from xrdjax.models.network_input import NetworkInput

_SIZE = (8.0, 5.4)
_LINE, _UNSEEN = "#000000", "#d9d9d9"
_D_SPACINGS = (20, 10, 7, 5, 4, 3, 2.5, 2, 1.8, 1.6, 1.4, 1.3, 1.2, 1.1, 1, 0.9, 0.8)
_DPI = 160
# Of the three functions of the intensity that a network is given, the square root.
_ROOT_SCALE = 5


def new_axes() -> tuple[Axes, Axes]:
    """Two panels of a figure that a notebook shows."""
    from matplotlib import pyplot

    _, axes = pyplot.subplots(2, 1, figsize=_SIZE, layout="constrained")
    return tuple(axes)


def figure_of(ranking: Ranked) -> Figure:
    """The two panels, for a file."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    plot_both(tuple(figure.subplots(2, 1)), ranking)
    return figure


def to_png(figure: Figure) -> bytes:
    """A figure as PNG."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI)
    return file.getvalue()


def plot_both(axes: tuple[Axes, Axes], ranking: Ranked) -> None:
    """Plots a pattern as measured above the same pattern as the network sees it."""
    _plot_measured(axes[0], ranking)
    _plot_seen(axes[1], ranking.seen)


def _plot_measured(axes: Axes, ranking: Ranked) -> None:
    """Recorded intensity; what the network does not read is shaded."""
    angles, intensity = ranking.measured.two_theta_deg, ranking.measured.intensity
    axes.plot(angles, intensity, color=_LINE, linewidth=0.6)
    ends = np.array(ranking.seen.range_deg)
    first, last = at_wavelength(ends, ranking.seen.wavelength, ranking.wavelength)
    last = angles[-1] if np.isnan(last) else last
    beyond = ""
    for start, stop in ((angles[0], first), (last, angles[-1])):
        if stop > start:
            _shade(axes, float(start), float(stop))
            beyond = " (grey: beyond the range of the network)"
    axes.set(
        xlabel=f"{TWO_THETA} for {ranking.wavelength:.5g} Å",
        ylabel="intensity as recorded",
        xlim=(angles[0], angles[-1]),
        ylim=(0, 1.06 * float(intensity.max())),
    )
    _finish(axes, f"As measured{beyond}")


def _plot_seen(axes: Axes, seen: Seen) -> None:
    """Square root of the intensity that the network is given; holes are shaded."""
    angles, roots, measured = seen_by_network(seen)
    axes.plot(angles, np.where(measured, roots, np.nan), color=_LINE, linewidth=0.6)
    for start, stop in _runs(~measured):
        _shade(axes, angles[start], angles[min(stop, len(angles) - 1)])
    axes.set(
        xlabel=f"{TWO_THETA} for {seen.wavelength:.5g} Å",
        ylabel=r"$\sqrt{I/I_\mathrm{max}}$",
        xlim=seen.range_deg,
        ylim=(0, 1.06 * max(1.0, float(roots.max()))),
    )
    hole = "" if measured.all() else " (grey: not measured)"
    _finish(axes, f"As the network sees it{hole}")
    _add_spacings(axes, seen)


def _finish(axes: Axes, title: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, loc="left", fontsize=10)


def _shade(axes: Axes, start: float, stop: float) -> None:
    axes.axvspan(start, stop, color=_UNSEEN, linewidth=0, zorder=0)


def _add_spacings(axes: Axes, seen: Seen) -> None:
    """A second axis with the spacings d = wavelength / (2 sin theta), angstrom."""
    first, last = seen.range_deg
    spacings = np.array(_D_SPACINGS)
    sines = seen.wavelength / (2 * spacings)
    angles = 2 * np.rad2deg(np.arcsin(np.where(sines <= 1, sines, np.nan)))
    inside = (angles >= first) & (angles <= last)
    top = axes.secondary_xaxis("top")
    top.xaxis.set_major_locator(FixedLocator(angles[inside].tolist()))
    top.xaxis.set_minor_locator(NullLocator())
    top.set_xticklabels([f"{d:g}" for d in spacings[inside]])
    top.tick_params(labelsize=8)
    top.set_xlabel("$d$ / Å", fontsize=8, labelpad=2)


def _runs(which: Bool[np.ndarray, " C"]) -> list[tuple[int, int]]:
    """Where true values begin, and where the next false one is."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], which.astype(int), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


@functools.partial(jax.jit, static_argnums=0)
def _network_input(network_input: NetworkInput, pattern, mask):
    return network_input(pattern, mask)


def seen_by_network(
    seen: Seen,
) -> tuple[Float[np.ndarray, " C"], Float[np.ndarray, " C"], Bool[np.ndarray, " C"]]:
    """What a network reads of a pattern.

    Returns:
        [C] two theta in degrees, the root of the intensity, and whether it was measured.
    """
    given = np.asarray(
        _network_input(seen.network_input, seen.pattern[None], seen.mask[None])
    )[0]
    if seen.network_input.cells is None:
        return seen.network_input.grid.two_theta_deg, given, seen.mask
    low, high = seen.network_input.grid.u_range
    edges = np.geomspace(low, high, seen.network_input.cells + 1)
    centres = np.sqrt(edges[1:] * edges[:-1])
    angles = 2 * np.rad2deg(np.arcsin(centres / 2))
    return angles, given[:, 0] / _ROOT_SCALE, given[:, -1] > 0
