"""The input of a network for a pattern: the same in training and in use."""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.models.measured_input import CHANNELS, measured_input
from xrdjax.models.preprocess import preprocess


@dataclasses.dataclass(frozen=True)
class NetworkInput:
    """From patterns to the input of a network; hashable, so static under jit.

    Attributes:
        grid: of the patterns.
        cells: number that recorded patterns are averaged over; None for clean patterns,
            of which the network sees the square root.
    """

    grid: TwoThetaGrid
    cells: int | None = None

    def __call__(
        self,
        patterns: Float[Array | np.ndarray, "B T"],
        mask: Bool[Array | np.ndarray, "B T"] | None = None,
    ) -> Float[Array, "B ..."]:
        """[B, T] from `preprocess`, or [B, C, 4] from `measured_input`."""
        if self.cells is None:
            return preprocess(patterns)
        mask = None if mask is None else jnp.asarray(mask)
        return measured_input(jnp.asarray(patterns), mask, self.grid, self.cells)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the input, without the batch."""
        if self.cells is None:
            return (self.grid.points,)
        return (self.cells, CHANNELS)
