"""Specimens of several phases."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from xrdjax.instrument.ranges import Range, sample_range
from xrdjax.ops.safe import safe_reciprocal


def mix_phases(
    key: Key[Array, ""], patterns: Float[Array, "B T"], weights: Range
) -> Float[Array, "B T"]:
    """Adds to each pattern those of two others of the batch, with random weights.

    Args:
        key: random key of the weights.
        patterns: [B, T] with maximum 1; the order must be random.
        weights: range of each weight.

    Returns:
        [B, T] with maximum 1.
    """
    count = patterns.shape[0]
    mixed = patterns
    for number, one in enumerate(jax.random.split(key, 2), start=1):
        weight = sample_range(one, weights, count)
        mixed += weight[:, None] * jnp.roll(patterns, number, axis=0)
    return mixed * safe_reciprocal(jnp.max(mixed, axis=1, keepdims=True))
