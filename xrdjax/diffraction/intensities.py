"""From structure factors to the intensities of powder lines."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def lorentz_polarization(sine: Float[Array, " H"]) -> Float[Array, " H"]:
    """Lorentz-polarization factor of an unpolarized beam, powder geometry.

    LP = (1 + cos^2 2theta) / (sin^2 theta cos theta)
    International Tables for Crystallography C, ch. 6.2; written with
    cos 2theta = 1 - 2 sin^2 theta, which needs no trigonometric function.

    Args:
        sine: [H] sin(theta) of the Bragg angle, in (0, 1).
    """
    squared = sine**2
    return (1 + (1 - 2 * squared) ** 2) / (squared * jnp.sqrt(1 - squared))


def relative_height(
    sine: Float[Array, " H"], polarization: Float[Array, ""] | float = 1.0
) -> Float[Array, " H"]:
    """LP cos(theta) = (1 + A cos^2 2theta) / sin^2 theta, without a root.

    What the height of a line has of the angle, if its area is m |F|^2 LP and its width
    in 2 theta grows as 1 / cos(theta).

    Args:
        sine: [H] sin(theta) of the Bragg angle, in (0, 1).
        polarization: [] A = cos^2 2theta of a monochromator; 1 without one.
            International Tables for Crystallography C, ch. 6.2.
    """
    squared = sine**2
    return (1 + polarization * (1 - 2 * squared) ** 2) / squared
