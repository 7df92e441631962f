"""The one transformation between a powder pattern and the network."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def preprocess(patterns: Float[Array | np.ndarray, "*B T"]) -> Float[Array, "*B T"]:
    """Square root of the intensities, which raises weak reflections.

    Zaloga et al., Crystals 10 (2020) 1142; used by Schopmans et al. (2023).

    Args:
        patterns: [*B, T] intensities divided by the maximum of their pattern. Values
            below zero (from the subtraction of a measured background) become zero.

    Returns:
        [*B, T] input of the network, in [0, 1]. The gradient is zero, not infinite,
        where the intensity is zero.
    """
    # this comparison keeps NaN, so that it is noticed
    empty = patterns <= 0
    return jnp.where(empty, 0.0, jnp.sqrt(jnp.where(empty, 1.0, patterns)))
