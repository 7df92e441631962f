"""From a random key to labelled diffractograms, in one compiled program."""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, Key

from xrdjax.chunks import map_in_chunks
from xrdjax.crystals.crystal import Crystal
from xrdjax.crystals.prior import DEFAULT_LIMITS, Limits, Prior
from xrdjax.crystals.sampling import draw_groups, sample_crystals
from xrdjax.crystals.sites import Sites, atoms_of_sites
from xrdjax.diffraction.batches import Simulation, simulate_chunk, simulation_cost
from xrdjax.diffraction.profiles import ProfileGrid

DEFAULT_SIMULATION = Simulation()
# Atoms placed together.
_ATOMS = 64


def _place_atoms(
    sites: Sites, prior: Prior, atoms: Int[Array, " C"], size: int
) -> Crystal:
    """Crystals [C] with room for `size` atoms, placed up to the largest one's last."""
    count = sites.lattice.shape[0]
    size = -(-size // _ATOMS) * _ATOMS

    def place(i, placed):
        index = i * _ATOMS + jnp.arange(_ATOMS)
        block = jax.vmap(lambda one: atoms_of_sites(one, prior, index))(sites)
        return jax.tree.map(
            lambda whole, part: lax.dynamic_update_slice_in_dim(
                whole, part, i * _ATOMS, axis=1
            ),
            placed,
            block,
        )

    empty = (jnp.zeros((count, size, 3)), jnp.zeros((count, size), jnp.int32))
    blocks = -(-jnp.max(atoms) // _ATOMS)
    positions, elements = lax.fori_loop(0, blocks, place, empty)
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


def simulate_sites(
    sites: Sites,
    sizes_nm: Float[Array, " B"],
    prior: Prior,
    grid: ProfileGrid,
    simulation: Simulation,
    limits: Limits,
) -> tuple[Float[Array, "B T"], Int[Array, ""]]:
    """Patterns of drawn crystals [B, T], and how many of them lack something."""
    table = jnp.asarray(prior.wyckoff.primitive_multiplicity)
    multiplicities = jax.vmap(lambda group, letters: table[group, letters])(
        sites.space_group, sites.letters
    )
    atoms = jnp.sum(jnp.where(sites.elements > 0, multiplicities, 0), axis=1)

    def cost(lattice, group, atoms):
        symmetry = jax.tree.map(lambda x: jnp.asarray(x)[group], prior.symmetry)
        return simulation_cost(lattice, symmetry, atoms, simulation.diffractometer)

    def simulate(batch):
        sites, atoms, sizes_nm = batch
        crystals = _place_atoms(sites, prior, atoms, limits.max_atoms)
        return simulate_chunk(crystals, sizes_nm, grid, simulation)

    patterns, incomplete = map_in_chunks(
        simulate,
        (sites, atoms, sizes_nm),
        jax.vmap(cost)(sites.lattice, sites.space_group, atoms),
        simulation.chunk,
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
