"""Counting statistics of a detector."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key


def count_photons(
    key: Key[Array, ""], expected: Float[Array, "*B T"], counts: Float[Array, "*B"]
) -> Float[Array, "*B T"]:
    """Intensities as a detector counts them, in the unit of what was expected.

    The square root of a Poisson number has nearly the variance 1/4, whatever its mean;
    Anscombe, Biometrika 35 (1948) 246:

        n = (sqrt(N y + 3/8) + z / 2)^2 - 5/8,  z normal

    has the mean N y and the variance N y + 1/2, and costs a tenth of a Poisson number.
    A detector of electronic noise has that last half, too.

    Args:
        key: random key.
        expected: [*B, T] intensity y, 0 or more.
        counts: [*B] counts N where the intensity is 1; 0 for no noise at all.
    """
    scale = jnp.where(counts > 0, counts, 1.0)[..., None]
    noise = jax.random.normal(key, expected.shape) / 2
    root = jnp.maximum(jnp.sqrt(scale * expected + 3 / 8) + noise, 0.0)
    counted = jnp.maximum(root**2 - 5 / 8, 0.0) / scale
    return jnp.where((counts > 0)[..., None], counted, expected)
