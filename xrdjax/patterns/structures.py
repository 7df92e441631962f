"""Patterns of given structures, by the program that training uses."""

import dataclasses
import functools
import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Float, Key

from xrdjax.crystals.crystal import Crystal, Structure, to_crystal
from xrdjax.devices import AXIS, local_mesh, per_device
from xrdjax.diffraction.capacity import Capacity
from xrdjax.diffraction.kernel import (
    simulate_chunk,
)
from xrdjax.diffraction.overflow import Overflow
from xrdjax.errors import InputError
from xrdjax.instrument.instrument import Instrument, sample_instruments
from xrdjax.instrument.measurement import Measurement, Peaks, make_measurement
from xrdjax.instrument.ranges import spread_of
from xrdjax.instrument.specimen import Specimen, make_specimen
from xrdjax.patterns.generator import capacity_for, record

# Least number of atoms that a batch is padded to.
_ATOMS = 64


@functools.partial(jax.jit, static_argnames=("capacity", "mesh"))
def _simulate_shares(
    crystals: Crystal,
    instruments: Instrument,
    specimens: Specimen,
    peaks: Peaks,
    capacity: Capacity,
    mesh: Mesh,
) -> tuple[Array, Array]:
    """Patterns of one chunk on each device."""

    def share(crystals, instruments, specimens, peaks):
        return simulate_chunk(crystals, instruments, specimens, peaks, capacity)

    shared = PartitionSpec(AXIS)
    specs = (shared, shared, shared, PartitionSpec())
    return per_device(share, mesh, specs, shared)(
        crystals, instruments, specimens, peaks
    )


def _room(count: int) -> int:
    """Atoms a batch is padded to: a power of two, so that few programs compile."""
    return max(_ATOMS, 2 ** (count - 1).bit_length())


def stack_crystals(crystals: Sequence[Crystal], size: int) -> Crystal:
    """One Crystal with a leading axis, atoms and centring vectors padded alike.

    Args:
        crystals: with concrete values, all with displacements or all without.
        size: atoms N of each after padding.
    """
    centring = max(len(crystal.symmetry.centring) for crystal in crystals)

    def pad(crystal):
        atoms = (0, size - len(crystal.elements))
        vectors = (0, centring - len(crystal.symmetry.centring))
        return crystal.replace(
            positions=np.pad(crystal.positions, (atoms, (0, 0))),
            elements=np.pad(crystal.elements, atoms),
            occupancies=np.pad(crystal.occupancies, atoms),
            b_iso=None if crystal.b_iso is None else np.pad(crystal.b_iso, atoms),
            symmetry=crystal.symmetry.replace(
                centring=np.pad(crystal.symmetry.centring, (vectors, (0, 0)))
            ),
        )

    return jax.tree.map(lambda *leaves: np.stack(leaves), *map(pad, crystals))


