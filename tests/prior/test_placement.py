"""Distances between atoms of random crystals, and coordinates that keep them apart."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xrdjax.crystals.elements import COVALENT_RADII
from xrdjax.crystals.lattices import reciprocal_lattice
from xrdjax.prior.placement import place_apart, smallest_distance
from xrdjax.prior.prior import Limits
from xrdjax.prior.sampling import sample_crystals
from xrdjax.prior.sites import sites_to_crystal
from xrdjax.symmetry.space_groups import space_group

COUNT, MOST_ATOMS = 86, 64
IMAGES = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
DISTANCE = jax.jit(jax.vmap(smallest_distance, in_axes=(0, None)))
APART = jax.jit(
    jax.vmap(functools.partial(place_apart, candidates=4), in_axes=(0, 0, None))
)
CRYSTALS = jax.jit(
    jax.vmap(functools.partial(sites_to_crystal, max_atoms=MOST_ATOMS), (0, None))
)
LEAST = 0.5
SPARSE = Limits(min_distance=LEAST, placements=4)


@pytest.fixture(scope="module")
def sites(batch):
    """A crystal of each group."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf[:COUNT]), batch.sites)


@pytest.fixture(scope="module")
def moved(sites, prior):
    keys = jax.random.split(jax.random.key(0), COUNT)
    return jax.tree.map(np.asarray, APART(keys, sites, prior))


@pytest.fixture(scope="module")
def sparse(prior):
    """Crystals of the sampler with a smallest distance."""
    rows = jnp.arange(COUNT) % len(prior.statistics.space_groups)
    return sample_crystals(jax.random.key(0), prior, rows, SPARSE)


def exact_distance(lattice, positions, elements, centring):
    """Smallest distance of two atoms by all of their images: scaled, and in angstrom."""
    one, other = np.triu_indices(len(elements), 1)
    if not len(one):
        return 1e6, 1e6
    shift = (positions[one] - positions[other])[:, None] + centring[None]
    shift = shift - np.round(shift)
    steps = (shift[:, :, None] + IMAGES).reshape(len(one), -1, 3) @ lattice
    lengths = np.sqrt(np.min(np.sum(steps**2, axis=-1), axis=1))
    scaled = lengths / (COVALENT_RADII[elements[one]] + COVALENT_RADII[elements[other]])
    return scaled.min(), lengths[scaled.argmin()]


def compare_with_exact(sites, found, prior):
    """Number of crystals whose distance had to be exact, and of those compared."""
    crystals = jax.tree.map(np.asarray, CRYSTALS(sites, prior))
    exact = compared = 0
    for i in range(COUNT):
        atoms = int(np.sum(crystals.elements[i] > 0))
        if atoms == MOST_ATOMS:  # perhaps more of them
            continue
        lattice = crystals.lattice[i].astype(float)
        scaled, length = exact_distance(
            lattice,
            crystals.positions[i, :atoms].astype(float),
            crystals.elements[i, :atoms],
            space_group(int(sites.space_group[i])).centring_vectors,
        )
        spacing = 1 / np.linalg.norm(reciprocal_lattice(lattice), axis=1).max()
        assert found[i] > 0.999 * scaled - 1e-4
        compared += 1
        # the nearest pair may be found too far, but no other is nearer than the exact
        if length < spacing / 2:
            exact += 1
            assert found[i] == pytest.approx(scaled, rel=1e-3, abs=1e-4)
    return exact, compared


def test_distances_are_those_of_all_images_up_to_half_a_spacing_and_never_too_short(
    sites, moved, prior
):
    for crystals, found in (
        (sites, np.asarray(DISTANCE(sites, prior))),
        (moved[0], moved[1]),
    ):
        exact, compared = compare_with_exact(crystals, found, prior)
        assert compared > 70 and exact > 0.7 * compared


def test_the_best_of_some_candidates_keeps_atoms_apart_and_all_else_as_it_was(
    sites, moved, prior
):
    placed, distances = moved
    before = np.asarray(DISTANCE(sites, prior))
    assert np.median(distances) > 1.3 * np.median(before)
    np.testing.assert_allclose(DISTANCE(placed, prior), distances, rtol=1e-4)
    kept = placed.replace(coordinates=sites.coordinates)
    jax.tree.map(np.testing.assert_array_equal, kept, sites)
    assert 0 <= placed.coordinates.min() and placed.coordinates.max() < 1


def test_draws_with_closer_atoms_are_repeated_and_counted(sparse, prior):
    sites, counts = sparse
    distances = np.asarray(DISTANCE(sites, prior))
    assert counts.exhausted == 0 and counts.too_close > 0
    assert distances.min() > 0.999 * LEAST
    failed = counts.impossible + counts.overflow_atoms + counts.too_symmetric
    assert counts.drawn == COUNT + failed + counts.too_close


def test_crystals_are_those_of_the_paper_unless_distances_are_asked_for(batch):
    assert Limits() == Limits(min_distance=0.0, placements=1)
    assert batch.counts.too_close == 0
