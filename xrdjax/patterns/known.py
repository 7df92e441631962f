"""Patterns of known crystals, each sampled repeatedly with fresh measurements.

The alternative to synthetic crystals in training: known ones, as in the comparison of
Schopmans et al., Digital Discovery 2 (2023) 1414, or variations of them. All crystals
are one ragged table, an argument of the compiled program.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int, Key

from xrdjax.crystals.crystal import Structure, to_crystal
from xrdjax.crystals.lattices import unit_cell_volume
from xrdjax.diffraction.capacity import Capacity
from xrdjax.errors import InputError
from xrdjax.instrument.measurement import Measurement
from xrdjax.known.variations import (
    AS_KNOWN,
    Variation,
    exchanged_elements,
    strained_lattice,
)
from xrdjax.patterns.batch import Batch
from xrdjax.patterns.generator import Crystals, capacity_for, measure_crystals
from xrdjax.symmetry.space_groups import Symmetry, symmetry_table


@struct.dataclass
class CrystalTable:
    """Crystals in reference settings, the atoms of all primitive cells in one list.

    Attributes:
        lattices: [n, 3, 3] rows a, b, c, angstrom.
        space_groups: [n] numbers.
        group_rows: [n] row of each group among the classes.
        first: [n] row of each crystal's first atom.
        atoms: [n] in the primitive cell.
        positions: [A, 3] fractional coordinates on the conventional cell.
        elements: [A] atomic numbers.
        occupancies: [A].
        b_iso: [A] square angstrom; None for atoms at rest.
        numbers: [E] atomic numbers of all elements that occur.
        symmetry: operations of all groups.
    """

    lattices: Float[Array | np.ndarray, "n 3 3"]
    space_groups: Int[Array | np.ndarray, " n"]
    group_rows: Int[Array | np.ndarray, " n"]
    first: Int[Array | np.ndarray, " n"]
    atoms: Int[Array | np.ndarray, " n"]
    positions: Float[Array | np.ndarray, "A 3"]
    elements: Int[Array | np.ndarray, " A"]
    occupancies: Float[Array | np.ndarray, " A"]
    b_iso: Float[Array | np.ndarray, " A"] | None
    numbers: Int[Array | np.ndarray, " E"]
    symmetry: Symmetry


def crystal_table(
    structures: Sequence[Structure],
    group_rows: Int[np.ndarray, " n"],
    *,
    displacements: bool = False,
) -> CrystalTable:
    """Arranges crystals for sampling; do it once, outside compiled functions.

    Args:
        structures: n crystals, each in the reference setting of its space group.
        group_rows: [n] row of each one's group among the classes.
        displacements: keep the structures' B; without it, atoms are at rest.

    Returns:
        CrystalTable with NumPy leaves.

    Raises:
        InputError: there is no crystal.
    """
    if not structures:
        raise InputError(
            "there are no crystals to train on: give more of them, or statistics of "
            "more groups"
        )
    crystals = [to_crystal(s, displacements=displacements) for s in structures]
    atoms = np.array([len(crystal.elements) for crystal in crystals], np.int32)
    elements = np.concatenate([crystal.elements for crystal in crystals])
    return CrystalTable(
        lattices=np.stack([crystal.lattice for crystal in crystals]),
        space_groups=np.array([s.space_group for s in structures], np.int32),
        group_rows=np.asarray(group_rows, np.int32),
        first=np.cumsum(atoms, dtype=np.int32) - atoms,
        atoms=atoms,
        positions=np.concatenate([crystal.positions for crystal in crystals]),
        elements=elements,
        occupancies=np.concatenate([crystal.occupancies for crystal in crystals]),
        b_iso=np.concatenate([c.b_iso for c in crystals]) if displacements else None,
        numbers=np.unique(elements),
        symmetry=symmetry_table(),
    )


def _most_elements(table: CrystalTable) -> int:
    """Distinct elements of the crystal that has most of them."""
    return max(
        len(np.unique(table.elements[first : first + atoms]))
        for first, atoms in zip(table.first, table.atoms, strict=True)
    )


@struct.dataclass
class KnownRows:
    """Which crystals of a table make a batch, and how they are varied.

    Attributes:
        first: [B] row of each crystal's first atom.
        atoms: [B] in the primitive cell.
        exchange: [B, Z] the element that replaces each one.
    """

    first: Int[Array, " B"]
    atoms: Int[Array, " B"]
    exchange: Int[Array, "B Z"]


def place_known(
    rows: KnownRows, index: Int[Array, " K"], table: CrystalTable
) -> tuple[
    Float[Array, "C K 3"],
    Int[Array, "C K"],
    Float[Array, "C K"],
    Float[Array, "C K"] | None,
]:
    """Atoms of each crystal by their index: positions, elements, occupancies, B."""
    inside = index[None] < rows.atoms[:, None]
    # rows beyond a crystal's last atom belong to the next crystal
    row = jnp.where(inside, rows.first[:, None] + index[None], 0)
    elements = jnp.take_along_axis(rows.exchange, table.elements[row], axis=1)
    return (
        jnp.where(inside[..., None], table.positions[row], 0.0),
        jnp.where(inside, elements, 0),
        jnp.where(inside, table.occupancies[row], 0.0),
        None if table.b_iso is None else jnp.where(inside, table.b_iso[row], 0.0),
    )


@struct.dataclass
class KnownSource:
    """A `Source` of known crystals: each as likely as any other, with replacement.

    Attributes:
        table: from `crystal_table`.
        measurement: instruments, specimens and grid.
        capacity: sizes of the buffers; static.
        max_atoms: in one primitive cell; static.
        max_volume: of a strained cell, cubic angstrom; static.
        variation: of cells and elements; static.
    """

    table: CrystalTable
    measurement: Measurement
    capacity: Capacity = struct.field(pytree_node=False)
    max_atoms: int = struct.field(pytree_node=False)
    max_volume: float = struct.field(pytree_node=False)
    variation: Variation = struct.field(pytree_node=False, default=AS_KNOWN)

    def sample(self, key: Key[Array, ""], size: int) -> Batch:
        """A batch of known crystals; n of them are one epoch on average."""
        table: CrystalTable = jax.tree.map(jnp.asarray, self.table)
        index_key, measurement_key, variation_key = jax.random.split(key, 3)
        index = jax.random.randint(index_key, (size,), 0, len(table.group_rows))
        symmetry = jax.tree.map(lambda x: x[table.space_groups[index]], table.symmetry)
        lattices, exchange = jax.vmap(self._vary, in_axes=(0, 0, 0, None))(
            jax.random.split(variation_key, size),
            table.lattices[index],
            symmetry,
            table.numbers,
        )
        crystals = Crystals(
            rows=KnownRows(table.first[index], table.atoms[index], exchange),
            group_rows=table.group_rows[index],
            lattices=lattices,
            symmetry=symmetry,
            atoms=table.atoms[index],
        )
        return measure_crystals(
            measurement_key,
            crystals,
            lambda rows, index: place_known(rows, index, table),
            self.measurement,
            self.capacity,
            self.max_atoms,
        )

    def _vary(
        self,
        key: Key[Array, ""],
        lattice: Float[Array, "3 3"],
        symmetry: Symmetry,
        numbers: Int[Array | np.ndarray, " E"],
    ) -> tuple[Float[Array, "3 3"], Int[Array, " Z"]]:
        """Lattice, strained unless it becomes too large, and the replacing elements."""
        strain_key, exchange_key = jax.random.split(key)
        exchange = exchanged_elements(exchange_key, numbers, self.variation.exchange)
        if not self.variation.strain:
            return lattice, exchange
        strained = strained_lattice(
            strain_key, lattice, symmetry, self.variation.strain
        )
        has_room = jnp.abs(unit_cell_volume(strained)) <= self.max_volume
        return jnp.where(has_room, strained, lattice), exchange


def make_known_source(
    table: CrystalTable,
    measurement: Measurement,
    max_volume: float,
    variation: Variation = AS_KNOWN,
    *,
    chunk: int = 0,
) -> KnownSource:
    """A source of the crystals of a table, with room for each of them.

    Args:
        table: from `crystal_table`.
        measurement: instruments, specimens and grid.
        max_volume: of the conventional cells, strained or not, cubic angstrom.
        variation: of cells and elements; none by default.
        chunk: crystals simulated together; 0 means what suits the backend.
    """
    most_elements = max(12, _most_elements(table))
    return KnownSource(
        table=table,
        measurement=measurement,
        capacity=capacity_for(measurement, max_volume, most_elements, chunk),
        max_atoms=int(np.max(table.atoms)),
        max_volume=max_volume,
        variation=variation,
    )
