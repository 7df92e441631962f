"""From descriptions of crystals to a batch of patterns: the path of all sources.

A source describes a batch of crystals cheaply. Here each crystal is given an instrument
and a specimen, the batch is sorted by cost, and atoms are placed and patterns simulated
a chunk at a time.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int, Key

from xrdjax.crystals.crystal import Crystal
from xrdjax.crystals.lattices import parameters_from_lattice
from xrdjax.diffraction.capacity import (
    Capacity,
    reflections_in_largest_cell,
    simulation_cost,
)
from xrdjax.diffraction.kernel import simulate_chunk
from xrdjax.diffraction.overflow import Overflow
from xrdjax.instrument.exposure import expose, sample_exposures
from xrdjax.instrument.measurement import Measurement
from xrdjax.ops.chunks import fill_in_blocks, map_in_chunks
from xrdjax.patterns.batch import Batch, Targets
from xrdjax.patterns.phases import mix_phases
from xrdjax.patterns.streams import exposure_keys
from xrdjax.symmetry.space_groups import Symmetry

# Atoms placed at once.
_ATOMS = 64


@struct.dataclass
class Crystals:
    """A batch of crystals before their atoms are placed.

    Attributes:
        rows: pytree with a leading axis B, all that `place` needs of each crystal.
        group_rows: [B] row of the space group among the classes.
        lattices: [B, 3, 3] rows a, b, c, angstrom.
        symmetry: of each crystal, with a leading axis B.
        atoms: [B] in the primitive cell.
    """

    rows: Any
    group_rows: Int[Array, " B"]
    lattices: Float[Array, "B 3 3"]
    symmetry: Symmetry
    atoms: Int[Array, " B"]


# From rows of C crystals and the numbers [K] of atoms to positions [C, K, 3], elements
# [C, K] (0 past the last atom), occupancies [C, K] or None where all sites are full, and
# B [C, K] or None.
Place = Callable[
    [Any, Int[Array, " K"]], tuple[Array, Array, Array | None, Array | None]
]


def capacity_for(
    measurement: Measurement,
    max_volume: float,
    max_elements: int = 12,
    chunk: int = 0,
) -> Capacity:
    """Buffers for crystals up to a volume, in a given measurement.

    Args:
        measurement: its largest 1/d counts.
        max_volume: of the conventional cell, cubic angstrom.
        max_elements: distinct elements in one crystal.
        chunk: crystals simulated together; 0 means what suits the backend.
    """
    reflections = reflections_in_largest_cell(max_volume, measurement.s_max)
    return Capacity(reflections, max_elements, chunk)


def place_atoms(chunk: Crystals, place: Place, max_atoms: int) -> Crystal:
    """Crystals [C] with room for `max_atoms`; the loop ends at the largest."""
    count = chunk.lattices.shape[0]
    size = -(-max_atoms // _ATOMS) * _ATOMS
    empty = jax.tree.map(
        lambda x: jnp.zeros((count, size, *x.shape[2:]), x.dtype),
        jax.eval_shape(lambda index: place(chunk.rows, index), jnp.arange(_ATOMS)),
    )
    positions, elements, occupancies, b_iso = fill_in_blocks(
        lambda index: place(chunk.rows, index), empty, jnp.max(chunk.atoms), _ATOMS
    )
    if occupancies is None:
        occupancies = (elements > 0).astype(jnp.float32)
    return Crystal(
        lattice=chunk.lattices,
        positions=positions,
        elements=elements,
        occupancies=occupancies,
        symmetry=chunk.symmetry,
        b_iso=b_iso,
    )


def measure_crystals(
    key: Key[Array, ""],
    crystals: Crystals,
    place: Place,
    measurement: Measurement,
    capacity: Capacity,
    max_atoms: int,
) -> Batch:
    """Measures each crystal once, with an instrument and a specimen of its own.

    Args:
        key: random key of the instruments and specimens.
        crystals: B of them.
        place: places their atoms.
        measurement: what is simulated.
        capacity: static sizes of the buffers.
        max_atoms: largest number of atoms in a primitive cell.

    Returns:
        Batch; its counts have one entry `overflow_...` for each reason of `Overflow`.
    """
    count = crystals.lattices.shape[0]
    instruments, specimens = measurement.sample(key, count)
    cost = jax.vmap(simulation_cost, in_axes=(0, 0, 0, None))(
        crystals.lattices, crystals.symmetry, crystals.atoms, measurement.s_max
    )

    def simulate(chunk):
        crystals, instruments, specimens = chunk
        placed = place_atoms(crystals, place, max_atoms)
        return simulate_chunk(
            placed, instruments, specimens, measurement.peaks, capacity
        )

    patterns, overflow = map_in_chunks(
        simulate, (crystals, instruments, specimens), cost, capacity.chunk_of(count)
    )
    patterns, mask = record(key, patterns, measurement)
    cells = jax.vmap(parameters_from_lattice)(crystals.lattices)
    return Batch(
        patterns=patterns,
        targets=Targets(group_rows=crystals.group_rows, unit_cells=cells),
        counts=overflow_counts(overflow),
        mask=mask,
    )


def record(
    key: Key[Array, ""], patterns: Float[Array, "B T"], measurement: Measurement
) -> tuple[Float[Array, "B T"], Bool[Array, "B T"] | None]:
    """Patterns of mixtures with background and noise, where measurements have them.

    Args:
        key: random key of the instruments and specimens.
        patterns: [B, T] of single phases, in random order, with maximum 1.
        measurement: what is simulated.

    Returns:
        Patterns with maximum 1, and which points were measured; None for all.
    """
    if not measurement.is_recorded:
        return patterns, None
    ranges = measurement.exposures
    phase_key, exposure_key, noise_key = exposure_keys(key)
    mixed = mix_phases(phase_key, patterns, ranges.other_phases)
    exposures = sample_exposures(exposure_key, ranges, len(patterns))
    return expose(noise_key, mixed, exposures, measurement.grid.two_theta_deg)


def overflow_counts(overflow: Int[Array, " B"]) -> dict[str, Int[Array, ""]]:
    """Number of patterns that each buffer was too small for."""
    return {
        f"overflow_{str(reason.name).lower()}": jnp.sum(
            (overflow & reason.value) > 0, dtype=jnp.int32
        )
        for reason in Overflow
    }
