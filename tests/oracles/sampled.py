"""Crystals of the package's sampler, and of the NumPy prior, as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import jax
import numpy as np
from compilation import AS_FOR_USERS
from oracles.prior import draw_crystal
from oracles.symmetry import spglib_group
from oracles.two_samples import Sample

from xrdjax.prior.prior import Limits, Prior
from xrdjax.prior.sampling import DrawCounts, sample_crystals, sample_group_rows
from xrdjax.prior.sites import Sites, sites_to_crystal

LETTERS = "abcdefghijklmnopqrstuvwxyzA"
BATCH = 1000

sample = jax.jit(
    sample_crystals,
    static_argnames=("limits", "chunk"),
    compiler_options=AS_FOR_USERS,
)


@jax.jit
def _atoms(sites: Sites, prior: Prior):
    expand = partial(sites_to_crystal, max_atoms=Limits().max_atoms)
    crystals = jax.vmap(expand, in_axes=(0, None))(sites, prior)
    return crystals.positions, crystals.elements


def sample_sites(
    seed: int, prior: Prior, count: int, uniform: bool = False
) -> tuple[Sites, DrawCounts]:
    """Crystals of the package, in batches; NumPy leaves with a leading axis."""
    batches = []
    for key in jax.random.split(jax.random.key(seed), -(-count // BATCH)):
        group_key, crystal_key = jax.random.split(key)
        rows = sample_group_rows(group_key, prior, BATCH, uniform=uniform)
        batch = sample(crystal_key, prior, rows)
        batches.append(jax.tree.map(np.asarray, batch))
    sites = jax.tree.map(
        lambda *leaves: np.concatenate(leaves)[:count], *(sites for sites, _ in batches)
    )
    counts = jax.tree.map(lambda *leaves: sum(leaves), *(c for _, c in batches))
    return sites, counts


def _rows(sites: Sites, rows: slice) -> Sites:
    return jax.tree.map(lambda leaf: leaf[rows], sites)


def sample_of_package(sites: Sites) -> Sample:
    """What the two-sample tests compare, of `sample_sites`."""
    lengths = (sites.elements > 0).sum(axis=1)
    return Sample(
        np.asarray(sites.space_group),
        [
            tuple(zip(zs[:n].tolist(), (LETTERS[i] for i in letters[:n]), strict=True))
            for zs, letters, n in zip(
                sites.elements, sites.letters, lengths, strict=True
            )
        ],
        [xyz[:n] for xyz, n in zip(sites.coordinates, lengths, strict=True)],
        np.asarray(sites.lattice, float),
    )


def sample_of_prior(
    seed: int,
    statistics: Mapping[str, np.ndarray],
    atomic_volumes: np.ndarray,
    count: int,
    check: bool = True,
) -> Sample:
    """The same of the NumPy prior."""
    rng = np.random.default_rng(seed)
    draws = [
        draw_crystal(rng, statistics, atomic_volumes, check=check) for _ in range(count)
    ]
    return Sample(
        np.array([draw.space_group for draw in draws]),
        [draw.sites for draw in draws],
        [draw.coordinates for draw in draws],
        np.array([draw.lattice for draw in draws]),
    )


def mislabelled(sites: Sites, prior: Prior) -> list[tuple[int, tuple | None]]:
    """The crystals in which spglib finds another group, or a smaller cell.

    Returns:
        For each, the group that it was sampled in, and what spglib finds.
    """
    wrong = []
    for first in range(0, len(sites.group_row), BATCH):
        batch = _rows(sites, slice(first, first + BATCH))
        positions, elements = map(np.asarray, _atoms(batch, prior))
        for number, lattice, atoms, zs in zip(
            batch.space_group, batch.lattice, positions, elements, strict=True
        ):
            real = zs > 0
            found = spglib_group(
                int(number), lattice.astype(float), atoms[real].astype(float), zs[real]
            )
            if found != (int(number), int(real.sum())):
                wrong.append((int(number), found))
    return wrong
