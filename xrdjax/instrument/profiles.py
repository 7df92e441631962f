"""Peak profiles: from powder lines to a diffractogram on a grid of 2 theta.

Size broadening after Scherrer has a width in 2 theta that grows as
1 / cos(theta). In s = 1/d = 2 sin(theta) / lambda it is the same for every line
(FWHM = K / L), so all peaks are one convolution on a uniform grid of s, done by
FFT at a cost that does not depend on the number of lines.

A Gaussian in 2 theta is not quite one in s, since the map between them bends.
With u = s - s_line, 2 theta - 2 theta_line = (lambda / cos theta)(u + q u^2) with
q = lambda sin(theta) / (4 cos^2 theta), so with z = u / sigma

    exp(-(z + q sigma z^2)^2 / 2) = exp(-z^2 / 2) (1 - q sigma z^3) + O((q sigma)^2)

and q sigma is 0.001 at 90 degrees for 20 nm. Since z^3 exp(-z^2 / 2) is made of
the Gaussian's first and third derivative, that term follows from the derivatives
of the convolved pattern; what is left out is below 2e-5 of a peak there. It grows
with q: 4e-4 at 150 degrees, 1 % at 170.
"""

import functools
import math
from typing import TypeVar

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax
from jaxtyping import Array, Float, Int

from xrdjax.errors import InputError
from xrdjax.instrument.diffractometer import Diffractometer

# Scherrer's constant for the full width at half maximum of the integral form.
SCHERRER_K = 0.9
_FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))
# Points of the grid of s per standard deviation of the narrowest peak, at least.
# Six-point interpolation of a Gaussian is then wrong by 15/720 * 3.5 / 3.5^6 = 4e-5.
_POINTS_PER_SIGMA = 3.5
# Distance, in standard deviations, beyond which a peak is left out of the grid.
_REACH = 5.5
_TAPS = 6

Size = TypeVar("Size", Float[Array, ""], float)


def scherrer_sigma(crystallite_size_nm: Size) -> Size:
    """Standard deviation in s of a peak with FWHM(2 theta) = K lambda / (L cos theta).

    sigma_s = K / (L sqrt(8 ln 2)); Scherrer (1918), K = 0.9.

    Args:
        crystallite_size_nm: [] size L of the crystallites, nanometres.

    Returns:
        [] standard deviation, 1/angstrom.
    """
    return SCHERRER_K / (10 * crystallite_size_nm * _FWHM_PER_SIGMA)


@struct.dataclass
class ProfileGrid:
    """Uniform grid of s and the interpolation from it to the grid of 2 theta.

    Attributes:
        nodes: [T] first of the six nodes that each point of 2 theta is read from.
        weights: [6, T] weights of those nodes.
        skew: [M] q = lambda sin(theta) / (4 cos^2 theta) on the grid of s, angstrom.
        first: [] s of node 0, 1/angstrom.
        step: [] distance of nodes, 1/angstrom.
    """

    nodes: Int[Array | np.ndarray, " T"]
    weights: Float[Array | np.ndarray, "6 T"]
    skew: Float[Array | np.ndarray, " M"]
    first: Float[Array | np.ndarray, ""]
    step: Float[Array | np.ndarray, ""]


def _lagrange_weights(fraction, xp=jnp):
    """Weights [6, ...] of nodes -2..3 for the value at `fraction` in [0, 1)."""
    nodes = range(-2, 4)
    return xp.stack(
        [math.prod((fraction - m) / (n - m) for m in nodes if m != n) for n in nodes],
    )


@functools.lru_cache(maxsize=16)
def profile_grid(
    diffractometer: Diffractometer,
    smallest_nm: float = 20.0,
    largest_nm: float = 100.0,
) -> ProfileGrid:
    """The grid on which peaks of crystallites in a range of sizes are formed.

    Args:
        diffractometer: wavelength and the grid of 2 theta.
        smallest_nm: smallest crystallite; its wide peaks set the margins.
        largest_nm: largest crystallite; its narrow peaks set the step.

    Returns:
        ProfileGrid with NumPy leaves.

    Raises:
        InputError: no such sizes, or they would need over 2^22 points.
    """
    if not 0 < smallest_nm <= largest_nm < math.inf:
        raise InputError(
            f"crystallite sizes run from {smallest_nm} to {largest_nm} nm: expected "
            "positive numbers, the smaller one first"
        )
    widest, narrowest = scherrer_sigma(smallest_nm), scherrer_sigma(largest_nm)
    low, high = diffractometer.s_range
    # the FFT is periodic: the margin keeps one end's tails out of the other end
    span = high - low + _REACH * widest
    length = span * _POINTS_PER_SIGMA / narrowest + 8
    if length > 2**22:
        raise InputError(
            f"crystallites of {largest_nm} nm need a profile grid of {length:.0f} "
            "points: lower the largest size or narrow the range of 2 theta"
        )
    # XLA's FFT on the CPU is several times faster for powers of two
    points = 2 ** math.ceil(math.log2(length))
    step = span / (points - 8)
    first = low - 3 * step
    theta = np.deg2rad(diffractometer.two_theta_deg) / 2
    position = (2 * np.sin(theta) / diffractometer.wavelength - first) / step
    node = np.floor(position)
    s = first + step * np.arange(points)
    sine = np.clip(s * diffractometer.wavelength / 2, 0, math.sin(theta[-1]))
    return ProfileGrid(
        nodes=(node - 2).astype(np.int32),
        weights=_lagrange_weights(position - node, np).astype(np.float32),
        skew=(diffractometer.wavelength * sine / (4 * (1 - sine**2))).astype(
            np.float32
        ),
        first=np.array(first, np.float32),
        step=np.array(step, np.float32),
    )


