"""How much room crystals need in a compiled program, and how much work they are."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from xrdjax.crystals.lattices import unit_cell_volume
from xrdjax.diffraction.reflections import index_box
from xrdjax.symmetry.space_groups import Symmetry


@dataclasses.dataclass(frozen=True)
class Capacity:
    """Sizes of the buffers; hashable, so static under jit.

    Attributes:
        max_reflections: room H for the families of one crystal.
        max_elements: room for the distinct elements of one crystal.
        chunk: crystals done together; 0 means 8 on a CPU, 256 elsewhere.
    """

    max_reflections: int
    max_elements: int = 12
    chunk: int = 0

    def chunk_of(self, count: int) -> int:
        """Crystals done together when there are `count`."""
        default = 8 if jax.default_backend() == "cpu" else 256
        return min(self.chunk or default, count)


def reflections_in_largest_cell(max_volume: float, s_max: float) -> int:
    """Families of reflections of the largest triclinic cell, at most.

    Half the lattice points of the sphere, and a fifth for its surface.

    Args:
        max_volume: of the conventional cell, cubic angstrom.
        s_max: largest 1/d, 1/angstrom.
    """
    return math.ceil(1.2 * 4 / 3 * math.pi * s_max**3 * max_volume / 2 + 256)


def simulation_cost(
    lattice: Float[Array, "3 3"],
    symmetry: Symmetry,
    atoms: Int[Array, ""],
    s_max: Float[Array, ""] | float,
) -> Float[Array, ""]:
    """Estimated work for one crystal: candidates, and reflections times atoms.

    Args:
        lattice: [3, 3] rows a, b, c, angstrom.
        symmetry: of the crystal.
        atoms: [] in the primitive cell.
        s_max: [] largest 1/d, 1/angstrom.
    """
    candidates = index_box(lattice, symmetry, s_max).count.astype(jnp.float32)
    points = 4 / 3 * math.pi * s_max**3 * jnp.abs(unit_cell_volume(lattice))
    operations = (symmetry.order * symmetry.centring_order).astype(jnp.float32)
    return 8 * candidates + points / (2 * operations) * atoms.astype(jnp.float32)
