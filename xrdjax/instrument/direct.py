"""Pseudo-Voigt peaks one by one: exact, for a single crystal.

A place of 1 radian in float32 is 3e-8 off, which is 1e-4 of a width of 0.02 degrees. So
points and lines are pairs of float32 of twice the precision (see ops/compensated.py), and
the distance of a line to the points starts from the one nearest to it.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax
from jaxtyping import Array, Float, Int

from xrdjax.instrument.effects import ALL_EFFECTS, Effects
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.instrument import Instrument
from xrdjax.instrument.specimen import Specimen
from xrdjax.instrument.widths import peak_widths
from xrdjax.ops.compensated import split

# Lines that are formed together.
_BLOCK = 128


@struct.dataclass
class DirectPeaks:
    """Peaks that are formed at each point of 2 theta by themselves.

    Attributes:
        two_theta: [T] radians.
        two_theta_rest: [T] what float32 leaves out of it.
        u: [T] 2 sin(theta).
        u_rest: [T] what float32 leaves out of it.
        u_range: [2] smallest and largest u = 2 sin(theta) that a line is shown at.
        effects: that the program computes; static.
    """

    two_theta: Float[Array | np.ndarray, " T"]
    two_theta_rest: Float[Array | np.ndarray, " T"]
    u: Float[Array | np.ndarray, " T"]
    u_rest: Float[Array | np.ndarray, " T"]
    u_range: Float[Array | np.ndarray, "2"]
    effects: Effects = struct.field(pytree_node=False, default=ALL_EFFECTS)


@functools.lru_cache(maxsize=16)
def direct_peaks(grid: TwoThetaGrid, effects: Effects = ALL_EFFECTS) -> DirectPeaks:
    """Peaks at the points of a grid, with NumPy leaves."""
    two_theta = np.deg2rad(grid.two_theta_deg)
    points = *split(two_theta), *split(2 * np.sin(two_theta / 2))
    return DirectPeaks(*points, grid.u_limits, effects)


def _offset(
    u: Float[Array, " H"], rest: Float[Array, " H"], peaks: DirectPeaks
) -> tuple[Int[Array, " H"], Float[Array, " H"]]:
    """A point near each line, and how far it is from the line in 2 theta, radians.

    2 sin A - 2 sin B = 4 cos((A + B) / 2) sin((A - B) / 2), with A and B half the angles
    of point and line: the small difference on the left is exact.
    """
    points = jnp.asarray(peaks.u)
    near = jnp.searchsorted(points, lax.stop_gradient(u))
    near = jnp.minimum(near, len(points) - 1)
    difference = (points[near] - u) + (jnp.asarray(peaks.u_rest)[near] - rest)
    mean = jnp.asarray(peaks.two_theta)[near] / 4 + jnp.arcsin(u / 2) / 2
    return near, 4 * jnp.arcsin(difference / (4 * jnp.cos(mean)))


def add_directly(
    pattern: Float[Array, " T"],
    u: tuple[Float[Array, " H"], Float[Array, " H"]],
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
        u: [H] 2 sin(theta) of each line, and the remainder of it.
        areas: [H] area in 2 theta times cos(theta); 0 on padding.
        instrument, specimen: give the widths.
        peaks: the points.
    """

    def add(pattern, block):
        return pattern + _sum_of_lines(*block, instrument, specimen, peaks), None

    missing = -len(areas) % _BLOCK
    blocks = [jnp.pad(array, (0, missing)).reshape(-1, _BLOCK) for array in (*u, areas)]
    # what a block needs is formed again for the gradient, as it would fill the memory
    return lax.scan(jax.checkpoint(add), pattern, blocks)[0]


def _sum_of_lines(
    u: Float[Array, " H"],
    u_rest: Float[Array, " H"],
    areas: Float[Array, " H"],
    instrument: Instrument,
    specimen: Specimen,
    peaks: DirectPeaks,
) -> Float[Array, " T"]:
    """The lines of one block."""
    place = jnp.where(areas > 0, u, 1.0)
    sine = place / 2
    cosine = jnp.sqrt(1 - sine**2)
    width, share = peak_widths(instrument, specimen, sine, cosine)
    near, offset = _offset(place, u_rest, peaks)
    angle, rest = jnp.asarray(peaks.two_theta), jnp.asarray(peaks.two_theta_rest)
    steps = angle[None] - angle[near][:, None]
    z = (steps + (rest[None] + (offset - rest[near])[:, None])) / width[:, None]
    lorentzian = 2 / math.pi / (1 + 4 * z**2)
    gaussian = 2 * math.sqrt(math.log(2) / math.pi) * jnp.exp(-4 * math.log(2) * z**2)
    height = areas / (cosine * width)
    shares = jnp.stack([height * share, height * (1 - share)])
    profiles = [
        jnp.matmul(share, profile, precision="highest")
        for share, profile in zip(shares, (lorentzian, gaussian), strict=True)
    ]
    return profiles[0] + profiles[1]
