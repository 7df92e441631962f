"""Peak profiles: from powder lines to a pattern on a grid of 2 theta.

With u = 2 sin(theta) = wavelength / d, a width that grows as 1 / cos(theta) in 2 theta,
as that of small crystallites does, is the same for every line. So all peaks are one
convolution on a uniform grid of u, done by FFT at a cost that does not depend on the
number of lines. The grid depends on neither the wavelength nor the width, so that both
are traced.

A Gaussian in 2 theta is not quite one in u, since the map between them bends. With
v = u - u_line, 2 theta - 2 theta_line = (v + q v^2) / cos(theta) with
q = sin(theta) / (4 cos^2 theta), so with z = v / sigma

    exp(-(z + q sigma z^2)^2 / 2) = exp(-z^2 / 2) (1 - q sigma z^3) + O((q sigma)^2)

and q sigma is 0.001 at 90 degrees for 20 nm. Since z^3 exp(-z^2 / 2) is made of
the Gaussian's first and third derivative, that term follows from the derivatives
of the convolved pattern; what is left out is below 2e-5 of a peak there. It grows
with q: 4e-4 at 150 degrees, 1 % at 170.
"""

import functools
import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax
from jaxtyping import Array, Float, Int

from xrdjax.errors import InputError
from xrdjax.instrument.effects import ALL_EFFECTS, Effects
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.ranges import Scalar
from xrdjax.instrument.widths import SCHERRER_K
from xrdjax.ops.safe import safe_reciprocal

_FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))
# Nodes of the grid of u per standard deviation of the narrowest peak, at least.
# Six-point interpolation of a Gaussian is then wrong by 15/720 * 3.5 / 3.5^6 = 4e-5.
_NODES_PER_SIGMA = 3.5
# Distance, in standard deviations, beyond which a peak is left out of the grid.
_REACH = 5.5
_TAPS = 6
_MOST_NODES = 2**22


def peak_sigma(wavelength: Scalar, size_nm: Scalar, gaussian_deg: Scalar = 0.0) -> Any:
    """Standard deviation of a peak in u = 2 sin(theta).

    FWHM(2 theta) cos(theta) = sqrt((K wavelength / L)^2 + P), where the first term is
    the formula of Scherrer (1918), K = 0.9, and the second the instrument's.

    Args:
        wavelength: [] angstrom.
        size_nm: [] size L of the crystallites, nanometres.
        gaussian_deg: [] sqrt(P), degrees.

    Returns:
        [] standard deviation; a float where all arguments are.
    """
    scherrer = SCHERRER_K * wavelength / (10 * size_nm)
    squared = scherrer**2 + (gaussian_deg * (math.pi / 180)) ** 2
    return squared**0.5 / _FWHM_PER_SIGMA


@struct.dataclass
class PeakGrid:
    """Uniform grid of u = 2 sin(theta), and the interpolation from it to 2 theta.

    Attributes:
        nodes: [T] first of the six nodes that each point of 2 theta is read from.
        weights: [6, T] weights of those nodes.
        skew: [M] q = sin(theta) / (4 cos^2 theta) on the grid of u.
        first: [] u of node 0.
        step: [] distance of nodes.
        u_range: [2] smallest and largest u that a line is shown at.
        sigma_range: [2] smallest and largest standard deviation that there is room for.
        effects: that the program computes; static.
    """

    nodes: Int[Array | np.ndarray, " T"]
    weights: Float[Array | np.ndarray, "6 T"]
    skew: Float[Array | np.ndarray, " M"]
    first: Float[Array | np.ndarray, ""]
    step: Float[Array | np.ndarray, ""]
    u_range: Float[Array | np.ndarray, "2"]
    sigma_range: Float[Array | np.ndarray, "2"]
    effects: Effects = struct.field(pytree_node=False, default=ALL_EFFECTS)


def _lagrange_weights(fraction, xp=jnp):
    """Weights [6, ...] of nodes -2..3 for the value at `fraction` in [0, 1)."""
    nodes = range(-2, 4)
    return xp.stack(
        [math.prod((fraction - m) / (n - m) for m in nodes if m != n) for n in nodes],
    )


