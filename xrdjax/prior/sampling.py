"""Random crystals of a space group, from the statistics of known ones.

The prior is that of Schopmans, Reiser and Friederich (2023), in seven steps: space
group; elements; sites of each element and their Wyckoff positions; volume; cell
shape; free coordinates; and a check that the crystal has exactly the symmetry of its
group. A draw that fails (too large, no cell, too much symmetry) is repeated in the
same group, so that the groups keep their frequencies.
"""

import enum
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Key

from xrdjax.ops.chunks import map_in_chunks
from xrdjax.prior.draws import sample_sites
from xrdjax.prior.placement import place_apart
from xrdjax.prior.prior import DEFAULT_LIMITS, Limits, Prior
from xrdjax.prior.sites import Sites, atoms_of_sites, site_multiplicities
from xrdjax.prior.symmetry_check import (
    Atoms,
    has_coincident_atoms,
    has_supergroup_symmetry,
)
from xrdjax.prior.tables import group_row

# Crystals whose symmetry is checked together.
_CHECK_CHUNK = 16
# Folded into the key of a draw, whose other streams are split off it.
_CANDIDATES = 2**31


class Outcome(enum.IntEnum):
    """Outcome of a draw."""

    GOOD = 0
    IMPOSSIBLE = 1  # too many sites, too large, no cell, or coincident atoms
    OVERFLOW = 2  # more atoms than max_atoms
    TOO_SYMMETRIC = 3  # invariant under an operation that the group does not have
    TOO_CLOSE = 4  # two atoms closer than min_distance
    NOT_DRAWN = 5


@struct.dataclass
class DrawCounts:
    """Number of draws made for a batch, by outcome.

    Attributes:
        drawn: [] all draws.
        impossible: [] those with too many sites, too large a cell or none, or with
            coincident atoms; repeated.
        overflow_atoms: [] those with more atoms than max_atoms; repeated.
        too_symmetric: [] those of higher symmetry than intended; repeated.
        exhausted: [] crystals abandoned after max_tries, so that their label is wrong.
        too_close: [] draws with atoms closer than min_distance; repeated.
    """

    drawn: Int[Array, ""]
    impossible: Int[Array, ""]
    overflow_atoms: Int[Array, ""]
    too_symmetric: Int[Array, ""]
    exhausted: Int[Array, ""]
    too_close: Int[Array, ""]


def sample_group_rows(
    key: Key[Array, ""], prior: Prior, count: int, *, uniform: bool = False
) -> Int[Array, " B"]:
    """Rows of space groups in the statistics, by frequency or uniformly.

    Args:
        key: random key.
        prior: statistics.
        count: number of rows B.
        uniform: all groups with the same probability, instead of by their frequency.
    """
    weights = jnp.asarray(prior.statistics.frequencies)
    if uniform:
        return jax.random.randint(key, (count,), 0, weights.shape[0])
    return jax.random.choice(key, weights.shape[0], (count,), p=weights)


def _check_symmetry(sites: Sites, prior: Prior) -> tuple[Bool[Array, ""], ...]:
    """Whether the crystal has a supergroup's symmetry, or coincident atoms.

    Step 7 of the prior.
    """
    number = sites.space_group
    per_site = site_multiplicities(sites, prior)
    same = sites.elements[:, None] == sites.elements[None]
    per_element = jnp.sum(jnp.where(same, per_site[None], 0), axis=1)
    per_element = jnp.where(sites.elements > 0, per_element, jnp.iinfo(jnp.int32).max)
    rarest = jnp.argmin(per_element)  # the first site of the rarest element
    first_atoms = jnp.cumsum(per_site) - per_site
    atoms = Atoms(functools.partial(atoms_of_sites, sites, prior), jnp.sum(per_site))
    coincident = has_coincident_atoms(
        atoms=atoms,
        first_atoms=first_atoms,
        site_count=jnp.sum(sites.elements > 0),
        lattice=sites.lattice,
        centring=jnp.asarray(prior.symmetry.centring)[number],
    )
    too_symmetric = has_supergroup_symmetry(
        atoms=atoms,
        rare_first=first_atoms[rarest],
        rare_count=per_element[rarest],
        lattice=sites.lattice,
        space_group=number,
        table=prior.check,
    )
    return too_symmetric, coincident


