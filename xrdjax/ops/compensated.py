"""Sums and products of float32 with the part that rounding leaves out.

A number of twice the precision is a pair: its nearest float32 and a remainder. The
transformations are exact where the compiler keeps the order of operations, as XLA does;
fused multiplications and additions make them no worse.
"""

import functools
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# 2^12 + 1 parts the 24 bits of a float32 into two halves.
_SPLITTER = 4097.0

Pair = tuple[Array, Array]


def two_sum(a: Float[Array, "..."], b: Float[Array, "..."]) -> Pair:
    """a + b and its rounding error; Knuth, The Art of Computer Programming 2, 4.2.2."""
    total = a + b
    other = total - a
    return total, (a - (total - other)) + (b - other)


def two_product(a: Float[Array, "..."], b: Float[Array, "..."]) -> Pair:
    """a b and its rounding error; Dekker, Numer. Math. 18 (1971) 224."""
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    product = a * b
    error = a_high * b_high - product
    return product, (error + a_high * b_low + a_low * b_high) + a_low * b_low


def _halves(x: Float[Array, "..."]) -> Pair:
    scaled = _SPLITTER * x
    high = scaled - (scaled - x)
    return high, x - high


def sum_of_pairs(pairs: Sequence[Pair]) -> Pair:
    """The sum of several numbers of twice the precision."""
    high, low = pairs[0]
    for other, rest in pairs[1:]:
        high, error = two_sum(high, other)
        low = low + (rest + error)
    return high, low


def total_of(pairs: Sequence[Pair]) -> Array:
    """The sum of pairs as one number, right even where they cancel."""
    return functools.reduce(jnp.add, sum_of_pairs(pairs))


def split(x: Float[np.ndarray, "..."]) -> tuple[np.ndarray, np.ndarray]:
    """A float64 array as float32 and the remainder."""
    high = x.astype(np.float32)
    return high, (x - high).astype(np.float32)
