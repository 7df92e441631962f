"""Pseudo-Voigt peaks one by one: exact, for a single crystal."""

import functools
import math

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float

from xrdjax.instrument.effects import ALL_EFFECTS, Effects
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.instrument import Instrument
from xrdjax.instrument.specimen import Specimen
from xrdjax.instrument.widths import peak_widths


@struct.dataclass
class DirectPeaks:
    """Peaks that are formed at each point of 2 theta by themselves.

    Attributes:
        two_theta: [T] radians.
        u_range: [2] smallest and largest u = 2 sin(theta) that a line is shown at.
        effects: that the program computes; static.
    """

    two_theta: Float[Array | np.ndarray, " T"]
    u_range: Float[Array | np.ndarray, "2"]
    effects: Effects = struct.field(pytree_node=False, default=ALL_EFFECTS)


@functools.lru_cache(maxsize=16)
def direct_peaks(grid: TwoThetaGrid, effects: Effects = ALL_EFFECTS) -> DirectPeaks:
    """Peaks at the points of a grid, with NumPy leaves."""
    two_theta = np.deg2rad(grid.two_theta_deg).astype(np.float32)
    return DirectPeaks(two_theta, grid.u_limits, effects)


def add_directly(
    pattern: Float[Array, " T"],
    u: Float[Array, " H"],
    areas: Float[Array, " H"],
    instrument: Instrument,
    specimen: Specimen,
    peaks: DirectPeaks,
) -> Float[Array, " T"]:
    """Adds lines to a pattern, each with its own width and shape at every point.

        share 2 / (pi (1 + 4 z^2)) + (1 - share) 2 sqrt(ln 2 / pi) exp(-4 ln 2 z^2)

    with z the distance over the width, and divided by the width.

    Args:
        pattern: [T] so far.
        u: [H] 2 sin(theta) of each line.
        areas: [H] area in 2 theta times cos(theta); 0 on padding.
        instrument, specimen: give the widths.
        peaks: the points.
    """
    sine = jnp.where(areas > 0, u, 1.0) / 2
    cosine = jnp.sqrt(1 - sine**2)
    width, share = peak_widths(instrument, specimen, sine, cosine)
    place = 2 * jnp.arcsin(sine)
    z = (jnp.asarray(peaks.two_theta)[None] - place[:, None]) / width[:, None]
    lorentzian = 2 / math.pi / (1 + 4 * z**2)
    gaussian = 2 * math.sqrt(math.log(2) / math.pi) * jnp.exp(-4 * math.log(2) * z**2)
    height = areas / (cosine * width)
    shares = jnp.stack([height * share, height * (1 - share)])
    return pattern + shares[0] @ lorentzian + shares[1] @ gaussian
