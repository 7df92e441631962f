"""From crystals to powder patterns: the one program, for a chunk of crystals at once.

A single crystal is a chunk of one. Loops over blocks of candidates, reflections and
atoms stop at the largest member of the chunk, so that a small crystal does not pay for
the largest possible one. Reverse-mode differentiation needs loops of a fixed length
instead; they run through all of the buffers, whose padding is inert.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax
from jaxtyping import Array, Float, Int

from xrdjax.crystals.crystal import Crystal
from xrdjax.crystals.lattices import inverse_spacing, spacing_remainder
from xrdjax.diffraction.capacity import Capacity
from xrdjax.diffraction.overflow import Overflow
from xrdjax.diffraction.peaks import (
    Peaks,
    Reflected,
    add_families,
    no_lines,
    pattern_of_combs,
    s_range_of,
    widths_of,
)
from xrdjax.diffraction.reflections import (
    Reflections,
    find_reflections,
    unpack_miller,
)
from xrdjax.diffraction.structure_factors import (
    ATOM_BLOCK,
    Scatterers,
    scatterers_of,
    sum_over_atoms,
)
from xrdjax.diffraction.texture import equivalent_axes, march_dollase
from xrdjax.instrument.direct import DirectPeaks
from xrdjax.instrument.instrument import Instrument
from xrdjax.instrument.specimen import Specimen
from xrdjax.ops.chunks import fill_in_blocks

# Reflections that the loop takes together.
_REFLECTIONS = 128
# Blocks that a loop runs through: traced, or fixed for reverse-mode differentiation.
Count = Int[Array, ""] | int


@struct.dataclass
class Families:
    """Reflection families with what the crystal scatters into them.

    Attributes:
        miller: [H, 3] representative indices, exact floats.
        multiplicity: [H] reflections of the family; 0 on padding.
        s: [H] 1/d, 1/angstrom.
        squared: [H] |F|^2 of the primitive cell, square electrons; the mean of
            Friedel mates.
    """

    miller: Float[Array, "*C H 3"]
    multiplicity: Float[Array, "*C H"]
    s: Float[Array, "*C H"]
    squared: Float[Array, "*C H"]


def _families_in_block(
    start: Int[Array, ""],
    found: Reflections,
    lattice: Float[Array, "3 3"],
    atoms: Scatterers,
    atom_blocks: Count,
) -> Families:
    """The families from `start` on, of one crystal, and their |F|^2."""
    keys = lax.dynamic_slice_in_dim(found.keys, start, _REFLECTIONS)
    miller = unpack_miller(keys)
    # without the barrier the CPU backend forms these again for every use of them
    s = lax.optimization_barrier(inverse_spacing(miller, lattice))
    sums = sum_over_atoms(miller, (s / 2) ** 2, atoms, atom_blocks)
    return Families(
        miller=miller,
        multiplicity=lax.dynamic_slice_in_dim(found.multiplicity, start, _REFLECTIONS),
        s=s,
        squared=functools.reduce(jnp.add, [part**2 for part in sums]),
    )


@struct.dataclass
class _Chunk:
    """What the loops over reflections need of each crystal, and how far they go."""

    found: Reflections
    atoms: Scatterers
    reflection_blocks: Count
    atom_blocks: Count
    overflow: Int[Array, " C"]


def _prepare(
    crystals: Crystal,
    anomalous: Float[Array | np.ndarray, "C Z 2"] | None,
    s_range: Float[Array, "C 2"],
    capacity: Capacity,
    reverse: bool,
) -> _Chunk:
    """Reflections and scatterers of a chunk, and the length of the loops."""
    room = -(-capacity.max_reflections // _REFLECTIONS) * _REFLECTIONS
    found = find_reflections(crystals, s_range, room)
    reflection_blocks: Count = room // _REFLECTIONS
    atom_blocks: Count = -(-crystals.elements.shape[1] // ATOM_BLOCK)
    if not reverse:
        reflection_blocks = -(-jnp.max(found.count) // _REFLECTIONS)
        present = jnp.sum(crystals.occupancies > 0, axis=1)
        atom_blocks = -(-jnp.max(present) // ATOM_BLOCK)
    atoms = jax.vmap(
        lambda crystal, table: scatterers_of(
            crystal, capacity.max_elements, atom_blocks, table
        )
    )(crystals, anomalous)
    crowded = jnp.where(atoms.crowded, Overflow.ELEMENTS, 0)
    overflow = found.overflow | crowded
    return _Chunk(found, atoms, reflection_blocks, atom_blocks, overflow)


@struct.dataclass
class _Texture:
    """Axes [C, G, 3] of each crystal's texture, and the length of the loop over them."""

    axes: Float[Array, "C G 3"]
    rounds: Count