@functools.lru_cache(maxsize=16)
def peak_grid(
    grid: TwoThetaGrid,
    narrowest: float,
    widest: float,
    effects: Effects = ALL_EFFECTS,
) -> PeakGrid:
    """The grid on which Gaussian peaks of a range of widths are formed.

    Args:
        grid: of 2 theta.
        narrowest: smallest standard deviation in u (see `peak_sigma`), which sets the
            step.
        widest: largest one, which sets the margin.
        effects: that the program computes.

    Returns:
        PeakGrid with NumPy leaves.

    Raises:
        InputError: the narrowest peaks would need over 2^22 nodes.
    """
    low, high = grid.u_range
    # the FFT is periodic: the margin keeps one end's tails out of the other end
    span = high - low + _REACH * widest
    length = span * _NODES_PER_SIGMA / narrowest + 8
    if length > _MOST_NODES:
        fwhm = math.degrees(narrowest * _FWHM_PER_SIGMA)
        raise InputError(
            f"peaks of a width of {fwhm:.2g} degrees need a grid of {length:.0f} nodes, "
            f"expected at most {_MOST_NODES}: lower the largest crystallite size or "
            "narrow the range of 2 theta"
        )
    # XLA's FFT on the CPU is several times faster for powers of two
    count = 2 ** math.ceil(math.log2(length))
    # in float32, as the lines are placed by them
    step = float(np.float32(span / (count - 8)))
    first = float(np.float32(low - 3 * step))
    theta = np.deg2rad(grid.two_theta_deg) / 2
    position = (2 * np.sin(theta) - first) / step
    node = np.floor(position)
    sine = np.clip((first + step * np.arange(count)) / 2, 0, math.sin(theta[-1]))
    # rounding must lose no width at a limit
    return PeakGrid(
        nodes=(node - 2).astype(np.int32),
        weights=_lagrange_weights(position - node, np).astype(np.float32),
        skew=(sine / (4 * (1 - sine**2))).astype(np.float32),
        first=np.array(first, np.float32),
        step=np.array(step, np.float32),
        u_range=grid.u_limits,
        sigma_range=np.array([narrowest * (1 - 1e-4), widest * (1 + 1e-4)], np.float32),
        effects=effects,
    )


def add_lines(
    comb: Float[Array, " M"],
    u: Float[Array, " H"],
    heights: Float[Array, " H"],
    peaks: PeakGrid,
) -> Float[Array, " M"]:
    """Adds lines to a comb on the grid of u, each spread over its six nodes.

    Args:
        comb: [M] the lines so far.
        u: [H] 2 sin(theta) of each line, in the grid's range where its height is not 0.
        heights: [H] what each line adds; 0 on padding.
        peaks: the grid.
    """
    position = jnp.where(heights > 0, (u - peaks.first) / peaks.step, 2.0)
    # without the barrier the CPU backend forms them again for each of the six nodes
    heights, position = lax.optimization_barrier((heights, position))
    node = jnp.floor(position)
    spread = heights[None] * _lagrange_weights(position - node)
    index = node.astype(jnp.int32)[None] + jnp.arange(-2, 4)[:, None]
    return comb.at[index].add(spread, mode="drop")


def broaden(
    comb: Float[Array, " M"], sigma: Float[Array, ""], peaks: PeakGrid
) -> Float[Array, " T"]:
    """Convolves a comb of lines with the Gaussian in 2 theta and reads it there.

    Args:
        comb: [M] lines on the grid of u.
        sigma: [] standard deviation in u.
        peaks: the grid.

    Returns:
        [T] profile on the grid of 2 theta, arbitrary scale.
    """
    count = comb.shape[0]
    k = (2 * jnp.pi * sigma / (count * peaks.step)) * jnp.arange(
        count // 2 + 1, dtype=jnp.float32
    )
    spectrum = jnp.fft.rfft(comb) * jnp.exp(-(k**2) / 2).astype(jnp.complex64)
    # sigma d/du is i k: sigma^3 P^(3) + 3 sigma P^(1), which is minus the lines
    # convolved with z^3 exp(-z^2 / 2), has the spectrum i k (3 - k^2)
    bend = lax.complex(jnp.zeros_like(k), k * (3 - k**2)) * spectrum
    profile, bend = jnp.fft.irfft(jnp.stack([spectrum, bend]), count)
    profile = profile + peaks.skew * sigma * bend
    nodes, weights = jnp.asarray(peaks.nodes), jnp.asarray(peaks.weights)

    # in a loop, what it reads is an array in memory; written out, the CPU backend
    # would form the profile again for each of the six nodes
    def add_node(n, total):
        return total + weights[n] * profile[nodes + n]

    return lax.fori_loop(0, _TAPS, add_node, jnp.zeros(nodes.shape[0]))


def normalise(profile: Float[Array, " T"]) -> Float[Array, " T"]:
    """Divides by the maximum; a pattern without any line stays zero."""
    profile = lax.optimization_barrier(jnp.maximum(profile, 0.0))
    return profile * safe_reciprocal(jnp.max(profile))
