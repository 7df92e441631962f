"""Figures of merit of rankings of space groups: pure functions of arrays, on the host.

`probabilities` [n, K] has a row for each pattern and a column for each class; the
columns follow `space_groups` [K], the groups that a network was trained on. `labels`
[n] are rows of `space_groups`.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from xrdjax.symmetry.space_groups import space_group

CRYSTAL_SYSTEMS = (
    "triclinic",
    "monoclinic",
    "orthorhombic",
    "tetragonal",
    "trigonal",
    "hexagonal",
    "cubic",
)


class Proportion(NamedTuple):
    """A proportion of hits with its 95 % interval; NaN where there were no trials."""

    hits: int
    count: int  # type: ignore[assignment]  # in place of tuple.count
    fraction: float
    low: float
    high: float


def wilson_interval(
    hits: int, count: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Score interval of a binomial proportion.

    (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)
    Wilson, J. Am. Stat. Assoc. 22, 209 (1927).

    Args:
        hits: successes.
        count: trials, independent of each other; 0 gives (NaN, NaN).
        confidence: coverage of the two-sided interval.
    """
    if count == 0:
        return math.nan, math.nan
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    p = hits / count
    centre = p + z**2 / (2 * count)
    spread = z * math.sqrt(p * (1 - p) / count + (z / (2 * count)) ** 2)
    scale = 1 + z**2 / count
    # at p = 0 and p = 1 one end is exact; rounding may put it out of range by 1e-17
    low = 0.0 if hits == 0 else (centre - spread) / scale
    high = 1.0 if hits == count else (centre + spread) / scale
    return low, high


def proportion(hits: Bool[np.ndarray, " n"]) -> Proportion:
    """Proportion of True in `hits`, with its 95 % Wilson interval."""
    successes, count = int(np.sum(hits)), int(np.size(hits))
    fraction = successes / count if count else math.nan
    return Proportion(successes, count, fraction, *wilson_interval(successes, count))


def top_k_hits(
    probabilities: Float[np.ndarray, "n K"], labels: Int[np.ndarray, " n"], k: int
) -> Bool[np.ndarray, " n"]:
    """Whether each label is among the k most probable classes.

    Equal probabilities are ranked in the order of the columns, so that a constant
    answer does not count as right for every pattern.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return (order == labels[:, None]).any(axis=1)


def crystal_system_rows(space_groups: Int[np.ndarray, " K"]) -> Int[np.ndarray, " K"]:
    """Row of each group's crystal system in `CRYSTAL_SYSTEMS`."""
    systems = [space_group(n).crystal_system for n in space_groups.tolist()]
    return np.array([CRYSTAL_SYSTEMS.index(s) for s in systems], dtype=np.int64)


def enantiomorph_rows(space_groups: Int[np.ndarray, " K"]) -> Int[np.ndarray, " K"]:
    """Class of each group where each of the 11 enantiomorphic pairs is one class.

    Mirror images have the same powder pattern, so no method that sees only the pattern
    can distinguish the two groups. The class of a pair is the row of its first member;
    a group whose partner is absent is a class by itself.
    """
    row_of = {n: row for row, n in enumerate(space_groups.tolist())}
    partners = [space_group(n).enantiomorph for n in row_of]
    rows = [
        min(row, row_of.get(p, row)) if p is not None else row
        for row, p in enumerate(partners)
    ]
    return np.array(rows, dtype=np.int64)


def merge_classes(
    probabilities: Float[np.ndarray, "n K"], classes: Int[np.ndarray, " K"]
) -> Float[np.ndarray, "n K"]:
    """Sums the probabilities of the columns that share a class; [n, K] as before.

    Column `classes[k]` receives column k; columns that are merged into others are zero.
    """
    merged = np.zeros_like(probabilities)
    for column, target in enumerate(classes):
        merged[:, target] += probabilities[:, column]
    return merged


def confusion_matrix(
    true: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], size: int
) -> Int[np.ndarray, "size size"]:
    """Counts of (true row, predicted column)."""
    counts = np.zeros((size, size), dtype=np.int64)
    np.add.at(counts, (true, predicted), 1)
    return counts


