"""Diffractograms of given crystals in bulk, drawn again and again with fresh sizes.

The other source of training patterns, beside random crystals: known ones, as in the
comparison of Schopmans et al., Digital Discovery 2 (2023) 1414, or variations of them.
All crystals are one ragged table, an argument of the compiled program, and take the
road of drawn ones.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int, Key

from xrdjax.crystals.crystal import Crystal, Structure, to_crystal
from xrdjax.crystals.lattices import unit_cell_volume
from xrdjax.diffraction.kernel import Simulation, simulate_chunk, simulation_cost
from xrdjax.errors import InputError
from xrdjax.instrument.profiles import ProfileGrid
from xrdjax.known.variations import (
    AS_KNOWN,
    Variation,
    exchanged_elements,
    strained_lattice,
)
from xrdjax.ops.chunks import fill_in_blocks, map_in_chunks
from xrdjax.symmetry.space_groups import Symmetry, symmetry_table

# Atoms looked up together.
_ATOMS = 64


@struct.dataclass
class CrystalTable:
    """Crystals in reference settings, the atoms of all primitive cells in one list.

    Attributes:
        lattices: [n, 3, 3] rows a, b, c, angstrom.
        space_groups: [n] numbers.
        labels: [n] row of each group among the classes.
        first: [n] row of each crystal's first atom.
        atoms: [n] in the primitive cell.
        positions: [A, 3] fractional coordinates on the conventional cell.
        elements: [A] atomic numbers.
        occupancies: [A].
        numbers: [E] atomic numbers of all elements that occur.
        symmetry: operations of all groups.
    """

    lattices: Float[Array | np.ndarray, "n 3 3"]
    space_groups: Int[Array | np.ndarray, " n"]
    labels: Int[Array | np.ndarray, " n"]
    first: Int[Array | np.ndarray, " n"]
    atoms: Int[Array | np.ndarray, " n"]
    positions: Float[Array | np.ndarray, "A 3"]
    elements: Int[Array | np.ndarray, " A"]
    occupancies: Float[Array | np.ndarray, " A"]
    numbers: Int[Array | np.ndarray, " E"]
    symmetry: Symmetry


def crystal_table(
    structures: Sequence[Structure], labels: Int[np.ndarray, " n"]
) -> CrystalTable:
    """Lays crystals out for drawing; do it once, outside compiled functions.

    Args:
        structures: n crystals, each in the reference setting of its space group.
        labels: [n] row of each one's group among the classes.

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
    crystals = [to_crystal(structure) for structure in structures]
    atoms = np.array([len(crystal.elements) for crystal in crystals], np.int32)
    elements = np.concatenate([crystal.elements for crystal in crystals])
    return CrystalTable(
        lattices=np.stack([crystal.lattice for crystal in crystals]),
        space_groups=np.array([s.space_group for s in structures], np.int32),
        labels=np.asarray(labels, np.int32),
        first=np.cumsum(atoms, dtype=np.int32) - atoms,
        atoms=atoms,
        positions=np.concatenate([crystal.positions for crystal in crystals]),
        elements=elements,
        occupancies=np.concatenate([crystal.occupancies for crystal in crystals]),
        numbers=np.unique(elements),
        symmetry=symmetry_table(),
    )


def room_for(table: CrystalTable, simulation: Simulation) -> tuple[Simulation, int]:
    """The simulation with room for the elements of all crystals, and most atoms."""
    numbers = [
        len(np.unique(table.elements[first : first + atoms]))
        for first, atoms in zip(table.first, table.atoms, strict=True)
    ]
    most = max(simulation.max_elements, *numbers)
    return dataclasses.replace(simulation, max_elements=most), int(table.atoms.max())


def _symmetry_of(table: CrystalTable, index: Int[Array, "*C"]) -> Symmetry:
    """Operations of the groups of some rows."""
    return jax.tree.map(lambda x: x[table.space_groups[index]], table.symmetry)


