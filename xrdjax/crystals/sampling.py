"""Random crystals of a space group, from the statistics of known ones.

The prior is that of Schopmans, Reiser and Friederich (2023), in seven steps:
group; elements; sites of each element and their Wyckoff positions; volume; cell
shape; free coordinates; and a check that the crystal has the group it was drawn
from. A draw that cannot be (too large, no cell, too much symmetry) is drawn again
in the same group, so that the frequencies of the groups stay as they are asked.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Key

from xrdjax.chunks import map_in_chunks
from xrdjax.crystals.crystal import Crystal
from xrdjax.crystals.lattices import lattice_from_parameters, unit_cell_volume
from xrdjax.crystals.prior import DEFAULT_LIMITS, Limits, Prior
from xrdjax.crystals.symmetry_check import has_more_symmetry

# Longest cell edge, angstrom: a Miller index is packed in ten bits.
MAX_EDGE = 500.0
# Which of a, b, c each length follows: by lattice system, in order of LATTICE_SYSTEMS.
_LENGTH_TIES = np.array(
    [[0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 0, 2], [0, 0, 2], [0, 0, 2], [0, 0, 0]],
    np.int32,
)


@struct.dataclass
class Sites:
    """A drawn crystal: its occupied Wyckoff positions, padded to S.

    Attributes:
        group: [] row of the space group in the statistics.
        space_group: [] its number.
        lattice: [3, 3] conventional vectors a, b, c, angstrom.
        elements: [S] atomic numbers, one element after the other; 0 on padding.
        letters: [S] Wyckoff letters, 0 for "a".
        coordinates: [S, 3] free coordinates x, y, z of each site.
    """

    group: Int[Array, ""]
    space_group: Int[Array, ""]
    lattice: Float[Array, "3 3"]
    elements: Int[Array, " S"]
    letters: Int[Array, " S"]
    coordinates: Float[Array, "S 3"]


@struct.dataclass
class Counts:
    """How many draws were made for a batch, and what became of them.

    Attributes:
        drawn: [] all draws.
        impossible: [] too many sites, too large, or no cell: drawn again.
        overflow: [] more atoms than max_atoms: drawn again.
        too_symmetric: [] of a higher symmetry than asked: drawn again.
        exhausted: [] crystals given up after max_tries, so with a wrong label.
    """

    drawn: Int[Array, ""]
    impossible: Int[Array, ""]
    overflow: Int[Array, ""]
    too_symmetric: Int[Array, ""]
    exhausted: Int[Array, ""]


def _choose(uniform: Float[Array, ""], weights: Float[Array, " n"]) -> Int[Array, ""]:
    """Index drawn in proportion to weights, by inversion of their sums.

    Args:
        uniform: [] in [0, 1).
        weights: [n] nonnegative, not all zero; zero is never chosen.
    """
    sums = jnp.cumsum(weights)
    index = jnp.sum(sums <= uniform * sums[-1])
    # rounding must not end on a weight of zero behind the last positive one
    last = jnp.max(jnp.where(weights > 0, jnp.arange(weights.shape[0]), 0))
    return jnp.minimum(index, last)


def draw_groups(
    key: Key[Array, ""], prior: Prior, count: int, *, uniform: bool = False
) -> Int[Array, " B"]:
    """Rows of space groups in the statistics, by frequency or uniformly.

    Args:
        key: random key.
        prior: statistics.
        count: number of groups B.
        uniform: all groups alike, instead of by their frequency.
    """
    weights = jnp.asarray(prior.statistics.frequencies)
    if uniform:
        return jax.random.randint(key, (count,), 0, weights.shape[0])
    return jax.random.choice(key, weights.shape[0], (count,), p=weights)


def _draw_elements(
    key: Key[Array, ""], prior: Prior, group: Int[Array, ""], max_sites: int
) -> tuple[Int[Array, " S"], Int[Array, ""]]:
    """Element of each site [S], and how many sites there are (may exceed S).

    Successive draws without repetition are the largest of log p + Gumbel noise.
    """
    count_key, element_key, site_key = jax.random.split(key, 3)
    counts = jnp.asarray(prior.statistics.element_counts)[group]
    frequencies = jnp.asarray(prior.statistics.elements)[group]
    site_counts = jnp.asarray(prior.statistics.site_counts)[group]
    elements_wanted = 1 + _choose(jax.random.uniform(count_key), counts)
    most = counts.shape[0]
    present = frequencies > 0
    logits = jnp.where(present, jnp.log(jnp.where(present, frequencies, 1.0)), -jnp.inf)
    noise = jax.random.gumbel(element_key, logits.shape)
    _, elements = lax.top_k(logits + noise, most)
    uniforms = jax.random.uniform(site_key, (most,))
    sites = 1 + jax.vmap(_choose, in_axes=(0, None))(uniforms, site_counts)
    sites = jnp.where(jnp.arange(most) < elements_wanted, sites, 0)
    ends = jnp.cumsum(sites)
    slot = jnp.arange(max_sites)
    owner = jnp.sum(ends[None] <= slot[:, None], axis=1)
    owned = elements[jnp.minimum(owner, most - 1)]
    return jnp.where(slot < ends[-1], owned, 0), ends[-1]


def _draw_letters(
    key: Key[Array, ""],
    frequencies: Float[Array, " L"],
    has_freedom: Bool[Array, " L"],
    sites: Int[Array, ""],
    max_sites: int,
) -> tuple[Int[Array, " S"], Bool[Array, ""]]:
    """Wyckoff letter of each site, one after the other.

    A position without free coordinates holds one site at most; once it is taken
    the others share its probability.

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
        letter = _choose(uniforms[i], weights)
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
    """Row and column of a crystal, drawn with weight exp(-(V - V_i)^2 / 2 h^2).

    The sums are formed in two levels, rows first, which is exact and short.
    """
    exponents = -(((volume - volumes) / bandwidth) ** 2) / 2
    weights = jnp.exp(exponents - jnp.max(exponents))
    totals = jnp.sum(weights, axis=1)
    row = _choose(uniform, totals)
    before = jnp.sum(jnp.where(jnp.arange(totals.shape[0]) < row, totals, 0.0))
    rest = (uniform * jnp.sum(totals) - before) / totals[row]
    return jnp.stack([row, _choose(jnp.clip(rest, 0.0, 1.0), weights[row])])


