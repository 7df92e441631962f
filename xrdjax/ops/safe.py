"""Functions that are singular somewhere, continued so that gradients stay finite.

`jnp.where(x > 0, jnp.sqrt(x), 0.0)` has a gradient of NaN at zero, because the branch
that is not taken is differentiated, too. Here the operand is replaced before the
function is applied, and the result after it. Outside the domain the value is constant
and its gradient zero; NaN stays NaN, so that an error is not mistaken for padding.

The functions work element by element, on NumPy arrays (in float64, say) and on JAX
arrays, traced or not, and return arrays of the same kind.
"""

from typing import TypeVar

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from xrdjax.ops.namespaces import namespace

AnyFloats = TypeVar("AnyFloats", bound=Array | np.ndarray | float)


def safe_sqrt(x: Float[AnyFloats, "..."]) -> Float[AnyFloats, "..."]:
    """Square root of x; 0 where x <= 0."""
    xp = namespace(x)
    outside = x <= 0
    return xp.where(outside, 0.0, xp.sqrt(xp.where(outside, 1.0, x)))


def safe_log(x: Float[AnyFloats, "..."]) -> Float[AnyFloats, "..."]:
    """Natural logarithm of x; minus infinity where x <= 0."""
    xp = namespace(x)
    outside = x <= 0
    return xp.where(outside, -jnp.inf, xp.log(xp.where(outside, 1.0, x)))


def safe_reciprocal(x: Float[AnyFloats, "..."]) -> Float[AnyFloats, "..."]:
    """1 / x; 0 where x is 0."""
    xp = namespace(x)
    zero = x == 0
    return xp.where(zero, 0.0, 1 / xp.where(zero, 1.0, x))


def safe_divide(
    numerator: Float[AnyFloats, "..."], denominator: Float[AnyFloats, "..."]
) -> Float[AnyFloats, "..."]:
    """numerator / denominator; 0 where the denominator is 0."""
    xp = namespace(numerator, denominator)
    zero = denominator == 0
    return xp.where(zero, 0.0, numerator / xp.where(zero, 1.0, denominator))