def _varied(
    key: Key[Array, ""],
    table: CrystalTable,
    index: Int[Array, ""],
    variation: Variation,
    max_volume: float,
) -> tuple[Float[Array, "3 3"], Int[Array, " Z"]]:
    """Lattice of a row, strained if it then still has room, and what elements become."""
    strain_key, exchange_key = jax.random.split(key)
    elements = exchanged_elements(exchange_key, table.numbers, variation.exchange)
    lattice = table.lattices[index]
    if not variation.strain:
        return lattice, elements
    symmetry = _symmetry_of(table, index)
    strained = strained_lattice(strain_key, lattice, symmetry, variation.strain)
    has_room = jnp.abs(unit_cell_volume(strained)) <= max_volume
    return jnp.where(has_room, strained, lattice), elements


def _crystals(
    table: CrystalTable,
    index: Int[Array, " C"],
    lattices: Float[Array, "C 3 3"],
    become: Int[Array, "C Z"],
    max_atoms: int,
) -> Crystal:
    """The crystals of some rows, their atoms looked up to the largest one's last."""
    first, atoms = table.first[index, None], table.atoms[index, None]
    size = -(-max_atoms // _ATOMS) * _ATOMS

    def look_up(place):
        inside = place[None] < atoms
        # what lies beyond a crystal's last atom belongs to the next one
        row = jnp.where(inside, first + place[None], 0)
        elements = jnp.take_along_axis(become, table.elements[row], axis=1)
        return (
            jnp.where(inside[..., None], table.positions[row], 0),
            jnp.where(inside, elements, 0),
            jnp.where(inside, table.occupancies[row], 0),
        )

    count = index.shape[0]
    empty = (
        jnp.zeros((count, size, 3)),
        jnp.zeros((count, size), jnp.int32),
        jnp.zeros((count, size)),
    )
    most = jnp.max(atoms)
    positions, elements, occupancies = fill_in_blocks(look_up, empty, most, _ATOMS)
    return Crystal(
        lattice=lattices,
        positions=positions,
        elements=elements,
        occupancies=occupancies,
        b_iso=jnp.zeros((count, size)),
        symmetry=_symmetry_of(table, index),
    )


def crystal_patterns(
    key: Key[Array, ""],
    table: CrystalTable,
    grid: ProfileGrid,
    batch_size: int,
    simulation: Simulation,
    max_atoms: int,
    variation: Variation = AS_KNOWN,
) -> tuple[Float[Array, "B T"], Int[Array, " B"], dict[str, Array]]:
    """Draws crystals of a table, with replacement, and simulates their diffractograms.

    Each crystal is as likely as any other, so that n draws are an epoch in the mean,
    and has a new crystallite size each time that it comes up.

    Args:
        key: random key.
        table: from `crystal_table`.
        grid: from `profile_grid(simulation.diffractometer, *simulation.sizes_nm)`.
        batch_size: number of crystals B.
        simulation: measurement and room, from `room_for`.
        max_atoms: most atoms in one primitive cell, from `room_for`.
        variation: of cells and elements; by default all are as they are known.

    Returns:
        Patterns [B, T] with maximum 1; labels [B]; and the count of "incomplete"
        patterns.
    """
    table = jax.tree.map(jnp.asarray, table)
    index_key, size_key, variation_key = jax.random.split(key, 3)
    index = jax.random.randint(index_key, (batch_size,), 0, len(table.labels))
    smallest, largest = simulation.sizes_nm
    sizes_nm = jax.random.uniform(
        size_key, (batch_size,), minval=smallest, maxval=largest
    )
    lattices, become = jax.vmap(
        lambda key, index: _varied(key, table, index, variation, simulation.max_volume)
    )(jax.random.split(variation_key, batch_size), index)

    def cost(index, lattice):
        return simulation_cost(
            lattice,
            _symmetry_of(table, index),
            table.atoms[index],
            simulation.diffractometer,
        )

    def simulate(batch):
        index, lattices, become, sizes_nm = batch
        crystals = _crystals(table, index, lattices, become, max_atoms)
        return simulate_chunk(crystals, sizes_nm, grid, simulation)

    patterns, incomplete = map_in_chunks(
        simulate,
        (index, lattices, become, sizes_nm),
        jax.vmap(cost)(index, lattices),
        simulation.chunk_of(batch_size),
    )
    return patterns, table.labels[index], {"incomplete": jnp.sum(incomplete)}
