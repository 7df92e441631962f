"""Pseudo-Voigt peaks whose width changes with the angle, all of them at once.

On the coordinate x with dx = d(2 theta) / FWHM(2 theta) every peak has the width one. So
all Gaussian parts are one convolution on a uniform grid of x, all Lorentzian parts
another, and both are done by FFT, at a cost that does not depend on the number of lines.
What is left out is that the width changes under a peak itself: 4e-4 of the maximum in the
median, 4e-3 where strain makes the width grow tenfold from 5 to 90 degrees.

Lines are spread over the grid by cubic B-splines, and the pattern is read from it by
them; what they smooth is divided out in Fourier space, so that four nodes a width
suffice.
"""

import functools
import math

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

# Intervals of the table of x over u = 2 sin(theta).
_INTERVALS = 255
# Share of the grid of x that keeps the tails of one end out of the other.
_MARGIN = 1 / 16
# Nodes of a full width at half maximum, at least.
_NODES_PER_WIDTH = 4.0
_TAPS = 4


@struct.dataclass
class PseudoVoigtGrid:
    """Where peaks of changing width are formed and read.

    Attributes:
        u: [N] even nodes of the table of widths, u = 2 sin(theta).
        intervals: [T] interval of the table that each point of 2 theta lies in.
        fractions: [T] and where in it, 0 to 1.
        u_range: [2] smallest and largest u that a line is shown at.
        size: number M of nodes of the grid of x; static.
        effects: that the program computes; static.
    """

    u: Float[Array | np.ndarray, " N"]
    intervals: Int[Array | np.ndarray, " T"]
    fractions: Float[Array | np.ndarray, " T"]
    u_range: Float[Array | np.ndarray, "2"]
    size: int = struct.field(pytree_node=False)
    effects: Effects = struct.field(pytree_node=False, default=ALL_EFFECTS)

    @property
    def step(self) -> Array:
        """Interval of the table, in u."""
        return jnp.asarray(self.u[1] - self.u[0])


@functools.lru_cache(maxsize=16)
def pseudo_voigt_grid(
    grid: TwoThetaGrid, size: int = 8192, effects: Effects = ALL_EFFECTS
) -> PseudoVoigtGrid:
    """The grid on which pseudo-Voigt peaks are formed.

    Args:
        grid: of 2 theta.
        size: number of nodes; a quarter of it is about how many peaks may stand side by
            side in the range.
        effects: that the program computes.

    Returns:
        PseudoVoigtGrid with NumPy leaves.
    """
    low, high = grid.u_limits.astype(float)
    u = np.linspace(low, high, _INTERVALS + 1)
    points = 2 * np.sin(np.deg2rad(grid.two_theta_deg) / 2)
    position = np.clip((points - low) / (u[1] - u[0]), 0, _INTERVALS)
    intervals = np.minimum(position.astype(np.int32), _INTERVALS - 1)
    return PseudoVoigtGrid(
        u=u.astype(np.float32),
        intervals=intervals,
        fractions=(position - intervals).astype(np.float32),
        u_range=grid.u_limits,
        size=size,
        effects=effects,
    )


@struct.dataclass
class WidthMap:
    """The coordinate x of one pattern, in nodes of its grid, over u.

    Attributes:
        x: [N] at the nodes of the table.
        rate: [N] dx / du there.
        share: [N] of the Lorentzian there.
        width: [] nodes of a full width at half maximum, the same for all peaks.
    """

    x: Float[Array, " N"]
    rate: Float[Array, " N"]
    share: Float[Array, " N"]
    width: Float[Array, ""]


def width_map(
    instrument: Instrument, specimen: Specimen, grid: PseudoVoigtGrid
) -> WidthMap:
    """The coordinate in which all peaks of a pattern have the same width."""
    sine = jnp.asarray(grid.u) / 2
    cosine = jnp.sqrt(1 - sine**2)
    fwhm, share = peak_widths(instrument, specimen, sine, cosine)
    rate = 1 / (fwhm * cosine)  # du = cos(theta) d(2 theta)
    steps = (rate[1:] + rate[:-1]) * (grid.step / 2)
    x = jnp.concatenate([jnp.zeros(1), jnp.cumsum(steps)])
    width = grid.size * (1 - _MARGIN) / x[-1]
    first = grid.size * _MARGIN / 2
    return WidthMap(x * width + first, rate * width, share, width)