def _draw_volume(
    key: Key[Array, ""], prior: Prior, group: Int[Array, ""], atoms: Float[Array, ""]
) -> Float[Array, ""]:
    """Volume of the conventional cell given the sum of its atomic volumes.

    The packing factor is drawn from the kernel density of the group's crystals,
    conditional on the sum: a crystal near it, plus kernel noise.
    """
    choice_key, noise_key = jax.random.split(key)
    bandwidths = jnp.asarray(prior.statistics.volume_bandwidths)[group]
    uniform = jax.random.uniform(choice_key)
    volumes = jnp.asarray(prior.volumes)[group]
    row, column = _choose_near(uniform, atoms, volumes, bandwidths[0])
    factor = jnp.asarray(prior.packing)[group, row, column]
    return atoms * (factor + bandwidths[1] * jax.random.normal(noise_key))


def _draw_lattice(
    key: Key[Array, ""], prior: Prior, group: Int[Array, ""], volume: Float[Array, ""]
) -> tuple[Float[Array, "3 3"], Bool[Array, ""]]:
    """Conventional cell of a volume, and whether there is one.

    The shape, (a, b, c) / V^(1/3) and the angles, is that of a known crystal of
    the lattice system plus kernel noise on the free parameters.
    """
    choice_key, noise_key = jax.random.split(key)
    statistics = prior.statistics
    system = jnp.asarray(statistics.lattice_systems)[group]
    first, last = jnp.asarray(statistics.system_rows)[system]
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
    scale = jnp.where(possible, volume / jnp.where(possible, unit_volume, 1.0), 1.0)
    return unit * jnp.cbrt(scale), possible


