"""Statistics of the known side of a split of crystals, and the counts of both sides."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xrdjax.crystals.structure_types import Analysis
from xrdjax.known.analyses import AnalysedCrystals
from xrdjax.known.splits import Split, members
from xrdjax.prior.backing_off import BackingOff
from xrdjax.prior.fit import compute_statistics, eligible_crystals
from xrdjax.prior.tables import Statistics
from xrdjax.symmetry.space_groups import space_group

_COMMONEST = 10  # space groups that a summary lists


@dataclass(frozen=True)
class Fit:
    """Statistics, and what they were made from.

    Attributes:
        statistics: with NumPy leaves.
        analyses: of the crystals that they count.
        counts: crystals, types and groups on each side of the split, what was left out
            for each reason, and what was kept; for the provenance.
        min_crystals: a group with fewer has no statistics, or borrows.
    """

    statistics: Statistics
    analyses: tuple[Analysis, ...]
    counts: dict[str, Any]
    min_crystals: int


def fit_statistics(
    known: AnalysedCrystals,
    split: Split,
    min_crystals: int,
    backing_off: BackingOff | None = None,
) -> Fit:
    """Computes the statistics of the crystals that are not held out.

    Args:
        known: all crystals.
        split: which of them are held out.
        min_crystals: a group with fewer gets no statistics, or borrows.
        backing_off: how groups with fewer borrow; None leaves them out.

    Raises:
        InputError: as `compute_statistics`, or there is no such split.
    """
    analyses = known.analyses
    held_out = members(analyses, split, "held_out")
    sides = {
        "all": analyses,
        "statistics": [a for a, out in zip(analyses, held_out, strict=True) if not out],
        "held out": [a for a, out in zip(analyses, held_out, strict=True) if out],
    }
    statistics = compute_statistics(sides["statistics"], min_crystals, backing_off)
    least = min_crystals if backing_off is None else 1
    eligible = eligible_crystals(sides["statistics"], least)
    counts = {side: _count(crystals) for side, crystals in sides.items()} | {
        "types, hands apart": len({(a.space_group, a.type_key) for a in analyses}),
        "left out": {
            "unreadable": len(known.unreadable),
            "without symmetry": len(known.without_symmetry),
            **eligible.left_out,
        },
        "groups kept": len(statistics.space_groups),
        "crystals kept": len(eligible.analyses),
    }
    if backing_off is not None:
        crystals = Counter(a.space_group for a in eligible.analyses)
        counts["crystals of groups"] = {str(n): crystals[n] for n in range(1, 231)}
    return Fit(statistics, eligible.analyses, counts, min_crystals)


def _count(analyses: Sequence[Analysis]) -> dict[str, int]:
    """Crystals, structure types and space groups on one side of the split."""
    return {
        "crystals": len(analyses),
        "types": len({a.type_key for a in analyses}),
        "groups": len({a.space_group for a in analyses}),
    }


def summary(fit: Fit) -> str:
    """What went in, what was left out, and what the statistics look like."""
    return "\n".join([*_sides(fit), "", *_groups(fit), "", *_means(fit)])


def _sides(fit: Fit) -> list[str]:
    """Tables of both sides of the split, and of what was left out."""
    counts = fit.counts
    lines = [f"{'':24}{'crystals':>10}{'types':>10}{'groups':>10}"]
    for side in ("all", "statistics", "held out"):
        lines.append(f"{side:24}" + "".join(f"{n:10,}" for n in counts[side].values()))
    lines += [
        f"types, enantiomorphs counted separately: {counts['types, hands apart']:,}",
        "",
        "left out of the statistics",
    ]
    return lines + [f"  {why:40}{n:10,}" for why, n in counts["left out"].items()]


def _groups(fit: Fit) -> list[str]:
    """Table of the most frequent space groups."""
    statistics = fit.statistics
    counted = Counter(analysis.space_group for analysis in fit.analyses)
    crystals = np.array([counted[n] for n in statistics.space_groups.tolist()])
    kept, crystals_kept = len(statistics.space_groups), len(fit.analyses)
    few = int(np.sum(crystals < fit.min_crystals))
    borrow = f"; {few} have fewer than {fit.min_crystals} and borrow" if few else ""
    lines = [
        f"{kept} space groups are kept, with {crystals_kept:,} crystals{borrow}",
        f"{'group':14}{'crystals':>10}{'share':>10}",
    ]
    for row in np.argsort(-crystals, kind="stable")[:_COMMONEST]:
        number = int(statistics.space_groups[row])
        name = f"{number} {space_group(number).hermann_mauguin}"
        share = float(statistics.frequencies[row])
        lines.append(f"{name:14}{crystals[row]:10,}{share:10.2%}")
    return lines


def _means(fit: Fit) -> list[str]:
    """Means and medians over the crystals that were counted."""
    crystals = [analysis.standard for analysis in fit.analyses]
    sites = np.mean([analysis.sites[-1] + 1 for analysis in fit.analyses])
    elements = np.mean([len(np.unique(crystal.elements)) for crystal in crystals])
    volume = np.median([crystal.volume for crystal in crystals])
    packing = np.median(np.asarray(fit.statistics.packing_factors))
    ordered = np.mean([crystal.is_ordered for crystal in crystals])
    return [
        f"sites in the asymmetric unit, mean    {sites:10.2f}",
        f"elements, mean                        {elements:10.2f}",
        f"volume of the cell, median            {volume:10.1f} A^3",
        f"volume / atomic volumes, median       {packing:10.2f}",
        f"ordered crystals                      {ordered:10.1%}",
    ]
