"""Figures of patterns, written as PNG, and what all figures share.

Colours are those of Okabe and Ito, which can be distinguished with any colour vision.
Figures are made without pyplot, so that they need neither display nor global state.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xrdjax.evaluation.metrics import CRYSTAL_SYSTEMS
from xrdjax.files import write_whole
from xrdjax.symmetry.space_groups import space_group

BLUE, VERMILION = "#0072B2", "#D55E00"
# One colour for each crystal system.
SYSTEM_COLOURS = dict(
    zip(
        CRYSTAL_SYSTEMS,
        ("#000000", "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "#0072B2"),
        strict=True,
    )
)
_DPI = 160
TWO_THETA = r"$2\theta$ / degrees"


def symbol(number: int) -> str:
    """Short Hermann-Mauguin symbol of a space group, typeset by matplotlib.

    14 gives $P2_1/c$, 225 gives $Fm\\bar{3}m$.
    """
    centring, *axes = space_group(number).hermann_mauguin.split()
    if 3 <= number <= 15:  # full symbol of the unique axis b: "P 1 21/c 1"
        axes = [axes[1]]
    words = [re.sub(r"(\d)(\d)", r"\1_\2", axis) for axis in axes]
    words = [re.sub(r"-(\d)", r"\\bar{\1}", word) for word in words]
    return f"${centring}{''.join(words)}$"


def one_panel(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure, width and height in inches, with one pair of axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save(figure: Figure, path: str | Path) -> None:
    """Writes a figure as PNG, replacing an earlier one."""
    write_whole(
        path,
        lambda file: figure.savefig(file, format="png", dpi=_DPI),
        overwrite=True,
    )


def plot_examples(
    grid_deg: Float[np.ndarray, " T"],
    known: Sequence[tuple[str, Float[np.ndarray, " T"]]],
    synthetic: Sequence[Float[np.ndarray, " T"]],
    number: int,
    path: str | Path,
) -> None:
    """Plots patterns of known and synthetic crystals of one space group.

    The square root is plotted, as the network sees it: it shows weak lines.

    Args:
        grid_deg: [T] two theta, degrees.
        known: name and [T] intensity divided by its maximum, of each crystal.
        synthetic: each [T] intensity divided by its maximum.
        number: the space group of all of them.
        path: PNG file to write.
    """
    rows = [(pattern, "synthetic", VERMILION) for pattern in synthetic]
    rows += [(pattern, name, BLUE) for name, pattern in reversed(known)]
    figure, axes = one_panel(8.0, 1.3 + 0.78 * len(rows))
    for level, (pattern, name, colour) in enumerate(rows):
        base = 1.35 * level
        axes.plot(grid_deg, base + np.sqrt(pattern), color=colour, linewidth=0.7)
        _name_curve(axes, name, grid_deg[-1], base + 1.05, colour)
    axes.set(
        xlabel=TWO_THETA,
        ylabel=r"$\sqrt{I/I_\mathrm{max}}$, shifted",
        xlim=(grid_deg[0], grid_deg[-1]),
        ylim=(-0.05, 1.35 * len(rows) + 0.02),
        yticks=[],
        title=f"Known and synthetic crystals of {symbol(number)} (no. {number})",
    )
    save(figure, path)


def _name_curve(axes: Axes, name: str, x: float, y: float, colour: str) -> None:
    """A name above its curve, clear of the top of the strongest line."""
    axes.text(x, y, name, color=colour, ha="right", fontsize=9, parse_math=False)


def plot_pattern(
    two_theta_deg: Float[np.ndarray, " T"],
    pattern: Float[np.ndarray, " T"],
    lines: Sequence[Mapping[str, float]],
    title: str,
    path: str | Path,
    labelled: int = 8,
) -> None:
    """Plots a pattern, a tick for each line, and the indices of the strongest.

    Args:
        two_theta_deg: [T] grid, degrees.
        pattern: [T] intensities with maximum 1.
        lines: rows with h, k, l, two_theta_deg and intensity.
        title: of the figure.
        path: PNG file to write.
        labelled: largest number of lines that are labelled with their indices.
    """
    figure, axes = one_panel(8.0, 4.0)
    axes.plot(two_theta_deg, pattern, color=BLUE, linewidth=0.8)
    angles = [line["two_theta_deg"] for line in lines]
    axes.vlines(angles, -0.06, -0.02, color=VERMILION, linewidth=0.6)
    apart = (two_theta_deg[-1] - two_theta_deg[0]) / 30
    for line in _strongest(lines, apart, labelled):
        angle = line["two_theta_deg"]
        height = float(np.interp(angle, two_theta_deg, pattern))
        axes.annotate(
            _indices(line),
            (angle, height),
            (0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    axes.set_title(title, parse_math=False)
    axes.set(
        xlabel=TWO_THETA,
        ylabel=r"$I/I_\mathrm{max}$",
        xlim=(two_theta_deg[0], two_theta_deg[-1]),
        ylim=(-0.08, 1.1),
    )
    save(figure, path)


def _strongest(
    lines: Sequence[Mapping[str, float]], apart: float, most: int
) -> list[Mapping[str, float]]:
    """The strongest lines, far enough apart that their labels do not overlap."""
    chosen: list[Mapping[str, float]] = []
    for line in sorted(lines, key=lambda line: -line["intensity"]):
        angle = line["two_theta_deg"]
        if all(abs(angle - other["two_theta_deg"]) >= apart for other in chosen):
            chosen.append(line)
    return chosen[:most]


def _indices(line: Mapping[str, float]) -> str:
    """Miller indices with bars for minus signs, and spaces where they have two digits."""
    indices = [int(line[name]) for name in ("h", "k", "l")]
    words = [f"$\\bar{{{-i}}}$" if i < 0 else str(i) for i in indices]
    return (" " if max(map(abs, indices)) > 9 else "").join(words)