def _draw_sites(
    key: Key[Array, ""], prior: Prior, group: Int[Array, ""], limits: Limits
) -> tuple[Sites, Bool[Array, ""], Int[Array, ""]]:
    """Steps 2 to 6 of the prior: a crystal, whether it can be, and its atoms."""
    element_key, letter_key, volume_key, shape_key, place_key = jax.random.split(key, 5)
    statistics, wyckoff = prior.statistics, prior.wyckoff
    number = jnp.asarray(statistics.space_groups)[group]
    elements, sites = _draw_elements(element_key, prior, group, limits.max_sites)
    letters, placed = _draw_letters(
        letter_key,
        jnp.asarray(statistics.wyckoff)[group],
        jnp.any(jnp.asarray(wyckoff.free)[number], axis=-1),
        jnp.minimum(sites, limits.max_sites),
        limits.max_sites,
    )
    multiplicities = jnp.asarray(wyckoff.multiplicity)[number, letters]
    per_site = multiplicities * jnp.asarray(prior.atomic_volumes)[elements]
    volume = _draw_volume(volume_key, prior, group, jnp.sum(per_site))
    lattice, closed = _draw_lattice(shape_key, prior, group, volume)
    primitive = jnp.asarray(wyckoff.primitive_multiplicity)[number, letters]
    crystal = Sites(
        group=group,
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
    return crystal, possible, jnp.sum(jnp.where(elements > 0, primitive, 0))


def atoms_of_sites(
    sites: Sites, prior: Prior, index: Int[Array, " A"]
) -> tuple[Float[Array, "A 3"], Int[Array, " A"]]:
    """Atoms of the primitive cell by their number, site after site.

    Args:
        sites: one drawn crystal.
        prior: tables.
        index: [A] numbers of atoms, from 0.

    Returns:
        Fractional positions [A, 3] and atomic numbers [A]; 0 past the last atom.
    """
    wyckoff = prior.wyckoff
    number = sites.space_group
    table = jnp.asarray(wyckoff.primitive_multiplicity)[number]
    multiplicities = jnp.where(sites.elements > 0, table[sites.letters], 0)
    ends = jnp.cumsum(multiplicities)
    site = jnp.sum(ends[None] <= index[:, None], axis=1)
    inside = index < ends[-1]
    site = jnp.where(inside, site, 0)
    first = jnp.asarray(wyckoff.first_map)[number, sites.letters[site]]
    image = index - (ends - multiplicities)[site]
    maps = jnp.asarray(wyckoff.maps)[first + jnp.where(inside, image, 0)]
    free = sites.coordinates[site]
    # term by term: a matrix product may round coordinates to bfloat16
    positions = jnp.sum(maps[..., :3] * free[:, None], axis=-1) + maps[..., 3]
    return positions, jnp.where(inside, sites.elements[site], 0)


def _is_too_symmetric(sites: Sites, prior: Prior) -> Bool[Array, ""]:
    """Step 7 of the prior: whether the crystal has more than its group's symmetry."""
    number = sites.space_group
    multiplicity = jnp.asarray(prior.wyckoff.primitive_multiplicity)[number]
    per_site = jnp.where(sites.elements > 0, multiplicity[sites.letters], 0)
    same = sites.elements[:, None] == sites.elements[None]
    per_element = jnp.sum(jnp.where(same, per_site[None], 0), axis=1)
    per_element = jnp.where(sites.elements > 0, per_element, jnp.iinfo(jnp.int32).max)
    rarest = jnp.argmin(per_element)  # the first site of the rarest element
    return has_more_symmetry(
        atoms=lambda index: atoms_of_sites(sites, prior, index),
        atom_count=jnp.sum(per_site),
        rare_first=jnp.sum(jnp.where(jnp.arange(len(per_site)) < rarest, per_site, 0)),
        rare_count=per_element[rarest],
        lattice=sites.lattice,
        space_group=number,
        table=prior.check,
    )


def _draw_batch(
    key: Key[Array, ""],
    prior: Prior,
    slots: Int[Array, " B"],
    tries: Int[Array, " B"],
    groups: Int[Array, " B"],
    limits: Limits,
    chunk: int,
) -> tuple[Sites, Int[Array, " B"]]:
    """One draw for each slot, and its fate [B]: a row of `_FATES`."""

    def draw(slot, attempt, group):
        slot_key = jax.random.fold_in(jax.random.fold_in(key, slot), attempt)
        return _draw_sites(slot_key, prior, group, limits)

    sites, possible, atoms = jax.vmap(draw)(slots, tries, groups)
    fits = atoms <= limits.max_atoms
    cosets = jnp.asarray(prior.check.coset_count)[sites.space_group]
    symmetric = map_in_chunks(
        jax.vmap(lambda one: _is_too_symmetric(one, prior)),
        sites,
        cosets * atoms,
        chunk,
    )
    fate = jnp.where(symmetric, 3, 0)
    fate = jnp.where(fits, fate, 2)
    return sites, jnp.where(possible, fate, 1)


@functools.partial(jax.jit, static_argnames=("limits", "chunk"))
def sample_crystals(
    key: Key[Array, ""],
    prior: Prior,
    groups: Int[Array, " B"],
    limits: Limits = DEFAULT_LIMITS,
    chunk: int = 64,
) -> tuple[Sites, Counts]:
    """Draws one crystal of each given group.

    Draws that fail are made again, with keys folded from slot and try, until all
    are good; a draw depends on its key, slot and group alone.

    Args:
        key: random key.
        prior: statistics and tables, from `make_prior`.
        groups: [B] rows of space groups in the statistics (see `draw_groups`).
        limits: of volume, sites, atoms and tries.
        chunk: crystals whose symmetry is checked together.

    Returns:
        Sites with a leading axis B, and what became of the draws.
    """
    count = groups.shape[0]
    # few fail, so few are drawn again at a time
    again = min(count, max(8, count // 8))
    slots = jnp.arange(count)
    tries = jnp.zeros(count, jnp.int32)
    sites, fate = _draw_batch(key, prior, slots, tries, groups, limits, chunk)
    tally = jnp.bincount(fate, length=4)

    def unfinished(state):
        _, fate, tries, _ = state
        return jnp.any((fate > 0) & (tries < limits.max_tries - 1))

    def retry(state):
        sites, fate, tries, tally = state
        open_slots = (fate > 0) & (tries < limits.max_tries - 1)
        chosen = jnp.argsort(~open_slots)[:again]
        active = open_slots[chosen]
        tries = tries.at[chosen].add(active)
        fresh, fresh_fate = _draw_batch(
            key, prior, chosen, tries[chosen], groups[chosen], limits, chunk
        )

        def write(old, new):
            mask = active.reshape(-1, *[1] * (new.ndim - 1))
            return old.at[chosen].set(jnp.where(mask, new, old[chosen]))

        sites = jax.tree.map(write, sites, fresh)
        tally += jnp.bincount(jnp.where(active, fresh_fate, 4), length=5)[:4]
        return sites, write(fate, fresh_fate), tries, tally

    start = (sites, fate, tries, tally)
    sites, fate, tries, tally = lax.while_loop(unfinished, retry, start)
    counts = Counts(
        drawn=jnp.sum(tally),
        impossible=tally[1],
        overflow=tally[2],
        too_symmetric=tally[3],
        exhausted=jnp.sum(fate > 0),
    )
    return sites, counts


def sample_crystal(
    key: Key[Array, ""],
    prior: Prior,
    group: Int[Array, ""] | int | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[Sites, Counts]:
    """Draws one crystal, of a requested group or by the groups' frequencies.

    Args:
        key: random key.
        prior: statistics and tables, from `make_prior`.
        group: [] row of the group in the statistics (see `group_index`), or None.
        limits: of volume, sites, atoms and tries.

    Returns:
        Sites of the crystal, and what became of the draws.
    """
    group_key, crystal_key = jax.random.split(key)
    if group is None:
        groups = draw_groups(group_key, prior, 1)
    else:
        groups = jnp.reshape(jnp.asarray(group, jnp.int32), (1,))
    sites, counts = sample_crystals(crystal_key, prior, groups, limits, chunk=1)
    return jax.tree.map(lambda x: x[0], sites), counts


def sites_to_crystal(sites: Sites, prior: Prior, max_atoms: int) -> Crystal:
    """The atoms of one drawn crystal, padded to N = max_atoms.

    Args:
        sites: one drawn crystal (vmap over a batch).
        prior: tables.
        max_atoms: atoms N; Limits.max_atoms holds any draw.
    """
    positions, elements = atoms_of_sites(sites, prior, jnp.arange(max_atoms))
    return Crystal(
        lattice=sites.lattice,
        positions=positions,
        elements=elements,
        occupancies=(elements > 0).astype(jnp.float32),
        b_iso=jnp.zeros(max_atoms),
        symmetry=jax.tree.map(
            lambda x: jnp.asarray(x)[sites.space_group], prior.symmetry
        ),
    )
