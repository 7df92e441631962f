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
from flax import struct
from jax import lax
from jaxtyping import Array, Bool, Int, Key

from xrdjax.ops.chunks import map_in_chunks
from xrdjax.prior.draws import draw_sites
from xrdjax.prior.prior import DEFAULT_LIMITS, Limits, Prior
from xrdjax.prior.sites import Sites, atoms_of_sites
from xrdjax.prior.symmetry_check import has_coinciding_atoms, has_more_symmetry

# Fates of a draw; those of failed ones are also columns of a tally.
_GOOD, _IMPOSSIBLE, _OVERFLOW, _TOO_SYMMETRIC, _NOT_DRAWN = range(5)
# Crystals whose symmetry is checked together.
_CHECK_CHUNK = 16


@struct.dataclass
class Counts:
    """How many draws were made for a batch, and what became of them.

    Attributes:
        drawn: [] all draws.
        impossible: [] too many sites, too large, without a cell, or with two atoms
            in one place: drawn again.
        overflow: [] more atoms than max_atoms: drawn again.
        too_symmetric: [] of a higher symmetry than asked: drawn again.
        exhausted: [] crystals given up after max_tries, so with a wrong label.
    """

    drawn: Int[Array, ""]
    impossible: Int[Array, ""]
    overflow: Int[Array, ""]
    too_symmetric: Int[Array, ""]
    exhausted: Int[Array, ""]


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


def _check_symmetry(sites: Sites, prior: Prior) -> tuple[Bool[Array, ""], ...]:
    """Step 7 of the prior: has it more than its group's symmetry, or none definite?"""
    number = sites.space_group
    multiplicity = jnp.asarray(prior.wyckoff.primitive_multiplicity)[number]
    per_site = jnp.where(sites.elements > 0, multiplicity[sites.letters], 0)
    same = sites.elements[:, None] == sites.elements[None]
    per_element = jnp.sum(jnp.where(same, per_site[None], 0), axis=1)
    per_element = jnp.where(sites.elements > 0, per_element, jnp.iinfo(jnp.int32).max)
    rarest = jnp.argmin(per_element)  # the first site of the rarest element
    first_atoms = jnp.cumsum(per_site) - per_site
    atoms = functools.partial(atoms_of_sites, sites, prior)
    coinciding = has_coinciding_atoms(
        atoms=atoms,
        atom_count=jnp.sum(per_site),
        first_atoms=first_atoms,
        site_count=jnp.sum(sites.elements > 0),
        lattice=sites.lattice,
        centring=jnp.asarray(prior.symmetry.centring)[number],
    )
    too_symmetric = has_more_symmetry(
        atoms=atoms,
        atom_count=jnp.sum(per_site),
        rare_first=first_atoms[rarest],
        rare_count=per_element[rarest],
        lattice=sites.lattice,
        space_group=number,
        table=prior.check,
    )
    return too_symmetric, coinciding


def _draw_batch(
    key: Key[Array, ""],
    prior: Prior,
    slots: Int[Array, " B"],
    tries: Int[Array, " B"],
    groups: Int[Array, " B"],
    limits: Limits,
) -> tuple[Sites, Int[Array, " B"]]:
    """One draw for each slot, and its fate [B]."""

    def draw(slot, attempt, group):
        slot_key = jax.random.fold_in(jax.random.fold_in(key, slot), attempt)
        return draw_sites(slot_key, prior, group, limits)

    sites, possible, atoms = jax.vmap(draw)(slots, tries, groups)
    fits = atoms <= limits.max_atoms
    cosets = jnp.asarray(prior.check.coset_count)[sites.space_group]
    symmetric, coinciding = map_in_chunks(
        jax.vmap(lambda one: _check_symmetry(one, prior)),
        sites,
        cosets * atoms,
        _CHECK_CHUNK,
    )
    fate = jnp.where(symmetric, _TOO_SYMMETRIC, _GOOD)
    possible &= ~coinciding
    fate = jnp.where(fits, fate, _OVERFLOW)
    return sites, jnp.where(possible, fate, _IMPOSSIBLE)


@functools.partial(jax.jit, static_argnames=("limits", "chunk"))
def sample_crystals(
    key: Key[Array, ""],
    prior: Prior,
    groups: Int[Array, " B"],
    limits: Limits = DEFAULT_LIMITS,
    chunk: int = 64,
) -> tuple[Sites, Counts]:
    """Draws one crystal of each given group.

    Slots are drawn a chunk at a time, and again where a draw fails, until all are
    good. A draw depends on its slot, its try and the key alone, not on the chunk.

    Args:
        key: random key.
        prior: statistics and tables, from `make_prior`.
        groups: [B] rows of space groups in the statistics (see `draw_groups`).
        limits: of volume, sites, atoms and tries.
        chunk: crystals drawn together.

    Returns:
        Sites with a leading axis B, and what became of the draws.
    """
    count = groups.shape[0]
    chunk = min(chunk, count)

    def is_open(fate, tries):
        return (fate != _GOOD) & (tries < limits.max_tries)

    def unfinished(state):
        _, fate, tries, _ = state
        return jnp.any(is_open(fate, tries))

    def draw(state):
        sites, fate, tries, tally = state
        still_open = is_open(fate, tries)
        slots = jnp.argsort(~still_open)[:chunk]  # open ones first
        active = still_open[slots]
        fresh, fresh_fate = _draw_batch(
            key, prior, slots, tries[slots], groups[slots], limits
        )
        # slots that need no draw are written nowhere
        target = jnp.where(active, slots, count)
        sites = jax.tree.map(
            lambda old, new: old.at[target].set(new, mode="drop"), sites, fresh
        )
        fate = fate.at[target].set(fresh_fate, mode="drop")
        tries = tries.at[target].add(1, mode="drop")
        tally += jnp.bincount(jnp.where(active, fresh_fate, _NOT_DRAWN), length=5)
        return sites, fate, tries, tally

    size = limits.max_sites
    nothing = Sites(
        group=jnp.zeros(count, jnp.int32),
        space_group=jnp.zeros(count, jnp.int32),
        lattice=jnp.zeros((count, 3, 3)),
        elements=jnp.zeros((count, size), jnp.int32),
        letters=jnp.zeros((count, size), jnp.int32),
        coordinates=jnp.zeros((count, size, 3)),
    )
    fate = jnp.full(count, _NOT_DRAWN)
    start = (nothing, fate, jnp.zeros(count, jnp.int32), jnp.zeros(5, jnp.int32))
    sites, fate, _, tally = lax.while_loop(unfinished, draw, start)
    counts = Counts(
        drawn=jnp.sum(tally[:_NOT_DRAWN]),
        impossible=tally[_IMPOSSIBLE],
        overflow=tally[_OVERFLOW],
        too_symmetric=tally[_TOO_SYMMETRIC],
        exhausted=jnp.sum(fate != _GOOD),
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
    sites, counts = sample_crystals(crystal_key, prior, groups, limits)
    return jax.tree.map(lambda x: x[0], sites), counts