def add_lines(
    comb: Float[Array, " M"],
    s: Float[Array, " H"],
    heights: Float[Array, " H"],
    grid: ProfileGrid,
) -> Float[Array, " M"]:
    """Adds lines to a comb on the grid of s, each spread over its six nodes.

    Args:
        comb: [M] the lines so far.
        s: [H] 1/d of each line, in the diffractometer's range where height > 0.
        heights: [H] what each line adds; 0 on padding.
    """
    position = jnp.where(heights > 0, (s - grid.first) / grid.step, 2.0)
    # without the barrier the CPU backend forms them again for each of the six nodes
    heights, position = lax.optimization_barrier((heights, position))
    node = jnp.floor(position)
    spread = heights[None] * _lagrange_weights(position - node)
    index = node.astype(jnp.int32)[None] + jnp.arange(-2, 4)[:, None]
    return comb.at[index].add(spread, mode="drop")


def broaden(
    comb: Float[Array, " M"], sigma: Float[Array, ""], grid: ProfileGrid
) -> Float[Array, " T"]:
    """Convolves a comb of lines with the Gaussian in 2 theta and reads it there.

    Args:
        comb: [M] lines on the grid of s.
        sigma: [] standard deviation in s, 1/angstrom.

    Returns:
        [T] profile on the grid of 2 theta, arbitrary scale.
    """
    points = comb.shape[0]
    k = (2 * jnp.pi * sigma / (points * grid.step)) * jnp.arange(points // 2 + 1)
    spectrum = jnp.fft.rfft(comb) * jnp.exp(-(k**2) / 2)
    # sigma d/ds is i k: sigma^3 P^(3) + 3 sigma P^(1), which is minus the lines
    # convolved with z^3 exp(-z^2 / 2), has the spectrum i k (3 - k^2)
    bend = lax.complex(jnp.zeros_like(k), k * (3 - k**2)) * spectrum
    profile, bend = jnp.fft.irfft(jnp.stack([spectrum, bend]), points)
    profile = profile + grid.skew * sigma * bend
    nodes, weights = jnp.asarray(grid.nodes), jnp.asarray(grid.weights)

    # in a loop, what it reads is an array in memory; written out, the CPU backend
    # would form the profile again for each of the six nodes
    def add_node(n, total):
        return total + weights[n] * profile[nodes + n]

    return lax.fori_loop(0, _TAPS, add_node, jnp.zeros(nodes.shape[0]))


def normalise(profile: Float[Array, " T"]) -> Float[Array, " T"]:
    """Divides by the maximum; a pattern without any line stays zero."""
    profile = lax.optimization_barrier(jnp.maximum(profile, 0.0))
    peak = jnp.max(profile)
    return profile * jnp.where(peak > 0, 1 / jnp.where(peak > 0, peak, 1.0), 0.0)


def line_heights(
    intensities: Float[Array, " H"], s: Float[Array, " H"], wavelength: float
) -> Float[Array, " H"]:
    """Height of each line's Gaussian in 2 theta, arbitrary scale.

    The integrated intensity is the area, and the width grows as 1 / cos(theta),
    so the height is I cos(theta).

    Args:
        intensities: [H] integrated; 0 on padding.
        s: [H] 1/d, 1/angstrom.
        wavelength: angstrom.
    """
    sine = jnp.where(intensities > 0, s * wavelength / 2, 0.0)
    return intensities * jnp.sqrt(1 - sine**2)


def profile(
    comb: Float[Array, " M"], crystallite_size_nm: Float[Array, ""], grid: ProfileGrid
) -> Float[Array, " T"]:
    """Diffractogram with maximum 1 of a comb of lines.

    Args:
        comb: [M] heights of the lines on the grid of s, from `add_lines`.
        crystallite_size_nm: [] within the grid's sizes, nanometres.
        grid: from `profile_grid`.
    """
    return normalise(broaden(comb, scherrer_sigma(crystallite_size_nm), grid))
