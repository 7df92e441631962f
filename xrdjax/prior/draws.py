"""Steps 2 to 6 of the prior: one random crystal of a space group.

Elements; their sites and Wyckoff positions; volume; cell shape; free coordinates.
Not every draw is possible: a crystal may turn out too large, or its angles may not
close a cell.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Key

from xrdjax.crystals.lattices import lattice_from_parameters, unit_cell_volume
from xrdjax.ops.safe import safe_divide, safe_log
from xrdjax.prior.prior import Limits, Prior
from xrdjax.prior.sites import Sites, site_multiplicities

# Longest cell edge, angstrom: a Miller index is packed in ten bits.
MAX_EDGE = 500.0
# Which of a, b, c each length is equal to, for each of LATTICE_SYSTEMS in order.
_LENGTH_TIES = np.array(
    [[0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 0, 2], [0, 0, 2], [0, 0, 2], [0, 0, 0]],
    np.int32,
)


def choose(uniform: Float[Array, ""], weights: Float[Array, " n"]) -> Int[Array, ""]:
    """Index sampled in proportion to weights, by inversion of their cumulative sums.

    Args:
        uniform: [] in [0, 1).
        weights: [n] nonnegative, not all zero; a weight of zero is never chosen.
    """
    sums = jnp.cumsum(weights)
    index = jnp.sum(sums <= uniform * sums[-1])
    # rounding must not reach a weight of zero past the last positive one
    last = jnp.max(jnp.where(weights > 0, jnp.arange(weights.shape[0]), 0))
    return jnp.minimum(index, last)


def _sample_elements(
    key: Key[Array, ""], prior: Prior, group_row: Int[Array, ""], max_sites: int
) -> tuple[Int[Array, " S"], Int[Array, ""]]:
    """Element of each site [S], and how many sites there are (may exceed S).

    The largest values of log p + Gumbel noise are draws without replacement.
    """
    count_key, element_key, site_key = jax.random.split(key, 3)
    counts = jnp.asarray(prior.statistics.element_counts)[group_row]
    frequencies = jnp.asarray(prior.statistics.elements)[group_row]
    site_counts = jnp.asarray(prior.statistics.site_counts)[group_row]
    elements_wanted = 1 + choose(jax.random.uniform(count_key), counts)
    most = counts.shape[0]
    noise = jax.random.gumbel(element_key, frequencies.shape)
    _, elements = lax.top_k(safe_log(frequencies) + noise, most)
    uniforms = jax.random.uniform(site_key, (most,))
    sites = 1 + jax.vmap(choose, in_axes=(0, None))(uniforms, site_counts)
    sites = jnp.where(jnp.arange(most) < elements_wanted, sites, 0)
    ends = jnp.cumsum(sites)
    slot = jnp.arange(max_sites)
    owner = jnp.sum(ends[None] <= slot[:, None], axis=1)
    owned = elements[jnp.minimum(owner, most - 1)]
    return jnp.where(slot < ends[-1], owned, 0), ends[-1]


def _sample_letters(
    key: Key[Array, ""],
    frequencies: Float[Array, " L"],
    has_freedom: Bool[Array, " L"],
    sites: Int[Array, ""],
    max_sites: int,
) -> tuple[Int[Array, " S"], Bool[Array, ""]]:
    """Wyckoff letter of each site, one after the other.

    A position without free coordinates holds at most one site; once it is taken,
    its probability is shared among the others.

    Returns:
        Letters [S], and whether every site found a position.
    """
    uniforms = jax.random.uniform(key, (max_sites,))
    index = jnp.arange(frequencies.shape[0])

    def more(state):
        i, _, _, possible = state
        return (i < sites) & possible

    def place(state):
        i, letters, weights, _ = state
        letter = choose(uniforms[i], weights)
        taken = (index == letter) & ~has_freedom
        remaining = jnp.where(taken, 0.0, weights)
        possible = jnp.any(remaining > 0) | (i + 1 >= sites)
        return i + 1, letters.at[i].set(letter), remaining, possible

    letters = jnp.zeros(max_sites, jnp.int32)
    start = (jnp.int32(0), letters, frequencies, jnp.bool_(True))
    _, letters, _, possible = lax.while_loop(more, place, start)
    return letters, possible


def _choose_near(
    uniform: Float[Array, ""],
    volume: Float[Array, ""],
    volumes: Float[Array, "R C"],
    bandwidth: Float[Array, ""],
) -> Int[Array, "2"]:
    """Row and column of a crystal, sampled with weight exp(-(V - V_i)^2 / 2 h^2).

    The sums are formed in two levels, rows first, which is exact and short.
    """
    exponents = -(((volume - volumes) / bandwidth) ** 2) / 2
    weights = jnp.exp(exponents - jnp.max(exponents))
    totals = jnp.sum(weights, axis=1)
    row = choose(uniform, totals)
    before = jnp.sum(jnp.where(jnp.arange(totals.shape[0]) < row, totals, 0.0))
    rest = (uniform * jnp.sum(totals) - before) / totals[row]
    return jnp.stack([row, choose(jnp.clip(rest, 0.0, 1.0), weights[row])])


def _sample_volume(
    key: Key[Array, ""],
    prior: Prior,
    group_row: Int[Array, ""],
    atoms: Float[Array, ""],
) -> Float[Array, ""]:
    """Volume of the conventional cell given the sum of its atomic volumes.

    The packing factor is sampled from the kernel density of the group's crystals,
    conditional on the sum: that of a crystal near it, plus kernel noise.
    """
    choice_key, noise_key = jax.random.split(key)
    bandwidths = jnp.asarray(prior.statistics.volume_bandwidths)[group_row]
    uniform = jax.random.uniform(choice_key)
    volumes = jnp.asarray(prior.volumes)[group_row]
    row, column = _choose_near(uniform, atoms, volumes, bandwidths[0])
    factor = jnp.asarray(prior.packing)[group_row, row, column]
    return atoms * (factor + bandwidths[1] * jax.random.normal(noise_key))


def sample_lattice(
    key: Key[Array, ""],
    prior: Prior,
    group_row: Int[Array, ""],
    volume: Float[Array, ""],
) -> tuple[Float[Array, "3 3"], Bool[Array, ""]]:
    """Conventional cell of a given volume, and whether its angles close a cell.

    The shape, (a, b, c) / V^(1/3) and the angles, is that of a known crystal of
    the lattice system plus kernel noise on the free parameters.

    Args:
        key: random key.
        prior: statistics.
        group_row: [] of the space group.
        volume: [] cubic angstrom.
    """
    choice_key, noise_key = jax.random.split(key)
    statistics = prior.statistics
    system = jnp.asarray(statistics.lattice_systems)[group_row]
    first, last = jnp.asarray(statistics.system_ranges)[system]
    crystal = jax.random.randint(choice_key, (), first, last)
    noise = jnp.asarray(statistics.shape_bandwidths)[system] * jax.random.normal(
        noise_key, (6,)
    )
    ties = jnp.concatenate([jnp.asarray(_LENGTH_TIES)[system], jnp.arange(3, 6)])
    shape = (jnp.asarray(statistics.shapes)[crystal] + noise)[ties]
    unit = lattice_from_parameters(*shape)
    unit_volume = unit_cell_volume(unit)
    possible = (
        (unit_volume > 1e-3) & (jnp.min(shape) > 0) & (jnp.max(shape[3:]) < jnp.pi)
    )
    possible &= volume > 0
    scale = jnp.where(possible, safe_divide(volume, unit_volume), 1.0)
    return unit * jnp.cbrt(scale), possible


def sample_sites(
    key: Key[Array, ""], prior: Prior, group_row: Int[Array, ""], limits: Limits
) -> tuple[Sites, Bool[Array, ""], Int[Array, ""]]:
    """Steps 2 to 6 of the prior.

    Returns:
        A crystal; whether it is possible; and the atoms of its primitive cell.
    """
    element_key, letter_key, volume_key, shape_key, place_key = jax.random.split(key, 5)
    statistics, wyckoff = prior.statistics, prior.wyckoff
    number = jnp.asarray(statistics.space_groups)[group_row]
    elements, sites = _sample_elements(element_key, prior, group_row, limits.max_sites)
    letters, placed = _sample_letters(
        letter_key,
        jnp.asarray(statistics.wyckoff)[group_row],
        jnp.any(jnp.asarray(wyckoff.free)[number], axis=-1),
        jnp.minimum(sites, limits.max_sites),
        limits.max_sites,
    )
    multiplicities = jnp.asarray(wyckoff.multiplicity)[number, letters]
    atomic_volumes = jnp.asarray(prior.atomic_volumes)[elements]
    per_site = multiplicities.astype(jnp.float32) * atomic_volumes
    volume = _sample_volume(volume_key, prior, group_row, jnp.sum(per_site))
    lattice, closed = sample_lattice(shape_key, prior, group_row, volume)
    crystal = Sites(
        group_row=group_row,
        space_group=number,
        lattice=lattice,
        elements=elements,
        letters=letters,
        coordinates=jax.random.uniform(place_key, (limits.max_sites, 3)),
    )
    possible = (
        placed
        & closed
        & (sites <= limits.max_sites)
        & (volume <= limits.max_volume)
        & (jnp.max(jnp.sum(lattice**2, axis=-1)) < MAX_EDGE**2)
    )
    return crystal, possible, jnp.sum(site_multiplicities(crystal, prior))