def mean_over_types(
    hits: Bool[np.ndarray, " n"], type_keys: Sequence[str]
) -> tuple[float, int]:
    """Mean over structure types of the proportion of hits in each, and their number.

    Crystals of one type have similar patterns and are right or wrong together, so that
    a few common types dominate the plain proportion; here all types have equal weight.
    """
    if len(type_keys) == 0:
        return math.nan, 0
    _, index = np.unique(np.asarray(type_keys), return_inverse=True)
    proportions = np.bincount(index, weights=hits) / np.bincount(index)
    return float(proportions.mean()), len(proportions)


def score(
    probabilities: Float[np.ndarray, "n K"],
    labels: Int[np.ndarray, " n"],
    space_groups: Int[np.ndarray, " K"],
    frequencies: Float[np.ndarray, " K"],
    type_keys: Sequence[str] = (),
) -> dict[str, Any]:
    """All figures of merit for one set of patterns, ready for JSON.

    The frequency baseline answers every pattern with the groups in the order of their
    frequency, without regard to the pattern.

    Args:
        probabilities: [n, K] the network's answers.
        labels: [n] row of the true group.
        space_groups: [K] number of each column's group.
        frequencies: [K] relative frequency of each group in the statistics.
        type_keys: structure type of each pattern, if known, for the mean over types.
    """
    baseline = np.broadcast_to(np.asarray(frequencies), probabilities.shape)
    result = {
        **top1_and_top5(probabilities, labels),
        "top1_enantiomorphs_as_one": _top1_of_pairs(
            probabilities, labels, space_groups
        ),
        **_crystal_systems(probabilities, labels, space_groups),
        "frequency_baseline": {
            **top1_and_top5(baseline, labels),
            "top1_enantiomorphs_as_one": _top1_of_pairs(baseline, labels, space_groups),
        },
        "by_space_group": [
            {"space_group": number}
            | top1_and_top5(probabilities[labels == row], labels[labels == row])
            for row, number in enumerate(space_groups.tolist())
            if (labels == row).any()
        ],
    }
    if type_keys:
        mean, count = mean_over_types(top_k_hits(probabilities, labels, 1), type_keys)
        result["by_structure_type"] = {"types": count, "top1_mean": mean}
    return result


def top1_and_top5(
    probabilities: Float[np.ndarray, "n K"], labels: Int[np.ndarray, " n"]
) -> dict[str, dict]:
    """Proportions of patterns whose group is the most probable, and among five."""
    return {
        f"top{k}": proportion(top_k_hits(probabilities, labels, k))._asdict()
        for k in (1, 5)
    }


def _top1_of_pairs(
    probabilities: Float[np.ndarray, "n K"],
    labels: Int[np.ndarray, " n"],
    space_groups: Int[np.ndarray, " K"],
) -> dict[str, Any]:
    """Proportion of hits where the groups of an enantiomorphic pair count as one."""
    classes = enantiomorph_rows(space_groups)
    merged = merge_classes(probabilities, classes)
    return proportion(top_k_hits(merged, classes[labels], 1))._asdict()


def _crystal_systems(
    probabilities: Float[np.ndarray, "n K"],
    labels: Int[np.ndarray, " n"],
    space_groups: Int[np.ndarray, " K"],
) -> dict[str, Any]:
    """Accuracy and confusion of crystal systems; predicted is the top group's."""
    systems = crystal_system_rows(space_groups)
    true, predicted = systems[labels], systems[probabilities.argmax(axis=1)]
    confusion = confusion_matrix(true, predicted, len(CRYSTAL_SYSTEMS))
    return {
        "crystal_system_of_top1": proportion(predicted == true)._asdict(),
        "by_crystal_system": {
            name: top1_and_top5(probabilities[true == row], labels[true == row])
            for row, name in enumerate(CRYSTAL_SYSTEMS)
            if (true == row).any()
        },
        "confusion_by_crystal_system": {
            "systems": list(CRYSTAL_SYSTEMS),
            "counts": confusion.tolist(),
        },
    }
