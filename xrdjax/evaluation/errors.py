"""Why a network errs, in crystallographic terms: pure functions of arrays.

Arrays are those of `xrdjax.evaluation.metrics`. An error with the right extinction
symbol could have been avoided only by use of the intensities; one that also has the
right Laue class, only by intensities that distinguish, say, a mirror plane from a
twofold axis.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from xrdjax.evaluation.classes import class_rows, sum_probabilities
from xrdjax.evaluation.metrics import (
    CRYSTAL_SYSTEMS,
    crystal_system_rows,
    proportion,
    top_k_hits,
)

_QUARTILES = (0.25, 0.5, 0.75)


def summed_accuracies(
    probabilities: Float[np.ndarray, "n K"],
    labels: Int[np.ndarray, " n"],
    space_groups: Int[np.ndarray, " K"],
) -> dict[str, dict[str, Any]]:
    """Top-1 accuracy of each kind of class, by summed probabilities.

    Args:
        probabilities: [n, K] the network's answers.
        labels: [n] row of the true group.
        space_groups: [K] number of each column's group.

    Returns:
        For each kind of `classes.KINDS`, the number of classes and the proportion.
    """
    return {
        kind: {
            "classes": len(sums.names),
            "top1": proportion(
                top_k_hits(sums.probabilities, sums.rows[labels], 1)
            )._asdict(),
        }
        for kind, sums in sum_probabilities(probabilities, space_groups).items()
    }


def ideal_answers(
    labels: Int[np.ndarray, " n"],
    space_groups: Int[np.ndarray, " K"],
    frequencies: Float[np.ndarray, " K"],
    kinds: tuple[str, ...] = ("extinction_symbol",),
) -> Int[np.ndarray, " n"]:
    """Answers of a reader who knows some classes exactly, and nothing else.

    The answer is the most frequent of the groups that agree with the true one in these
    classes. The extinction symbol, with the crystal family, implies the lattice.

    Args:
        labels: [n] row of the true group.
        space_groups: [K] number of each group.
        frequencies: [K] relative frequency of each group in the statistics.
        kinds: of `classes.KINDS`.

    Returns:
        [n] rows of the groups answered.
    """
    keys = np.stack([class_rows(kind, space_groups)[1] for kind in kinds], axis=1)
    agree = np.all(keys[:, None] == keys[None], axis=-1)
    return np.where(agree, frequencies, -1.0).argmax(axis=1)[labels]


def positions_ceiling(
    labels: Int[np.ndarray, " n"],
    space_groups: Int[np.ndarray, " K"],
    frequencies: Float[np.ndarray, " K"],
) -> dict[str, dict[str, Any]]:
    """Top-1 accuracy that `ideal_answers` reach, without and with the Laue class."""
    readers = {
        "extinction_symbol": ("extinction_symbol",),
        "extinction_symbol_and_laue_class": ("extinction_symbol", "laue_class"),
    }
    return {
        name: proportion(
            ideal_answers(labels, space_groups, frequencies, kinds) == labels
        )._asdict()
        for name, kinds in readers.items()
    }


def explain_errors(
    probabilities: Float[np.ndarray, "n K"],
    labels: Int[np.ndarray, " n"],
    space_groups: Int[np.ndarray, " K"],
    line_counts: Int[np.ndarray, " n"] | None = None,
) -> dict[str, Any]:
    """What the wrong answers get right, by crystal system and number of lines.

    Args:
        probabilities: [n, K] the network's answers; the most probable group counts.
        labels: [n] row of the true group.
        space_groups: [K] number of each column's group.
        line_counts: [n] lines of each pattern, if known.

    Returns:
        `_about_errors` of "all" patterns, "by_crystal_system" and, where they are
        known, "by_number_of_lines" in quartiles, each with the range of its "lines".
    """
    answers = probabilities.argmax(axis=1)
    systems = crystal_system_rows(space_groups)[labels]

    def about(chosen: Bool[np.ndarray, " n"]) -> dict[str, Any]:
        return _about_errors(answers[chosen], labels[chosen], space_groups)

    result: dict[str, Any] = {
        "all": about(np.full(len(labels), True)),
        "by_crystal_system": {
            name: about(systems == row)
            for row, name in enumerate(CRYSTAL_SYSTEMS)
            if (systems == row).any()
        },
    }
    if line_counts is not None:
        result["by_number_of_lines"] = [
            {"lines": [int(line_counts[part].min()), int(line_counts[part].max())]}
            | about(part)
            for part in _quarters(line_counts)
        ]
    return result


def _quarters(values: Int[np.ndarray, " n"]) -> list[Bool[np.ndarray, " n"]]:
    """Which values are in each quartile; equal values stay together."""
    quarter = np.searchsorted(np.quantile(values, _QUARTILES), values)
    return [quarter == number for number in np.unique(quarter)]


def _about_errors(
    answers: Int[np.ndarray, " n"],
    labels: Int[np.ndarray, " n"],
    space_groups: Int[np.ndarray, " K"],
) -> dict[str, Any]:
    """Proportion of errors, and how often their group agrees with the true one.

    Without any errors, the shares are None.
    """
    wrong = answers != labels

    def same(kind: str) -> Bool[np.ndarray, " e"]:
        rows = class_rows(kind, space_groups)[1]
        return rows[answers[wrong]] == rows[labels[wrong]]

    lattice, symbol = same("bravais_lattice"), same("extinction_symbol")
    laue = same("laue_class")
    shares = {
        "right_bravais_lattice": lattice,
        "right_extinction_symbol": symbol,
        "right_laue_class": laue,
        "right_extinction_symbol_and_laue_class": symbol & laue,
    }
    return {"errors": proportion(wrong)._asdict()} | {
        name: proportion(hits)._asdict() if wrong.any() else None
        for name, hits in shares.items()
    }
