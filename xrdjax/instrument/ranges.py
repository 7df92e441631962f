"""From what the quantities of instruments and specimens are sampled."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from xrdjax.errors import InputError

# A traced quantity of one instrument or specimen, or of a batch of them.
Scalar = Float[Array | np.ndarray, "*B"] | float


@dataclasses.dataclass(frozen=True)
class Spread:
    """A distribution between two values, which some of the patterns have.

    Attributes:
        low, high: least and largest value.
        log: whether the logarithm is uniform, instead of the value.
        share: of the patterns that have the effect; it is neutral for the others.

    Raises:
        InputError: there is no such distribution.
    """

    low: float
    high: float
    log: bool = False
    share: float = 1.0

    def __post_init__(self) -> None:
        if not -math.inf < self.low <= self.high < math.inf:
            raise InputError(
                f"a range runs from {self.low} to {self.high}: expected two finite "
                "numbers, the smaller one first"
            )
        if self.log and self.low <= 0:
            raise InputError(
                f"a logarithmic range begins at {self.low}: expected a number above 0"
            )
        if not 0 <= self.share <= 1:
            raise InputError(
                f"the share of patterns with an effect is {self.share}: expected a "
                "number from 0 to 1"
            )


# Two numbers are uniform between them.
Range = tuple[float, float] | Spread


def spread_of(ends: Range) -> Spread:
    """A range as a `Spread`."""
    return ends if isinstance(ends, Spread) else Spread(float(ends[0]), float(ends[1]))


def is_always(ends: Range, value: float) -> bool:
    """Whether a range holds one value only, or none has the effect."""
    spread = spread_of(ends)
    return spread.share == 0 or spread.low == spread.high == value


def sample_range(
    key: Key[Array, ""], ends: Range, count: int, neutral: float = 0.0
) -> Float[Array, " B"]:
    """Numbers [B] of a range; all the same where its ends are.

    Args:
        key: random key.
        ends: the range.
        count: how many.
        neutral: the value of those that do not have the effect.
    """
    spread = spread_of(ends)
    low, high = spread.low, spread.high
    if low == high:
        values = jnp.full(count, low, jnp.float32)
    elif spread.log:
        logs = jax.random.uniform(
            key, (count,), minval=math.log(low), maxval=math.log(high)
        )
        values = jnp.exp(logs)
    else:
        values = jax.random.uniform(key, (count,), minval=low, maxval=high)
    if spread.share == 1:
        return values
    has = jax.random.uniform(jax.random.fold_in(key, 1), (count,)) < spread.share
    return jnp.where(has, values, neutral)


def check_range(
    name: str, ends: Range, least: float = -math.inf, most: float = math.inf
) -> None:
    """Refuses a range that leaves the domain of its quantity.

    Args:
        name: of the quantity, with its unit.
        ends: the range.
        least, most: of the domain, both included.

    Raises:
        InputError: names the range and the domain.
    """
    low, high = (ends.low, ends.high) if isinstance(ends, Spread) else ends
    if not (-math.inf < low <= high < math.inf and least <= low and high <= most):
        domain = "" if least == -math.inf else f", {least:g} or more"
        domain += "" if most == math.inf else f" and at most {most:g}"
        raise InputError(
            f"{name} runs from {low} to {high}: expected two finite numbers{domain}, "
            "the smaller one first"
        )