def _texture(crystals: Crystal, specimens: Specimen, reverse: bool) -> _Texture:
    axes = jax.vmap(equivalent_axes)(
        jnp.asarray(specimens.axis), jnp.asarray(crystals.lattice), crystals.symmetry
    )
    rounds: Count = axes.shape[1] if reverse else jnp.max(crystals.symmetry.order)
    return _Texture(axes, rounds)


def simulate_chunk(
    crystals: Crystal,
    instruments: Instrument,
    specimens: Specimen,
    peaks: Peaks,
    capacity: Capacity,
    reverse: bool = False,
) -> tuple[Float[Array, "C T"], Int[Array, " C"]]:
    """Patterns of a chunk of crystals; the work is that of its largest member.

    Args:
        crystals: with a leading axis C; atoms first, padding after.
        instruments: with a leading axis C.
        specimens: with a leading axis C.
        peaks: from `peak_grid` or `pseudo_voigt_grid`.
        capacity: static sizes of the buffers.
        reverse: loops of a fixed length, for reverse-mode differentiation.

    Returns:
        Patterns [C, T] with maximum 1, and the reasons [C] (`Overflow`) why some are
        not complete; 0 for those that are.
    """
    s_range = jax.vmap(lambda one: s_range_of(one, peaks.u_range))(instruments)
    chunk = _prepare(crystals, instruments.anomalous, s_range, capacity, reverse)
    textured = _texture(crystals, specimens, reverse) if peaks.effects.texture else None
    widths = jax.vmap(
        lambda instrument, specimen: widths_of(instrument, specimen, peaks)
    )(instruments, specimens)

    def add_block(i, combs):
        def add(combs, crystal, found, atoms, instrument, specimen, widths, axes):
            families = _families_in_block(
                i * _REFLECTIONS, found, crystal.lattice, atoms, chunk.atom_blocks
            )
            strength = families.multiplicity * families.squared
            if textured is not None:
                strength *= march_dollase(
                    families.miller,
                    families.s,
                    crystal.lattice,
                    axes,
                    specimen.march,
                    crystal.symmetry.order,
                    textured.rounds,
                )
            s_rest = None
            if isinstance(peaks, DirectPeaks):
                s_rest = spacing_remainder(families.miller, families.s, crystal.lattice)
            reflected = Reflected(strength, families.s, s_rest)
            return add_families(combs, reflected, instrument, specimen, peaks, widths)

        return jax.vmap(add)(
            combs,
            crystals,
            chunk.found,
            chunk.atoms,
            instruments,
            specimens,
            widths,
            None if textured is None else textured.axes,
        )

    count, emission_lines = instruments.wavelengths.shape
    combs = no_lines(count, emission_lines, peaks)
    combs = lax.fori_loop(0, chunk.reflection_blocks, add_block, combs)
    patterns, unfit = jax.vmap(
        lambda combs, instrument, specimen, widths: pattern_of_combs(
            combs, instrument, specimen, peaks, widths
        )
    )(combs, instruments, specimens, widths)
    return patterns, chunk.overflow | unfit


def chunk_families(
    crystals: Crystal,
    anomalous: Float[Array | np.ndarray, "C Z 2"] | None,
    s_range: Float[Array, "C 2"],
    capacity: Capacity,
    reverse: bool = False,
) -> tuple[Families, Int[Array, " C"]]:
    """All families [C, H] of a chunk, as `simulate_chunk` forms them block by block.

    Args:
        crystals: with a leading axis C.
        anomalous: [C, Z, 2] f' and f'' as in `Instrument`, or None.
        s_range: [C, 2] smallest and largest 1/d, 1/angstrom.
        capacity: static sizes of the buffers.
        reverse: loops of a fixed length, for reverse-mode differentiation.

    Returns:
        Families, padded, and the reasons [C] (`Overflow`) why some are missing.
    """
    chunk = _prepare(crystals, anomalous, s_range, capacity, reverse)
    count, room = chunk.found.keys.shape

    def block(places):
        return jax.vmap(
            lambda found, lattice, atoms: _families_in_block(
                places[0], found, lattice, atoms, chunk.atom_blocks
            )
        )(chunk.found, crystals.lattice, chunk.atoms)

    empty = Families(
        miller=jnp.zeros((count, room, 3)),
        multiplicity=jnp.zeros((count, room)),
        s=jnp.zeros((count, room)),
        squared=jnp.zeros((count, room)),
    )
    needed = chunk.reflection_blocks * _REFLECTIONS
    return fill_in_blocks(block, empty, needed, _REFLECTIONS), chunk.overflow
