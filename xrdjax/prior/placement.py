"""Free coordinates that keep atoms apart, as those of known crystals do.

The prior samples coordinates uniformly, so that atoms often overlap. Here each site in
turn, those without free coordinates first, gets the best of a few candidates: the one
that is farthest from the atoms placed before it and from its own equivalents. Distances
are in units of the sum of both covalent radii.

Images are found by rounding fractional differences on the conventional cell, with its
centring vectors. So a distance is never too short; it is exact up to half of the
smallest of the spacings d(100), d(010), d(001), and may be too long beyond that where a
cell is oblique. Translations of one and the same atom do not count: they are the cell's.

In short trials networks learned less from it than from uniform coordinates: it is for
those who want such crystals.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax
from jaxtyping import Array, Float, Int, Key

from xrdjax.crystals.elements import COVALENT_RADII
from xrdjax.prior.prior import Prior
from xrdjax.prior.sites import Sites, site_multiplicities

# Atoms and centring vectors compared together.
_BLOCK = 16
# Farther than any two atoms, in units of radii.
_FAR = 1e6


@struct.dataclass
class _Layout:
    """Where atoms come from: the Wyckoff maps of one crystal's sites.

    Attributes:
        ends: [S] number of atoms up to each site and in it.
        multiplicities: [S] atoms of each site in the primitive cell.
        first_maps: [S] row of each site's first map.
        rank: [S] when each site is placed.
        radii: [S] covalent, angstrom.
        maps: all Wyckoff maps.
        lattice: [3, 3] rows a, b, c, angstrom.
        centring: [C, 3] vectors, the first `vectors` of which are the group's.
        vectors: [] how many.
    """

    ends: Int[Array, " S"]
    multiplicities: Int[Array, " S"]
    first_maps: Int[Array, " S"]
    rank: Int[Array, " S"]
    radii: Float[Array, " S"]
    maps: Float[Array, "M 3 4"]
    lattice: Float[Array, "3 3"]
    centring: Float[Array, "C 3"]
    vectors: Int[Array, ""]


def _layout(sites: Sites, prior: Prior) -> _Layout:
    number, wyckoff = sites.space_group, prior.wyckoff
    multiplicities = site_multiplicities(sites, prior)
    freedom = jnp.asarray(wyckoff.free)[number, sites.letters]
    degrees = jnp.sum(freedom, axis=-1, dtype=jnp.int32)
    order = jnp.argsort(jnp.where(sites.elements > 0, degrees, 4))
    return _Layout(
        ends=jnp.cumsum(multiplicities),
        multiplicities=multiplicities,
        first_maps=jnp.asarray(wyckoff.first_map)[number, sites.letters],
        rank=jnp.zeros_like(order).at[order].set(jnp.arange(len(order))),
        radii=jnp.asarray(COVALENT_RADII, jnp.float32)[sites.elements],
        maps=jnp.asarray(wyckoff.maps),
        lattice=sites.lattice,
        centring=jnp.asarray(prior.symmetry.centring)[number],
        vectors=jnp.asarray(prior.symmetry.centring_order)[number],
    )


def _apply(maps: Float[Array, "... 3 4"], free: Float[Array, "... 3"]) -> Array:
    """Positions from free coordinates, term by term, as products may be rounded."""
    return jnp.sum(maps[..., :3] * free[..., None, :], axis=-1) + maps[..., 3]


def _squared(
    steps: Float[Array, "K B 3"], lattice: Float[Array, "3 3"]
) -> Float[Array, "K B"]:
    """Squared length of fractional steps to the nearest image by rounding."""
    parts = [steps[..., n] - jnp.round(steps[..., n]) for n in range(3)]
    x, y, z = (sum(d * lattice[n, m] for n, d in enumerate(parts)) for m in range(3))
    return jnp.asarray(x**2 + y**2 + z**2)


def _nearest(
    site: Int[Array, ""],
    candidates: Float[Array, "K 3"],
    coordinates: Float[Array, "S 3"],
    layout: _Layout,
) -> Float[Array, " K"]:
    """Squared distance of each candidate for a site to the nearest atom there is.

    These are the equivalent atoms of the candidate itself, and those of the sites that
    were placed before.
    """
    own_maps = layout.first_maps[site]
    origins = _apply(layout.maps[own_maps][None], candidates)
    radius = layout.radii[site]

    def compare(block, nearest):
        pair = block * _BLOCK + jnp.arange(_BLOCK)
        atom, vector = pair // layout.vectors, pair % layout.vectors
        owner = jnp.sum(layout.ends[None] <= atom[:, None], axis=1)
        owner = jnp.minimum(owner, len(layout.ends) - 1)
        image = atom - (layout.ends - layout.multiplicities)[owner]
        inside = atom < layout.ends[-1]
        maps = layout.maps[layout.first_maps[owner] + jnp.where(inside, image, 0)]
        is_own = owner == site
        free = jnp.where(
            is_own[None, :, None], candidates[:, None], coordinates[owner][None]
        )
        places = _apply(maps[None], free) + layout.centring[vector][None]
        squared = _squared(origins[:, None] - places, layout.lattice)
        scaled = squared / (radius + layout.radii[owner])[None] ** 2
        placed = (layout.rank[owner] < layout.rank[site]) | (is_own & (image > 0))
        scaled = jnp.where((inside & placed)[None], scaled, _FAR**2)
        return jnp.minimum(nearest, jnp.min(scaled, axis=1))

    blocks = -(-layout.ends[-1] * layout.vectors // _BLOCK)
    return lax.fori_loop(0, blocks, compare, jnp.full(len(candidates), _FAR**2))


def place_apart(
    key: Key[Array, ""], sites: Sites, prior: Prior, candidates: int
) -> tuple[Sites, Float[Array, ""]]:
    """A crystal whose atoms are farther apart, and their smallest distance.

    Mitchell, Comput. Graph. 25 (1991) 157: the best candidate, with symmetry.

    Args:
        key: random key of the candidates.
        sites: one random crystal (vmap over a batch).
        prior: tables.
        candidates: coordinates that each site chooses from; the first are those that
            it has, so that with 1 nothing moves.

    Returns:
        The crystal, and the smallest distance between two of its atoms in units of the
        sum of their covalent radii; 1e6 where there is but one.
    """
    layout = _layout(sites, prior)
    count = sites.elements.shape[0]
    others = jax.random.uniform(key, (candidates - 1, count, 3))
    choices = jnp.concatenate([sites.coordinates[None], others])
    order = jnp.argsort(layout.rank)

    def place(i, state):
        coordinates, nearest = state
        site = order[i]
        squared = _nearest(site, choices[:, site], coordinates, layout)
        best = jnp.argmax(squared)
        coordinates = coordinates.at[site].set(choices[best, site])
        return coordinates, jnp.minimum(nearest, squared[best])

    present = jnp.sum(sites.elements > 0)
    coordinates, nearest = lax.fori_loop(
        0, present, place, (sites.coordinates, jnp.float32(_FAR**2))
    )
    moved = dataclasses.replace(sites, coordinates=coordinates)
    return moved, jnp.sqrt(nearest)


def smallest_distance(sites: Sites, prior: Prior) -> Float[Array, ""]:
    """Smallest distance between atoms of a crystal, in units of their covalent radii.

    Args:
        sites: one random crystal (vmap over a batch).
        prior: tables.

    Returns:
        Distance over the sum of both radii; 1e6 where there is but one atom.
    """
    return place_apart(jax.random.key(0), sites, prior, 1)[1]