def _capacity(
    structures: Sequence[Structure], measurement: Measurement, devices: int
) -> Capacity:
    """Buffers for each of the structures, and chunks no larger than needed."""
    volume = max(7000.0, *(structure.volume for structure in structures))
    elements = max(12, *(len(np.unique(s.elements)) for s in structures))
    share = -(-len(structures) // devices)
    chunk = capacity_for(measurement, volume).chunk_of(share)
    return capacity_for(measurement, volume, elements, chunk)


def patterns_of_structures(
    structures: Sequence[Structure],
    measurement: Measurement | None = None,
    sizes_nm: Float[np.ndarray, " n"] | float = 50.0,
    mesh: Mesh | None = None,
    *,
    displacements: bool = False,
) -> Float[np.ndarray, "n T"]:
    """Patterns of many structures, by the program that training uses.

    Args:
        structures: n crystals, each in its own setting.
        measurement: grid and instrument; where it has ranges, one instrument of them
            serves all. The paper's by default.
        sizes_nm: [n] crystallite sizes, or one for all, nanometres.
        mesh: devices of this process that share the work; by default its first one.
        displacements: let the structures' B damp the lines; without it, atoms are at
            rest, as in the paper.

    Returns:
        [n, T] patterns with maximum 1, or zero where no line is in range.

    Raises:
        InputError: a size is out of the measurement's range, or a cell too long.
    """
    measurement = make_measurement() if measurement is None else measurement
    size = spread_of(measurement.specimens.size_nm)
    low, high = size.low, size.high
    sizes = np.broadcast_to(np.asarray(sizes_nm, np.float32), (len(structures),))
    if not np.all((sizes >= low) & (sizes <= high)):
        raise InputError(
            f"crystallite sizes run from {sizes.min():g} to {sizes.max():g} nm: the "
            f"measurement expects {low:g} to {high:g}"
        )
    count = len(structures)
    instruments = _repeat(_fixed_instrument(measurement), count)
    specimens = _specimens(sizes)
    return _simulate(
        structures, measurement, instruments, specimens, mesh, displacements
    )


def record_structures(
    key: Key[Array, ""],
    structures: Sequence[Structure],
    measurement: Measurement,
    mesh: Mesh | None = None,
) -> tuple[Float[np.ndarray, "n T"], Bool[np.ndarray, "n T"] | None]:
    """Patterns of many structures as training measures them, each with its own ranges.

    Args:
        key: random key of instruments, specimens and exposures.
        structures: n crystals, each in its own setting; the patterns of others of them
            serve as additional phases.
        measurement: ranges of what is simulated.
        mesh: devices of this process that share the work; by default its first one.

    Returns:
        [n, T] patterns with maximum 1, and which points were measured; None for all.

    Raises:
        InputError: a cell is too long.
    """
    instruments, specimens = jax.tree.map(
        np.asarray, measurement.sample(key, len(structures))
    )
    patterns = _simulate(structures, measurement, instruments, specimens, mesh)
    recorded, masks = jax.jit(record)(key, jnp.asarray(patterns), measurement)
    return np.asarray(recorded), None if masks is None else np.asarray(masks)


def _simulate(
    structures: Sequence[Structure],
    measurement: Measurement,
    instruments: Instrument,
    specimens: Specimen,
    mesh: Mesh | None,
    displacements: bool = False,
) -> Float[np.ndarray, "n T"]:
    """Patterns of single phases, each by its own instrument and specimen."""
    patterns = np.zeros((len(structures), measurement.grid.points), np.float32)
    if not structures:
        return patterns
    mesh = mesh or local_mesh(1)
    capacity = _capacity(structures, measurement, mesh.size)
    crystals = [to_crystal(s, displacements=displacements) for s in structures]
    rooms = [_room(len(crystal.elements)) for crystal in crystals]
    # crystals of similar size share a chunk, so that none waits for a much larger one
    order = sorted(range(len(crystals)), key=lambda i: (rooms[i], structures[i].volume))
    at_once = capacity.chunk * mesh.size
    for start in range(0, len(order), at_once):
        chosen = order[start : start + at_once]
        full = chosen + chosen[-1:] * (at_once - len(chosen))
        batch = stack_crystals([crystals[i] for i in full], rooms[full[-1]])
        own = jax.tree.map(operator.itemgetter(full), (instruments, specimens))
        result, overflow = _simulate_shares(
            batch, *own, measurement.peaks, capacity, mesh
        )
        _refuse_overflow(np.asarray(overflow), [structures[i].name for i in full])
        patterns[chosen] = np.asarray(result)[: len(chosen)]
    return patterns


def _fixed_instrument(measurement: Measurement) -> Instrument:
    """The instrument of a measurement; where it has ranges, always the same sample."""
    one = sample_instruments(jax.random.key(0), measurement.instruments, 1)
    return jax.tree.map(lambda leaf: np.asarray(leaf[0]), one)


def _specimens(sizes_nm: Float[np.ndarray, " C"]) -> Specimen:
    """Powders without strain or texture, [C]."""
    return dataclasses.replace(
        _repeat(make_specimen(), len(sizes_nm)), size_nm=sizes_nm
    )


def _repeat(one: Any, count: int) -> Any:
    return jax.tree.map(lambda x: np.repeat(np.asarray(x)[None], count, 0), one)


def _refuse_overflow(overflow: np.ndarray, names: Sequence[str]) -> None:
    if np.any(overflow):
        i = int(np.argmax(overflow != 0))
        raise InputError(f"{names[i]} has {Overflow(int(overflow[i])).hint}")
