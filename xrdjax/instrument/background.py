"""What lies under the peaks: air, sample holder, fluorescence, glass."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Key

from xrdjax.instrument.ranges import Range, Scalar, sample_range

# Humps of amorphous scatterers, at most, and their places and widths in degrees.
_HUMPS = 3
_PLACES = (10.0, 60.0)
_SIGMAS = (3.0, 15.0)
# Terms of the polynomial, and the rise towards the primary beam (at 10 degrees).
_SLOPE, _CURVATURE, _RISE = 0.7, 0.4, 2.0


@struct.dataclass
class Background:
    """A smooth background.

        level * shape / mean(shape)
        shape = 1 + a t + b t^2 + c 10 / (2 theta) + sum of h exp(-((2 theta - p) / w)^2 / 2)

    with t from -1 to 1 over the range and 2 theta in degrees.

    Attributes:
        level: [] mean, in units of the highest peak.
        slope: [] a.
        curvature: [] b.
        rise: [] c, towards the primary beam.
        humps: [3] heights h.
        places: [3] p, degrees.
        sigmas: [3] w, degrees.
    """

    level: Scalar
    slope: Scalar
    curvature: Scalar
    rise: Scalar
    humps: Float[Array | np.ndarray, "*B 3"]
    places: Float[Array | np.ndarray, "*B 3"]
    sigmas: Float[Array | np.ndarray, "*B 3"]


def background_curve(
    background: Background, two_theta_deg: Float[Array | np.ndarray, " T"]
) -> Float[Array, " T"]:
    """The background at each angle, in units of the highest peak; never negative."""
    angle = jnp.asarray(two_theta_deg, jnp.float32)
    t = 2 * (angle - angle[0]) / (angle[-1] - angle[0]) - 1
    shape: Any = 1 + background.slope * t + background.curvature * t**2
    shape = shape + background.rise * 10 / angle
    for height, place, sigma in zip(
        background.humps, background.places, background.sigmas, strict=True
    ):
        shape = shape + height * jnp.exp(-(((angle - place) / sigma) ** 2) / 2)
    shape = jnp.maximum(shape, 0.0)
    return background.level * shape / jnp.mean(shape)


def sample_backgrounds(key: Key[Array, ""], level: Range, count: int) -> Background:
    """Backgrounds [B] of a range of levels and of shapes as diffractometers show them.

    Each of the three humps is there in a third of the patterns.
    """
    keys = jax.random.split(key, 7)
    humps = jax.random.uniform(keys[4], (count, _HUMPS), minval=-4.0, maxval=2.0)

    def uniform(key, low, high, shape):
        return jax.random.uniform(key, shape, minval=low, maxval=high)

    return Background(
        level=sample_range(keys[0], level, count),
        slope=uniform(keys[1], -_SLOPE, _SLOPE, (count,)),
        curvature=uniform(keys[2], -_CURVATURE, _CURVATURE, (count,)),
        rise=uniform(keys[3], 0.0, _RISE, (count,)),
        humps=jnp.maximum(humps, 0.0),
        places=uniform(keys[5], *_PLACES, (count, _HUMPS)),
        sigmas=uniform(keys[6], *_SIGMAS, (count, _HUMPS)),
    )
