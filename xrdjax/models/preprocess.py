"""Transformations of a powder pattern into the input of a network."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def preprocess(patterns: Float[Array | np.ndarray, "*B T"]) -> Float[Array, "*B T"]:
    """Square root of the intensities, which enhances weak reflections.

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


def lift_weak_lines(roots: Float[Array, "*B T"]) -> Float[Array, "*B T 3"]:
    """Three channels, which show strong, medium and weak lines.

    [5 r, 5/2 sqrt(r), 5/16 log(1 + 3000 r)], r = sqrt(I / max)
    Whether a line is weak or systematically absent decides between space groups: at
    1e-6 of the highest intensity the channels are 0.005, 0.08 and 0.43.

    Args:
        roots: [*B, T] from `preprocess`.

    Returns:
        [*B, T, 3]; the gradient is finite where a root is zero.
    """
    empty = roots <= 0
    fourth_roots = jnp.where(empty, 0.0, jnp.sqrt(jnp.where(empty, 1.0, roots)))
    logarithms = jnp.log1p(3000 * roots)
    return jnp.stack([5 * roots, 2.5 * fourth_roots, 5 / 16 * logarithms], axis=-1)
