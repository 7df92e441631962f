"""From a recorded pattern, measured or simulated, to the input of a network.

Both are treated alike: the background is removed, and the pattern is averaged over the
network's cells, which are even in log sin(theta), and scaled; a mask states which cells
were measured.
"""

import functools
import math

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.models.preprocess import preprocess
from xrdjax.ops.safe import safe_divide, safe_reciprocal

# Width of the means that give the background, and of the opening, degrees.
_MEAN_DEG = 0.32
_OPENING_DEG = 2.9
_SMOOTHING = 5  # means
# Intensities at which the logarithms set in, in units of the highest peak.
# Points summed at once.
_RUN = 64
_WEAK, _WEAKEST = 3e-3, 2e-4
CHANNELS = 4


def _means(
    patterns: Float[Array, "B T"], mask: Float[Array, "B T"], size: int
) -> tuple[Float[Array, "B C"], Float[Array, "B C"]]:
    """Means over runs of measured points, and the number of points in each."""
    padding = ((0, 0), (0, -patterns.shape[1] % size))
    runs = (patterns.shape[0], -1, size)
    total = jnp.pad(patterns * mask, padding).reshape(runs).sum(-1)
    points = jnp.pad(mask, padding).reshape(runs).sum(-1)
    return safe_divide(total, points), points


def _window(
    values: Float[Array, "B C"], size: int, largest: bool
) -> Float[Array, "B C"]:
    """Largest or smallest value among the cells around each one."""
    start, reduce = (-jnp.inf, lax.max) if largest else (jnp.inf, lax.min)
    return lax.reduce_window(values, start, reduce, (1, size), (1, 1), "SAME")


def background_of(
    patterns: Float[Array, "B T"],
    mask: Float[Array, "B T"],
    step_deg: float,
    opening_deg: float = _OPENING_DEG,
) -> Float[Array, "B T"]:
    """Background under the peaks, by morphological opening.

    Means over 0.32 degrees, their minimum within 2.9 degrees, the maximum of these
    minima, smoothed: whatever is narrower than 2.9 degrees is a peak. Soille,
    Morphological Image Analysis (2003), ch. 4.

    Args:
        patterns: [B, T] at even steps of 2 theta.
        mask: [B, T] 1 where measured, else 0.
        step_deg: of the points, degrees.
        opening_deg: width of what counts as background, degrees.
    """
    size = max(1, round(_MEAN_DEG / step_deg))
    means, points = _means(patterns, mask, size)
    there = points > 0
    cells = 2 * round(opening_deg / (size * step_deg) / 2) + 1
    low = _window(jnp.where(there, means, jnp.inf), cells, largest=False)
    high = _window(jnp.where(there, low, -jnp.inf), cells, largest=True)
    weight = there.astype(jnp.float32)

    def smooth(rows):
        return lax.reduce_window(rows, 0.0, lax.add, (1, _SMOOTHING), (1, 1), "SAME")

    opened = safe_divide(smooth(jnp.where(there, high, 0.0)), smooth(weight))
    return _between_means(opened, there, size, patterns.shape[1])


def _between_means(
    values: Float[Array, "B C"], there: Bool[Array, "B C"], size: int, points: int
) -> Float[Array, "B T"]:
    """Values of runs of points, interpolated linearly between their centres."""
    position = np.clip((np.arange(points) + 0.5) / size - 0.5, 0, values.shape[1] - 1)
    left = np.minimum(position.astype(int), values.shape[1] - 2)
    fraction = jnp.asarray(position - left, jnp.float32)
    weight = there.astype(jnp.float32)

    def read(rows):
        return rows[:, left] * (1 - fraction)[None] + rows[:, left + 1] * fraction[None]

    return safe_divide(read(jnp.where(there, values, 0.0)), read(weight))


@struct.dataclass
class _Cells:
    """Where each edge of the network's cells lies among the points.

    Attributes:
        before: [C + 1] whole points before the edge.
        fraction: [C + 1] of the next point.
    """

    before: Int[np.ndarray, " E"]
    fraction: Float[np.ndarray, " E"]


@functools.lru_cache(maxsize=8)
def _cells(grid: TwoThetaGrid, cells: int) -> _Cells:
    low, high = grid.u_range
    edges = np.rad2deg(2 * np.arcsin(np.geomspace(low, high, cells + 1) / 2))
    step = grid.two_theta_deg[1] - grid.two_theta_deg[0]
    # a point represents the step around it
    position = (edges - grid.two_theta_min_deg) / step + 0.5
    position = np.clip(position, 0, grid.points)
    before = np.minimum(position.astype(np.int32), grid.points - 1)
    return _Cells(before, (position - before).astype(np.float32))


def _running_sum(values: Float[Array, "B T"]) -> Float[Array, "B T"]:
    """Cumulative sum, by products with triangular matrices of ones.

    The CPU backend takes five times as long for `cumsum`.
    """
    count, points = values.shape
    runs = jnp.pad(values, ((0, 0), (0, -points % _RUN))).reshape(count, -1, _RUN)
    within = runs @ jnp.triu(jnp.ones((_RUN, _RUN)))
    before = within[..., -1] @ jnp.triu(jnp.ones((runs.shape[1],) * 2), 1)
    return (within + before[..., None]).reshape(count, -1)[:, :points]


def _integral(values: Float[Array, "B T"], cells: _Cells) -> Float[Array, "B C"]:
    """Integral over each cell, in points."""
    total = _running_sum(values)
    at = (
        total[:, cells.before]
        + jnp.asarray(cells.fraction - 1)[None] * values[:, cells.before]
    )
    return at[:, 1:] - at[:, :-1]


def measured_input(
    patterns: Float[Array, "B T"],
    mask: Bool[Array, "B T"] | None,
    grid: TwoThetaGrid,
    cells: int,
) -> Float[Array, "B C 4"]:
    """Input of a network for recorded patterns.

    [5 sqrt(I), 2.5 log(1 + I / 3e-3) / log(1 + 1 / 3e-3), the same with 2e-4, mask]

    Args:
        patterns: [B, T] recorded intensities in any unit, not negative.
        mask: [B, T] which points were measured; None for all.
        grid: even in 2 theta.
        cells: C, even in log sin(theta) over the range of the grid.

    Returns:
        [B, C, 4], 0 where nothing was measured; I is the mean above the background over
        a cell, divided by the highest mean of three neighbours.
    """
    measured = jnp.ones_like(patterns) if mask is None else mask.astype(jnp.float32)
    step = (grid.two_theta_max_deg - grid.two_theta_min_deg) / (grid.points - 1)
    net = (patterns - background_of(patterns, measured, step)) * measured
    edges = _cells(grid, cells)
    share = _integral(measured, edges)
    width = jnp.asarray(np.diff(edges.before + edges.fraction), jnp.float32)
    seen = share > width[None] / 2
    intensity = jnp.maximum(safe_divide(_integral(net, edges), share), 0.0)
    intensity = jnp.where(seen, intensity, 0.0)
    smooth = intensity[:, :-2] + intensity[:, 1:-1] + intensity[:, 2:]
    highest = jnp.max(smooth, axis=1, keepdims=True) / 3
    relative = intensity * safe_reciprocal(highest)

    def logarithm(threshold):
        return 2.5 * jnp.log(1 + relative / threshold) / math.log1p(1 / threshold)

    return jnp.stack(
        [
            5 * preprocess(relative),
            logarithm(_WEAK),
            logarithm(_WEAKEST),
            seen.astype(jnp.float32),
        ],
        axis=-1,
    )
