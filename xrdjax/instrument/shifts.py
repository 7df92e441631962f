"""Where an instrument puts a line that belongs at 2 theta."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from xrdjax.instrument.instrument import Instrument


def line_shift(
    instrument: Instrument, sine: Float[Array, " H"], cosine: Float[Array, " H"]
) -> Float[Array, " H"]:
    """Shift of each line in 2 theta, radians.

    zero - 2 (s / R) cos(theta) - sin(2 theta) / (2 mu R): a surface that lies s below
    the axis, and a beam that penetrates the specimen, both lower the angles.
    International Tables for Crystallography H, ch. 3.1.

    Args:
        instrument: zero, displacement s / R and transparency 1 / (mu R).
        sine, cosine: [H] of the Bragg angle theta.
    """
    zero = jnp.deg2rad(instrument.zero_deg)
    transparency = instrument.transparency * sine * cosine
    return zero - 2 * instrument.displacement * cosine - transparency


def largest_shift(instrument: Instrument) -> Float[Array, ""]:
    """Bound of `line_shift` at any angle, radians."""
    return (
        jnp.abs(jnp.deg2rad(instrument.zero_deg))
        + 2 * jnp.abs(instrument.displacement)
        + instrument.transparency / 2
    )


def shift_of_u(
    instrument: Instrument, sine: Float[Array, " H"], cosine: Float[Array, " H"]
) -> Float[Array, " H"]:
    """Shift of each line in u = 2 sin(theta), 2 sin(theta + half) - 2 sin(theta).

    The sine and cosine of half the shift in 2 theta are their Taylor series, right to
    3e-9 up to shifts of 5 degrees.

    Args:
        instrument: see `line_shift`.
        sine, cosine: [H] of the Bragg angle theta.
    """
    half = line_shift(instrument, sine, cosine) / 2
    squared = half**2
    return 2 * cosine * half * (1 - squared / 6) - sine * squared * (1 - squared / 12)
