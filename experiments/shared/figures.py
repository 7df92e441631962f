"""The form that figures of experiments have."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xrdjax.files import write_whole

# Colours of Okabe and Ito, which people with any colour vision tell apart.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"


def hide_frame(axes: Axes) -> None:
    """Leaves of the frame only the two sides that have a scale."""
    axes.spines[["top", "right"]].set_visible(False)


def save_figure(figure: Figure, path: str | Path, dpi: int = 110) -> None:
    """Writes a figure as PNG.

    Raises:
        InputError: the file cannot be written.
    """
    write_whole(
        path, lambda file: figure.savefig(file, format="png", dpi=dpi), overwrite=True
    )
