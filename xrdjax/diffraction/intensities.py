"""From structure factors to the intensities of powder lines."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def lorentz_polarization(theta: Float[Array, " H"]) -> Float[Array, " H"]:
    """Lorentz-polarization factor of an unpolarized beam, powder geometry.

    LP = (1 + cos^2 2theta) / (sin^2 theta cos theta)
    International Tables for Crystallography C, ch. 6.2.

    Args:
        theta: [H] Bragg angle, radians, in (0, pi/2).
    """
    return (1 + jnp.cos(2 * theta) ** 2) / (jnp.sin(theta) ** 2 * jnp.cos(theta))


def lorentz_polarization_of_sine(sine: Float[Array, " H"]) -> Float[Array, " H"]:
    """`lorentz_polarization` from sin(theta), without a trigonometric function.

    cos 2theta = 1 - 2 sin^2 theta.

    Args:
        sine: [H] sin(theta), in (0, 1).
    """
    squared = sine**2
    return (1 + (1 - 2 * squared) ** 2) / (squared * jnp.sqrt(1 - squared))


def line_intensities(
    multiplicity: Float[Array, " H"],
    squared_magnitude: Float[Array, " H"],
    s: Float[Array, " H"],
    wavelength: float,
) -> Float[Array, " H"]:
    """Integrated intensity of each line, I = m |F|^2 LP, arbitrary scale.

    Args:
        multiplicity: [H] reflections in the line's family; 0 on padding.
        squared_magnitude: [H] |F|^2, square electrons.
        s: [H] 1/d, 1/angstrom; anything on padding.
        wavelength: angstrom.

    Returns:
        [H] intensities; 0 with a gradient of 0 on padding.
    """
    real = multiplicity > 0
    sine = jnp.where(real, s * wavelength / 2, 0.5)
    factor = lorentz_polarization_of_sine(sine)
    return jnp.where(real, multiplicity * squared_magnitude * factor, 0.0)