def is_too_narrow(widths: WidthMap) -> Array:
    """Whether the grid of x is too coarse for the peaks."""
    return widths.width < _NODES_PER_WIDTH


def _x_of(
    widths: WidthMap,
    interval: Int[Array, " H"],
    fraction: Float[Array, " H"],
    step: Float[Array, ""],
) -> tuple[Float[Array, " H"], Float[Array, " H"]]:
    """x, and dx / du, which is linear in each interval of the table."""
    start, end = widths.rate[interval], widths.rate[interval + 1]
    rise = fraction * (end - start)
    x = widths.x[interval] + step * fraction * (start + rise / 2)
    return x, start + rise


def _spline_weights(fraction: Float[Array, " H"]) -> Float[Array, "4 H"]:
    """Cubic B-spline at the nodes -1, 0, 1 and 2 for a point between 0 and 1."""
    f, g = fraction, 1 - fraction
    inner = 2 / 3 - f * f * (1 - f / 2)
    return jnp.stack([g * g * g / 6, inner, 2 / 3 - g * g * (1 - g / 2), f * f * f / 6])


def add_pseudo_voigts(
    combs: Float[Array, "2 M"],
    u: Float[Array, " H"],
    areas: Float[Array, " H"],
    widths: WidthMap,
    grid: PseudoVoigtGrid,
) -> Float[Array, "2 M"]:
    """Adds lines to the combs of the Gaussian and the Lorentzian parts.

    Args:
        combs: [2, M] the lines so far.
        u: [H] 2 sin(theta) of each line, in the grid's range where its area is not 0.
        areas: [H] area in 2 theta times cos(theta); 0 on padding.
        widths: of the pattern.
        grid: of the peaks.
    """
    position = jnp.clip((u - grid.u[0]) / grid.step, 0.0, _INTERVALS - 1e-3)
    interval = position.astype(jnp.int32)
    fraction = position - interval.astype(jnp.float32)
    x, rate = _x_of(widths, interval, fraction, grid.step)
    start = widths.share[interval]
    share = start + fraction * (widths.share[interval + 1] - start)
    x, height, share = lax.optimization_barrier((x, areas * rate, share))
    node = jnp.floor(x)
    spread = height[None] * _spline_weights(x - node)
    index = node.astype(jnp.int32)[None] + jnp.arange(-1, 3)[:, None]
    parts = spread[None] * jnp.stack([1 - share, share])[:, None]
    parts, index = lax.optimization_barrier((parts, index))
    return combs.at[:, index].add(parts, mode="drop")


def read_pseudo_voigts(
    combs: Float[Array, "2 M"], widths: WidthMap, grid: PseudoVoigtGrid
) -> Float[Array, " T"]:
    """Convolves the combs with their profiles and reads the pattern in 2 theta."""
    size = grid.size
    k = (2 * math.pi / size) * np.arange(size // 2 + 1)
    smoothing = np.sinc(k / (2 * math.pi)) ** 8  # of both B-splines
    phase = jnp.asarray(k, jnp.float32) * widths.width
    gaussian = jnp.exp(-(phase**2) / (16 * math.log(2)))
    lorentzian = jnp.exp(-phase / 2)
    factors = (
        jnp.stack([gaussian, lorentzian]) / jnp.asarray(smoothing, jnp.float32)[None]
    )
    spectra = jnp.fft.rfft(combs) * factors.astype(jnp.complex64)
    profile = jnp.fft.irfft(spectra[0] + spectra[1], size)
    x, _ = _x_of(
        widths, jnp.asarray(grid.intervals), jnp.asarray(grid.fractions), grid.step
    )
    node = jnp.floor(x)
    weights = _spline_weights(x - node)
    index = node.astype(jnp.int32) - 1
    profile, weights, index = lax.optimization_barrier((profile, weights, index))

    def add_node(n, total):
        return total + weights[n] * profile[index + n]

    return lax.fori_loop(0, _TAPS, add_node, jnp.zeros(index.shape[0]))
