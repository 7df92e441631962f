"""Diffractograms in bulk: of random crystals from a key, and of given structures."""

import dataclasses
import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float, Int, Key

from xrdjax.crystals.crystal import Crystal, Structure, to_crystal
from xrdjax.devices import AXIS, local_mesh, per_device
from xrdjax.diffraction.kernel import Simulation, simulate_chunk, simulation_cost
from xrdjax.diffraction.reflections import INDEX_LIMIT
from xrdjax.errors import InputError
from xrdjax.instrument.profiles import ProfileGrid, profile_grid
from xrdjax.ops.chunks import fill_in_blocks, map_in_chunks
from xrdjax.prior.prior import DEFAULT_LIMITS, Limits, Prior
from xrdjax.prior.sampling import draw_groups, sample_crystals
from xrdjax.prior.sites import Sites, atoms_of_sites

DEFAULT_SIMULATION = Simulation()
# Atoms placed together.
_ATOMS = 64


def place_atoms(
    sites: Sites, prior: Prior, atoms: Int[Array, " C"], size: int
) -> Crystal:
    """Crystals [C] with room for `size` atoms, placed up to the largest one's last."""
    count = sites.lattice.shape[0]
    size = -(-size // _ATOMS) * _ATOMS

    def place(index):
        return jax.vmap(lambda one: atoms_of_sites(one, prior, index))(sites)

    empty = (jnp.zeros((count, size, 3)), jnp.zeros((count, size), jnp.int32))
    positions, elements = fill_in_blocks(place, empty, jnp.max(atoms), _ATOMS)
    return Crystal(
        lattice=sites.lattice,
        positions=positions,
        elements=elements,
        occupancies=(elements > 0).astype(jnp.float32),
        b_iso=jnp.zeros((count, size)),
        symmetry=jax.tree.map(
            lambda x: jnp.asarray(x)[sites.space_group], prior.symmetry
        ),
    )


def sites_cost(
    sites: Sites, prior: Prior, simulation: Simulation
) -> tuple[Int[Array, " B"], Float[Array, " B"]]:
    """Atoms in the primitive cell [B] and estimated work [B] of drawn crystals."""

    def one(sites):
        group = sites.space_group
        multiplicities = jnp.asarray(prior.wyckoff.primitive_multiplicity)[group]
        present = sites.elements > 0
        atoms = jnp.sum(jnp.where(present, multiplicities[sites.letters], 0))
        symmetry = jax.tree.map(lambda x: jnp.asarray(x)[group], prior.symmetry)
        cost = simulation_cost(
            sites.lattice, symmetry, atoms, simulation.diffractometer
        )
        return atoms, cost

    return jax.vmap(one)(sites)


def simulate_sites(
    sites: Sites,
    sizes_nm: Float[Array, " B"],
    prior: Prior,
    grid: ProfileGrid,
    simulation: Simulation,
    limits: Limits,
) -> tuple[Float[Array, "B T"], Int[Array, ""]]:
    """Patterns of drawn crystals [B, T], and how many of them lack something."""
    atoms, cost = sites_cost(sites, prior, simulation)

    def simulate(batch):
        sites, atoms, sizes_nm = batch
        crystals = place_atoms(sites, prior, atoms, limits.max_atoms)
        return simulate_chunk(crystals, sizes_nm, grid, simulation)

    patterns, incomplete = map_in_chunks(
        simulate,
        (sites, atoms, sizes_nm),
        cost,
        simulation.chunk_of(len(sizes_nm)),
    )
    return patterns, jnp.sum(incomplete)


@functools.partial(
    jax.jit, static_argnames=("batch_size", "simulation", "limits", "uniform")
)
def synthetic_patterns(
    key: Key[Array, ""],
    prior: Prior,
    grid: ProfileGrid,
    batch_size: int,
    simulation: Simulation = DEFAULT_SIMULATION,
    limits: Limits = DEFAULT_LIMITS,
    uniform: bool = False,
) -> tuple[Float[Array, "B T"], Int[Array, " B"], dict[str, Array]]:
    """Draws crystals and simulates their diffractograms.

    Args:
        key: random key.
        prior: statistics and tables, from `make_prior`.
        grid: from `profile_grid(simulation.diffractometer, *simulation.sizes_nm)`.
        batch_size: number of crystals B.
        simulation: measurement and room.
        limits: of the crystals.
        uniform: all groups alike, instead of by frequency.

    Returns:
        Patterns [B, T] with maximum 1; labels [B], rows of the space groups in the
        statistics; and counts of draws ("drawn", "impossible", "overflow",
        "too_symmetric", "exhausted") and of "incomplete" patterns.
    """
    group_key, crystal_key, size_key = jax.random.split(key, 3)
    groups = draw_groups(group_key, prior, batch_size, uniform=uniform)
    sites, counts = sample_crystals(crystal_key, prior, groups, limits)
    sizes_nm = jax.random.uniform(
        size_key,
        (batch_size,),
        minval=simulation.sizes_nm[0],
        maxval=simulation.sizes_nm[1],
    )
    patterns, incomplete = simulate_sites(
        sites, sizes_nm, prior, grid, simulation, limits
    )
    return patterns, groups, {**vars(counts), "incomplete": incomplete}


@functools.partial(jax.jit, static_argnames=("simulation", "mesh"))
def _simulate_shares(
    crystals: Crystal,
    sizes_nm: Float[Array, " B"],
    grid: ProfileGrid,
    simulation: Simulation,
    mesh: Mesh,
):
    """Patterns of one chunk on each device."""

    def share(crystals, sizes_nm, grid):
        return simulate_chunk(crystals, sizes_nm, grid, simulation)

    shared = PartitionSpec(AXIS)
    return per_device(share, mesh, (shared, shared, PartitionSpec()), shared)(
        crystals, sizes_nm, grid
    )


def _room(count: int) -> int:
    """Atoms a batch is padded to: a power of two, so that few programs compile."""
    return max(_ATOMS, 2 ** (count - 1).bit_length())


def _stack(crystals: Sequence[Crystal], size: int) -> Crystal:
    """One Crystal with a leading axis, atoms and centring vectors padded alike."""
    centring = max(len(crystal.symmetry.centring) for crystal in crystals)

    def pad(crystal):
        atoms = size - len(crystal.elements)
        more = centring - len(crystal.symmetry.centring)
        return crystal.replace(
            positions=np.pad(crystal.positions, ((0, atoms), (0, 0))),
            elements=np.pad(crystal.elements, (0, atoms)),
            occupancies=np.pad(crystal.occupancies, (0, atoms)),
            b_iso=np.pad(crystal.b_iso, (0, atoms)),
            symmetry=crystal.symmetry.replace(
                centring=np.pad(crystal.symmetry.centring, ((0, more), (0, 0)))
            ),
        )

    return jax.tree.map(lambda *leaves: np.stack(leaves), *map(pad, crystals))


def patterns_of_structures(
    structures: Sequence[Structure],
    simulation: Simulation = DEFAULT_SIMULATION,
    sizes_nm: Float[np.ndarray, " n"] | float = 50.0,
    mesh: Mesh | None = None,
) -> Float[np.ndarray, "n T"]:
    """Diffractograms of many structures, by the program that training runs.

    Displacements are left out, as in the paper; `powder_pattern` can take them.

    Args:
        structures: n crystals, each in its own setting.
        simulation: measurement; its limits of volume and elements are raised to
            those of the structures.
        sizes_nm: [n] crystallite sizes, or one for all, nanometres.
        mesh: devices of this process that share the work; by default its first one.

    Returns:
        [n, T] patterns with maximum 1, or zero where no line is in range.

    Raises:
        InputError: a size is out of the simulation's range, or a cell too long.
    """
    low, high = simulation.sizes_nm
    sizes = np.broadcast_to(np.asarray(sizes_nm, np.float32), (len(structures),))
    if not np.all((sizes >= low) & (sizes <= high)):
        raise InputError(
            f"crystallite sizes run from {sizes.min():g} to {sizes.max():g} nm: the "
            f"simulation expects {low:g} to {high:g}"
        )
    patterns = np.zeros((len(structures), simulation.diffractometer.points), np.float32)
    if not structures:
        return patterns
    elements = [len(np.unique(structure.elements)) for structure in structures]
    mesh = mesh or local_mesh(1)
    simulation = dataclasses.replace(
        simulation,
        max_volume=max(simulation.max_volume, *(s.volume for s in structures)),
        max_elements=max(simulation.max_elements, *elements),
        chunk=simulation.chunk_of(-(-len(structures) // mesh.size)),
    )
    grid = profile_grid(simulation.diffractometer, *simulation.sizes_nm)
    crystals = [to_crystal(structure) for structure in structures]
    rooms = [_room(len(crystal.elements)) for crystal in crystals]
    # neighbours in size share a chunk, so that none waits for a much larger one
    order = sorted(range(len(crystals)), key=lambda i: (rooms[i], structures[i].volume))
    at_once = simulation.chunk * mesh.size
    for start in range(0, len(order), at_once):
        chosen = order[start : start + at_once]
        full = chosen + chosen[-1:] * (at_once - len(chosen))
        batch = _stack([crystals[i] for i in full], rooms[full[-1]])
        result, incomplete = _simulate_shares(
            batch, sizes[full], grid, simulation, mesh
        )
        if np.any(incomplete):
            name = structures[full[int(np.argmax(incomplete))]].name
            longest = INDEX_LIMIT / simulation.diffractometer.s_range[1]
            raise InputError(
                f"{name} has more reflections than there is room for: its cell edges "
                f"must stay below {longest:.4g} angstrom at this wavelength and range"
            )
        patterns[chosen] = np.asarray(result)[: len(chosen)]
    return patterns