def _draw_batch(
    key: Key[Array, ""],
    prior: Prior,
    slots: Int[Array, " B"],
    tries: Int[Array, " B"],
    group_rows: Int[Array, " B"],
    limits: Limits,
) -> tuple[Sites, Int[Array, " B"]]:
    """One draw for each slot, and its `Outcome` [B]."""

    def draw(slot, attempt, row):
        slot_key = jax.random.fold_in(jax.random.fold_in(key, slot), attempt)
        return sample_sites(slot_key, prior, row, limits)

    sites, possible, atoms = jax.vmap(draw)(slots, tries, group_rows)
    nearest = None
    if limits.placements > 1 or limits.min_distance > 0:
        sites, nearest = _place_apart(key, prior, slots, tries, (sites, atoms), limits)
    cosets = jnp.asarray(prior.check.coset_count)[sites.space_group]
    too_symmetric, coincident = map_in_chunks(
        jax.vmap(lambda one: _check_symmetry(one, prior)),
        sites,
        cosets * atoms,
        _CHECK_CHUNK,
    )
    outcome = jnp.where(too_symmetric, Outcome.TOO_SYMMETRIC, Outcome.GOOD)
    if nearest is not None:
        outcome = jnp.where(nearest < limits.min_distance, Outcome.TOO_CLOSE, outcome)
    outcome = jnp.where(atoms <= limits.max_atoms, outcome, Outcome.OVERFLOW)
    return sites, jnp.where(possible & ~coincident, outcome, Outcome.IMPOSSIBLE)


def _place_apart(
    key: Key[Array, ""],
    prior: Prior,
    slots: Int[Array, " B"],
    tries: Int[Array, " B"],
    drawn: tuple[Sites, Int[Array, " B"]],
    limits: Limits,
) -> tuple[Sites, Float[Array, " B"]]:
    """Draws with atoms farther apart, and the smallest distance in each [B]."""
    sites, atoms = drawn

    def place(one):
        sites, slot, attempt = one
        slot_key = jax.random.fold_in(jax.random.fold_in(key, slot), attempt)
        candidates = jax.random.fold_in(slot_key, _CANDIDATES)
        return place_apart(candidates, sites, prior, limits.placements)

    occupied = jnp.sum(sites.elements > 0, axis=1)
    return map_in_chunks(
        jax.vmap(place), (sites, slots, tries), occupied * atoms, _CHECK_CHUNK
    )


class _Slots(NamedTuple):
    """Crystals of a batch while it is sampled.

    Attributes:
        sites: [B] the last draw of each slot.
        outcome: [B] of that draw.
        tries: [B] draws made for each slot.
        tally: [6] draws of each outcome; the last column counts unused slots of
            chunks.
    """

    sites: Sites
    outcome: Int[Array, " B"]
    tries: Int[Array, " B"]
    tally: Int[Array, " F"]


def _empty_slots(count: int, max_sites: int) -> _Slots:
    sites = Sites(
        group_row=jnp.zeros(count, jnp.int32),
        space_group=jnp.zeros(count, jnp.int32),
        lattice=jnp.zeros((count, 3, 3)),
        elements=jnp.zeros((count, max_sites), jnp.int32),
        letters=jnp.zeros((count, max_sites), jnp.int32),
        coordinates=jnp.zeros((count, max_sites, 3)),
    )
    return _Slots(
        sites=sites,
        outcome=jnp.full(count, Outcome.NOT_DRAWN),
        tries=jnp.zeros(count, jnp.int32),
        tally=jnp.zeros(len(Outcome), jnp.int32),
    )


