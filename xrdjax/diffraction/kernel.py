"""Powder patterns of many crystals at once, each at its own cost.

The same steps as in `powder`, for a chunk of crystals that are about alike. Loops
over blocks of candidates, reflections and atoms stop at the largest member of
the chunk, so that a small crystal does not pay for the largest possible one.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from xrdjax.crystals.crystal import Crystal
from xrdjax.crystals.elements import IT92
from xrdjax.crystals.lattices import inverse_spacing, unit_cell_volume
from xrdjax.diffraction.intensities import line_intensities
from xrdjax.diffraction.reflections import (
    Reflections,
    append_reflections,
    index_box,
    no_reflections,
    unpack_miller,
)
from xrdjax.diffraction.structure_factors import (
    ATOM_BLOCK,
    scattering_powers,
    sum_phases,
)
from xrdjax.instrument.diffractometer import PAPER_DIFFRACTOMETER, Diffractometer
from xrdjax.instrument.profiles import (
    ProfileGrid,
    add_lines,
    line_heights,
    profile,
)
from xrdjax.symmetry.space_groups import Symmetry

# Sizes of the blocks that the loops take together.
_CANDIDATES = 512
_REFLECTIONS = 128


@dataclasses.dataclass(frozen=True)
class Simulation:
    """What is simulated and how much room it gets; hashable, so static under jit.

    Attributes:
        diffractometer: wavelength and grid of 2 theta.
        sizes_nm: smallest and largest crystallite size, nanometres.
        max_volume: largest conventional cell, cubic angstrom.
        max_elements: most elements in one crystal.
        chunk: crystals done together; 0 means 8 on a CPU, 256 elsewhere.
    """

    diffractometer: Diffractometer = PAPER_DIFFRACTOMETER
    sizes_nm: tuple[float, float] = (20.0, 100.0)
    max_volume: float = 7000.0
    max_elements: int = 12
    chunk: int = 0

    def chunk_of(self, count: int) -> int:
        """Crystals done together when there are `count`."""
        default = 8 if jax.default_backend() == "cpu" else 256
        return min(self.chunk or default, count)

    @property
    def max_reflections(self) -> int:
        """Room for the families of the largest triclinic cell, in whole blocks.

        Half the lattice points of the sphere, and a fifth for its surface.
        """
        sphere = 4 / 3 * math.pi * self.diffractometer.s_range[1] ** 3
        room = 1.2 * sphere * self.max_volume / 2 + 256
        return math.ceil(room / _REFLECTIONS) * _REFLECTIONS


def chunk_reflections(crystals: Crystal, simulation: Simulation) -> Reflections:
    """Reflections of each crystal of a chunk, [C, H]."""
    s_range = simulation.diffractometer.s_range
    box = jax.vmap(lambda a, g: index_box(a, g, s_range[1]))(
        crystals.lattice, crystals.symmetry
    )
    order = jnp.max(crystals.symmetry.order)

    def look(i, found):
        def append(found, crystal, box):
            return append_reflections(
                found,
                crystal.lattice,
                crystal.symmetry,
                box,
                s_range,
                i * _CANDIDATES,
                order,
                _CANDIDATES,
            )

        return jax.vmap(append)(found, crystals, box)

    count = crystals.lattice.shape[0]
    empty = jax.tree.map(
        lambda x: jnp.broadcast_to(x, (count, *x.shape)),
        no_reflections(simulation.max_reflections),
    )
    blocks = -(-jnp.max(box.count) // _CANDIDATES)
    found = lax.fori_loop(0, blocks, look, empty)
    return found.replace(overflow=found.overflow | box.overflow)


@struct.dataclass
class _Scatterers:
    """Atoms of a crystal as the sums over blocks of them take them.

    Attributes:
        coefficients: [E, 9] rows of IT92 of its distinct elements.
        rows: [Z + 1] row of each element in them.
        elements: [N] atomic numbers; N is a whole number of blocks.
        positions: [N, 3] fractional coordinates.
        occupancies: [N]; 0 on padding.
        crowded: [] True when there are more than E elements.
    """

    coefficients: Float[Array, "E 9"]
    rows: Int[Array, " Z"]
    elements: Int[Array, " N"]
    positions: Float[Array, "N 3"]
    occupancies: Float[Array, " N"]
    crowded: Bool[Array, ""]


def _scatterers(crystal: Crystal, size: int, blocks: Int[Array, ""]) -> _Scatterers:
    """Atoms of one crystal, those in the first blocks, with room for `size` elements."""
    padding = (0, -crystal.elements.shape[0] % ATOM_BLOCK)
    elements = jnp.pad(crystal.elements, padding)
    count = IT92.shape[0]

    def note(j, present):
        block = lax.dynamic_slice_in_dim(elements, j * ATOM_BLOCK, ATOM_BLOCK)
        return present.at[block].set(True)

    present = lax.fori_loop(0, blocks, note, jnp.zeros(count, bool))
    present = present.at[0].set(False)  # padding
    rows = jnp.cumsum(present) - 1
    slot = jnp.where(present, rows, size)
    distinct = jnp.zeros(size, jnp.int32).at[slot].set(jnp.arange(count), mode="drop")
    return _Scatterers(
        coefficients=jnp.asarray(IT92, jnp.float32)[distinct],
        rows=jnp.maximum(rows, 0),
        elements=elements,
        positions=jnp.pad(crystal.positions, (padding, (0, 0))),
        occupancies=jnp.pad(crystal.occupancies, padding),
        crowded=rows[-1] >= size,
    )


def _squared_magnitudes(
    miller: Float[Array, "H 3"],
    s: Float[Array, " H"],
    atoms: _Scatterers,
    blocks: Int[Array, ""],
) -> Float[Array, " H"]:
    """|F|^2 of the primitive cell, over as many blocks of atoms as are told."""
    no_displacements = jnp.zeros(atoms.coefficients.shape[0])
    powers = lax.optimization_barrier(
        scattering_powers(atoms.coefficients, no_displacements, (s / 2) ** 2)
    )

    def add_atoms(j, total):
        def block(array):
            return lax.dynamic_slice_in_dim(array, j * ATOM_BLOCK, ATOM_BLOCK)

        real, imaginary = sum_phases(
            miller,
            block(atoms.positions),
            block(atoms.occupancies),
            powers[atoms.rows[block(atoms.elements)]],
        )
        return total[0] + real, total[1] + imaginary

    zero = jnp.zeros(miller.shape[0])
    real, imaginary = lax.fori_loop(0, blocks, add_atoms, (zero, zero))
    return real**2 + imaginary**2


def simulate_chunk(
    crystals: Crystal,
    sizes_nm: Float[Array, " C"],
    grid: ProfileGrid,
    simulation: Simulation,
) -> tuple[Float[Array, "C T"], Bool[Array, " C"]]:
    """Patterns of a chunk of crystals; the work is that of its largest member.

    Displacements are left out, as in the paper.

    Args:
        crystals: with a leading axis C; atoms first, padding after.
        sizes_nm: [C] crystallite sizes, nanometres.
        grid: from `profile_grid`.
        simulation: static settings.

    Returns:
        Patterns [C, T] with maximum 1, and whether something had no room [C].
    """
    wavelength = simulation.diffractometer.wavelength
    found = chunk_reflections(crystals, simulation)
    atom_blocks = -(-jnp.max(jnp.sum(crystals.occupancies > 0, axis=1)) // ATOM_BLOCK)
    atoms = jax.vmap(
        lambda one: _scatterers(one, simulation.max_elements, atom_blocks)
    )(crystals)

    def add_reflections(i, combs):
        def add(comb, lattice, keys, multiplicity, atoms):
            first = i * _REFLECTIONS
            keys = lax.dynamic_slice_in_dim(keys, first, _REFLECTIONS)
            multiplicity = lax.dynamic_slice_in_dim(multiplicity, first, _REFLECTIONS)
            miller = unpack_miller(keys)
            # without barriers the CPU backend forms these again for every use of them
            s = lax.optimization_barrier(inverse_spacing(miller, lattice))
            squared = _squared_magnitudes(miller, s, atoms, atom_blocks)
            intensities = line_intensities(multiplicity, squared, s, wavelength)
            return add_lines(comb, s, line_heights(intensities, s, wavelength), grid)

        return jax.vmap(add)(
            combs, crystals.lattice, found.keys, found.multiplicity, atoms
        )

    combs = jnp.zeros((crystals.lattice.shape[0], grid.skew.shape[0]))
    blocks = -(-jnp.max(found.count) // _REFLECTIONS)
    combs = lax.fori_loop(0, blocks, add_reflections, combs)
    patterns = jax.vmap(lambda comb, size: profile(comb, size, grid))(combs, sizes_nm)
    return patterns, found.overflow | atoms.crowded


def simulation_cost(
    lattice: Float[Array, "3 3"],
    symmetry: Symmetry,
    atoms: Int[Array, ""],
    diffractometer: Diffractometer,
) -> Float[Array, ""]:
    """Estimated work for one crystal: candidates, and reflections times atoms.

    Args:
        lattice: [3, 3] rows a, b, c, angstrom.
        symmetry: of the crystal.
        atoms: [] in the primitive cell.
        diffractometer: its largest s counts.
    """
    s_max = diffractometer.s_range[1]
    candidates = index_box(lattice, symmetry, s_max).count
    points = 4 / 3 * math.pi * s_max**3 * jnp.abs(unit_cell_volume(lattice))
    families = points / (2.0 * symmetry.order * symmetry.centring_order)
    return 8.0 * candidates + families * atoms
