"""How far confidences can be trusted: pure functions of arrays, in float64.

`logits` [n, K] are those of a network, or logarithms of its probabilities, which differ
by a constant for each pattern; `labels` [n] are rows of the true classes. `confidences`
[n] are the probabilities of the answers given, and `right` [n] whether they were right.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from xrdjax.evaluation.metrics import Proportion, proportion

# Temperatures that a fit can give.
COLDEST, HOTTEST = 1e-2, 1e2
# Stands for a probability of zero, which float32 rounds to.
_LEAST = 1e-38


class Reliability(NamedTuple):
    """Answers in bins of equal width of their confidence.

    Attributes:
        counts: [b] answers in each bin.
        confidence: [b] mean confidence; 0 in an empty bin.
        accuracy: [b] share of right answers; 0 in an empty bin.
    """

    counts: Int[np.ndarray, " b"]
    confidence: Float[np.ndarray, " b"]
    accuracy: Float[np.ndarray, " b"]


def to_logits(probabilities: Float[np.ndarray, "n K"]) -> Float[np.ndarray, "n K"]:
    """Logarithms of probabilities, finite where these are zero."""
    return np.log(np.maximum(probabilities.astype(np.float64), _LEAST))


def probabilities_at(
    logits: Float[np.ndarray, "n K"], temperature: float
) -> Float[np.ndarray, "n K"]:
    """Probabilities at a temperature T, exp(z / T) / sum exp(z / T).

    The ranking of the classes does not depend on T; the larger T is, the less certain
    are the answers.
    """
    scaled = logits.astype(np.float64) / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def fit_temperature(
    logits: Float[np.ndarray, "n K"], labels: Int[np.ndarray, " n"]
) -> float:
    """The temperature at which the true classes are most probable.

    min over T of the mean of -log p(label). In 1/T this is convex, with the derivative
    mean(sum_k p_k z_k - z_label), whose only zero is found by bisection.
    Guo, Pleiss, Sun and Weinberger, ICML 2017 (arXiv 1706.04599).

    Args:
        logits: [n, K] on patterns that the network was not trained on, n > 0.
        labels: [n] rows of their classes.

    Returns:
        T, within `COLDEST` and `HOTTEST`: answers that are all right are best as cold
        as can be.
    """
    z = logits.astype(np.float64)
    true = np.take_along_axis(z, labels[:, None], axis=1)[:, 0]

    def slope(log_temperature: float) -> float:
        p = probabilities_at(z, math.exp(log_temperature))
        return float(np.mean(np.sum(p * z, axis=1) - true))

    low, high = math.log(COLDEST), math.log(HOTTEST)
    if slope(low) <= 0:
        return COLDEST
    if slope(high) >= 0:
        return HOTTEST
    for _ in range(50):
        middle = (low + high) / 2
        # too cold: the answers are more certain than right
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return math.exp((low + high) / 2)


def reliability(
    confidences: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], bins: int = 15
) -> Reliability:
    """Mean confidence and accuracy of the answers in each bin of confidence."""
    bin_of = np.minimum((confidences * bins).astype(np.int64), bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    divisor = np.maximum(counts, 1)
    confidence, accuracy = (
        np.bincount(bin_of, weights=values.astype(np.float64), minlength=bins) / divisor
        for values in (confidences, right)
    )
    return Reliability(counts, confidence, accuracy)


def expected_calibration_error(
    confidences: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], bins: int = 15
) -> float:
    """Mean difference of confidence and accuracy over bins, weighted by their answers.

    ECE = sum_b n_b / n |accuracy_b - confidence_b|
    Naeini, Cooper and Hauskrecht, AAAI 2015; Guo et al. (2017).

    Args:
        confidences: [n] in [0, 1], n > 0.
        right: [n] whether each answer was right.
        bins: of equal width.
    """
    found = reliability(confidences, right, bins)
    differences = np.abs(found.accuracy - found.confidence)
    return float(np.average(differences, weights=found.counts))


def accuracy_at_coverage(
    confidences: Float[np.ndarray, " n"],
    right: Bool[np.ndarray, " n"],
    coverages: tuple[float, ...] = (1.0, 0.5, 0.2),
) -> dict[float, Proportion]:
    """Accuracy of the share of answers that are surest, for each share.

    Args:
        confidences: [n] of the answers, n > 0.
        right: [n] whether each was right.
        coverages: shares, in (0, 1]; each takes at least one answer.
    """
    order = np.argsort(-confidences, kind="stable")
    return {
        share: proportion(right[order[: max(1, round(share * len(order)))]])
        for share in coverages
    }


def refusal_confidence(
    confidences: Float[np.ndarray, " n"],
    right: Bool[np.ndarray, " n"],
    weights: Float[np.ndarray, " n"] | None = None,
) -> float:
    """Confidence below which answers are right less than half of the time.

    Accuracy as a function of confidence is taken to be the nondecreasing one that fits
    best (isotonic regression by pooling adjacent violators: Barlow, Bartholomew,
    Bremner and Brunk 1972), so that there are no bins to choose.

    Args:
        confidences: [n] of the answers.
        right: [n] whether each was right.
        weights: [n] of the answers, above 0; by default all count alike.

    Returns:
        The least confidence that should be believed; 0 if all should, infinite if none.
    """
    levels, level_of = np.unique(confidences, return_inverse=True)
    weights = np.ones(len(right)) if weights is None else weights
    counts = np.bincount(level_of, weights=weights).tolist()
    hits = np.bincount(level_of, weights=weights * right).tolist()
    blocks: list[tuple[float, float, float]] = []  # first level, hits, answers
    for level, hit, count in zip(levels.tolist(), hits, counts, strict=True):
        while blocks and blocks[-1][1] * count >= hit * blocks[-1][2]:
            level, more_hits, more = blocks.pop()
            hit, count = hit + more_hits, count + more
        blocks.append((level, hit, count))
    believed = [level for level, hit, count in blocks if 2 * hit >= count]
    if len(believed) == len(blocks):
        return 0.0
    return believed[0] if believed else math.inf
