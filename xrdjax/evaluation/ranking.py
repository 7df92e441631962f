"""The answer to one measured pattern, as a value that can be printed and plotted."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from xrdjax.evaluation import ranking_page, ranking_records, ranking_text
from xrdjax.evaluation.ranked import Ranked

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class Ranking(Ranked):
    """The space groups of a measured pattern, by their probabilities.

    Printed, it is a text; in a notebook, tables.

    Attributes: see `Ranked`.
    """

    def to_dict(self) -> dict[str, Any]:
        """The whole answer in types that JSON has."""
        return ranking_records.to_dict(self)

    def plot(self, axes: tuple[Axes, Axes] | None = None) -> tuple[Axes, Axes]:
        """Plots the pattern as measured, and as the network sees it.

        Args:
            axes: for the two; by default those of a new figure.
        """
        from xrdjax.evaluation.ranking_plots import new_axes, plot_both

        axes = new_axes() if axes is None else axes
        plot_both(axes, self)
        return axes

    def __repr__(self) -> str:
        return ranking_text.to_text(self)

    def _repr_html_(self) -> str:
        return ranking_page.answer_html(self)
