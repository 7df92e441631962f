"""Whether a network is right as often as it says."""

import math

import numpy as np
from jaxtyping import Bool, Float, Int

_BINS = 15
# Search of the logarithm of the temperature: range, and steps of a golden section.
_RANGE = (-2.0, 2.0)
_STEPS = 60
_GOLDEN = (math.sqrt(5) - 1) / 2


def calibration_error(
    confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"]
) -> float:
    """Expected calibration error over 15 even bins of confidence.

    sum_b |sum of confidences in b - number of right answers in b| / n; Guo et al., On
    calibration of modern neural networks, ICML (2017).

    Args:
        confidence: [n] probability of the most probable answer.
        right: [n] whether it is right.
    """
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [
        abs(confidence[bins == b].sum() - right[bins == b].sum()) for b in range(_BINS)
    ]
    return float(np.sum(gaps) / len(right))


def at_temperature(
    probabilities: Float[np.ndarray, "n K"], temperature: float
) -> Float[np.ndarray, "n K"]:
    """Probabilities whose logits are divided by a temperature."""
    logits = np.log(np.maximum(probabilities.astype(np.float64), 1e-300)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(
    probabilities: Float[np.ndarray, "n K"], rows: Int[np.ndarray, " n"]
) -> float:
    """The temperature at which right answers have the greatest likelihood.

    The mean of -log p is convex in 1 / temperature, so that it has one minimum.

    Args:
        probabilities: [n, K] at temperature 1.
        rows: [n] column of the right answer.
    """

    def loss(log_temperature: float) -> float:
        scaled = at_temperature(probabilities, math.exp(log_temperature))
        right = scaled[np.arange(len(rows)), rows]
        return float(-np.log(np.maximum(right, 1e-300)).mean())

    low, high = _RANGE
    for _ in range(_STEPS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return math.exp((low + high) / 2)