def _count_draws(slots: _Slots) -> DrawCounts:
    return DrawCounts(
        drawn=jnp.sum(slots.tally[: Outcome.NOT_DRAWN]),
        impossible=slots.tally[Outcome.IMPOSSIBLE],
        overflow_atoms=slots.tally[Outcome.OVERFLOW],
        too_symmetric=slots.tally[Outcome.TOO_SYMMETRIC],
        exhausted=jnp.sum(slots.outcome != Outcome.GOOD),
        too_close=slots.tally[Outcome.TOO_CLOSE],
    )


@functools.partial(jax.jit, static_argnames=("limits", "chunk"))
def sample_crystals(
    key: Key[Array, ""],
    prior: Prior,
    group_rows: Int[Array, " B"],
    limits: Limits = DEFAULT_LIMITS,
    chunk: int = 64,
) -> tuple[Sites, DrawCounts]:
    """Samples one crystal of each given space group.

    Slots are filled a chunk at a time, and again where a draw fails, until every slot
    holds a valid crystal or has used up its tries. A draw depends only on the key, its
    slot and its try, not on the chunk.

    Args:
        key: random key.
        prior: statistics and tables, from `make_prior`.
        group_rows: [B] rows of space groups in the statistics, from `group_row` or
            `sample_group_rows`; not their numbers.
        limits: of volume, sites, atoms and tries.
        chunk: crystals sampled together.

    Returns:
        Sites with a leading axis B, and the number of draws by outcome.
    """
    count = group_rows.shape[0]
    chunk = min(chunk, count)

    def is_open(slots: _Slots) -> Bool[Array, " B"]:
        return (slots.outcome != Outcome.GOOD) & (slots.tries < limits.max_tries)

    def fill_chunk(slots: _Slots) -> _Slots:
        still_open = is_open(slots)
        chosen = jnp.argsort(~still_open)[:chunk]  # open ones first
        active = still_open[chosen]
        fresh, outcome = _draw_batch(
            key, prior, chosen, slots.tries[chosen], group_rows[chosen], limits
        )
        # draws for slots that are full already are dropped
        target = jnp.where(active, chosen, count)
        counted = jnp.where(active, outcome, Outcome.NOT_DRAWN)
        return _Slots(
            sites=jax.tree.map(
                lambda old, new: old.at[target].set(new, mode="drop"),
                slots.sites,
                fresh,
            ),
            outcome=slots.outcome.at[target].set(outcome, mode="drop"),
            tries=slots.tries.at[target].add(1, mode="drop"),
            tally=slots.tally + jnp.bincount(counted, length=len(Outcome)),
        )

    slots = lax.while_loop(
        lambda slots: jnp.any(is_open(slots)),
        fill_chunk,
        _empty_slots(count, limits.max_sites),
    )
    return slots.sites, _count_draws(slots)


def sample_crystal(
    key: Key[Array, ""],
    prior: Prior,
    space_group: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[Sites, DrawCounts]:
    """Samples one crystal, of a given space group or by the groups' frequencies.

    Example: `sample_crystal(jax.random.key(0), make_prior(), space_group=62)`

    Args:
        key: random key.
        prior: statistics and tables, from `make_prior`.
        space_group: its number, 1 to 230, known outside compiled functions; None
            samples one. (`sample_crystals` takes rows of groups, which may be traced.)
        limits: of volume, sites, atoms and tries.

    Returns:
        Sites of the crystal, and the number of draws by outcome.

    Raises:
        InputError: there is no such space group, or it has no statistics.
    """
    group_key, crystal_key = jax.random.split(key)
    if space_group is None:
        rows = sample_group_rows(group_key, prior, 1)
    else:
        rows = jnp.array([group_row(prior.statistics, space_group)], jnp.int32)
    sites, counts = sample_crystals(crystal_key, prior, rows, limits)
    return jax.tree.map(lambda x: x[0], sites), counts
