"""Scores of the answers to measured patterns."""

import numpy as np
from jaxtyping import Float, Int

from xrdjax.checkpoints.calibration import Calibration
from xrdjax.evaluation.calibration import (
    accuracy_at_coverage,
    expected_calibration_error,
    fit_temperature,
    refusal_confidence,
    to_logits,
)
from xrdjax.symmetry.space_groups import space_group

_COVERAGES = (0.5, 0.2)


def _system(number: int) -> str:
    return space_group(int(number)).crystal_system


def weight_by_mineral(minerals: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Weights [n] that add up to one for the patterns of each mineral."""
    return 1 / np.bincount(minerals)[minerals]


def calibrate(
    probabilities: Float[np.ndarray, "n K"],
    groups: Int[np.ndarray, " K"],
    truth: Int[np.ndarray, " n"],
    minerals: Int[np.ndarray, " n"],
    step: int,
    source: str,
) -> Calibration:
    """Where a network refuses to answer, from its answers to measured patterns.

    The patterns of one mineral have the weight of one in the threshold, so that no
    mineral decides on it alone; shares are of patterns.
    """
    confidence = probabilities.max(axis=1)
    right = groups[probabilities.argmax(axis=1)] == truth
    threshold = refusal_confidence(confidence, right, weight_by_mineral(minerals))
    believed = confidence >= threshold
    return Calibration(
        step=step,
        refusal_confidence=round(threshold, 4),
        patterns=len(truth),
        source=source,
        top1=round(float(right.mean()), 4),
        believed=round(float(believed.mean()), 4),
        top1_believed=round(float(right[believed].mean()), 4)
        if believed.any()
        else 0.0,
    )


def scores(
    probabilities: Float[np.ndarray, "n K"],
    groups: Int[np.ndarray, " K"],
    truth: Int[np.ndarray, " n"],
    minerals: Int[np.ndarray, " n"],
) -> dict[str, float]:
    """Shares of right answers among all patterns, trained space groups or not.

    Args:
        probabilities: [n, K] of each space group.
        groups: [K] numbers of the space groups.
        truth: [n] number of each pattern's space group.
        minerals: [n] patterns with the same number count as one in `top1_by_mineral`.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")
    named = groups[order]
    first = named[:, 0] == truth
    confidence = probabilities.max(axis=1)
    covered = accuracy_at_coverage(confidence, first, _COVERAGES)
    weights = weight_by_mineral(minerals)
    systems = sorted({_system(g) for g in groups})
    members = np.array([[_system(g) == s for s in systems] for g in groups], float)
    answered = np.array(systems)[(probabilities @ members).argmax(axis=1)]
    known = np.isin(truth, groups)
    column = np.searchsorted(groups, truth[known])
    logs = np.log(np.maximum(probabilities[known, column], 1e-12))
    return {
        "patterns": len(truth),
        "in_its_groups": int(known.sum()),
        "top1": first.mean(),
        "top1_by_mineral": (first * weights).sum() / weights.sum(),
        "top5": (named[:, :5] == truth[:, None]).any(axis=1).mean(),
        "crystal_system": (answered == [_system(g) for g in truth]).mean(),
        **{f"top1_at_{share:.0%}": found.fraction for share, found in covered.items()},
        "confidence": confidence.mean(),
        "calibration_error": expected_calibration_error(confidence, first),
        "minus_log_p": -logs.mean(),
        "best_temperature": fit_temperature(to_logits(probabilities[known]), column),
        "refusal_confidence": refusal_confidence(confidence, first, weights),
    }
