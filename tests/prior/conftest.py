"""The bundled prior, and one batch of crystals that many tests share.

Compiling the sampler takes longer than most of what is tested, so that all tests here
share two programs: the sampler as it is, and one that keeps the first draw.
"""

from typing import NamedTuple

import jax
import numpy as np
import pytest
from oracles.sampled import BATCH, sample

from xrdjax.prior.file import load_statistics
from xrdjax.prior.prior import Limits, Prior, make_prior
from xrdjax.prior.sampling import DrawCounts
from xrdjax.prior.sites import Sites
from xrdjax.prior.tables import Statistics, row_ranges
from xrdjax.symmetry.wyckoff import wyckoff_table


class Batch(NamedTuple):
    """Crystals of all space groups in turn; NumPy leaves with a leading axis.

    Attributes:
        group_rows: [B] that were asked for.
        sites: the crystals.
        counts: what became of the draws.
        key: of the crystals.
    """

    group_rows: np.ndarray
    sites: Sites
    counts: DrawCounts
    key: jax.Array


def _sample(prior: Prior, seed: int, **options) -> Batch:
    key = jax.random.key(seed)
    rows = np.arange(BATCH, dtype=np.int32) % len(prior.statistics.space_groups)
    found = sample(key, prior, jax.numpy.asarray(rows), **options)
    return Batch(rows, *jax.tree.map(np.asarray, found), key)


@pytest.fixture(scope="session")
def prior() -> Prior:
    return make_prior(load_statistics(min_crystals=50))


@pytest.fixture(scope="session")
def batch(prior) -> Batch:
    """Crystals as the sampler gives them, all of them good."""
    return _sample(prior, 0)


@pytest.fixture(scope="session")
def first_draws(prior) -> Batch:
    """The first draw for each of them, good or not.

    In chunks of another size, which does not divide B, and with a smaller limit.
    """
    return _sample(prior, 0, limits=Limits(max_volume=1500.0, max_tries=1), chunk=48)


@pytest.fixture(scope="session")
def is_first(batch, first_draws) -> np.ndarray:
    """Which crystals of the batch are first draws [B]."""
    same = [
        np.all(np.isclose(a, b, rtol=2e-6), axis=tuple(range(1, a.ndim)))
        for a, b in zip(
            jax.tree.leaves(batch.sites),
            jax.tree.leaves(first_draws.sites),
            strict=True,
        )
    ]
    return np.all(same, axis=0)


@pytest.fixture(scope="session")
def statistics():
    """Random numbers in the layout of statistics, for three groups."""
    rng = np.random.default_rng(0)
    numbers = np.array([2, 167, 225], np.int32)
    counts = np.array([4, 3, 2])
    systems, group_ranges, system_ranges = row_ranges(numbers, counts)

    def shares(columns):
        weights = rng.random((3, columns)).astype(np.float32)
        return weights / weights.sum(axis=1, keepdims=True)

    def positive(*shape):
        return (0.5 + rng.random(shape)).astype(np.float32)

    wyckoff = (wyckoff_table().multiplicity[numbers] > 0).astype(np.float32)
    elements = shares(99) * (np.arange(99) > 0)
    return Statistics(
        space_groups=numbers,
        frequencies=(counts / 9).astype(np.float32),
        element_counts=shares(5),
        elements=(elements / elements.sum(axis=1, keepdims=True)).astype(np.float32),
        site_counts=shares(7),
        wyckoff=wyckoff / wyckoff.sum(axis=1, keepdims=True),
        group_ranges=group_ranges,
        atomic_volumes=positive(9),
        packing_factors=positive(9),
        volume_bandwidths=positive(3, 2),
        lattice_systems=systems.astype(np.int32),
        system_ranges=system_ranges,
        shapes=positive(9, 6),
        shape_bandwidths=positive(7, 6),
    )
