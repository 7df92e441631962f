"""Labelled synthetic crystals, and the space groups that spglib finds in them."""

import collections
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
import spglib
from jaxtyping import Array, Float, Int, Key
from tqdm import tqdm

from xrdjax.crystals.crystal import Crystal
from xrdjax.ops.workers import map_in_processes
from xrdjax.prior.prior import Limits, Prior
from xrdjax.prior.sampling import sample_crystals, sample_group_rows
from xrdjax.prior.sites import sites_to_crystal

SYMPREC = 1e-3  # angstrom
# Crystals sampled together, and crystals sent to a process at once.
_BATCH = 1000
_CHUNK = 25
# With fewer crystals, starting processes takes longer than spglib.
_WORTH_PROCESSES = 1000

_sample = jax.jit(sample_crystals)
_expand = jax.jit(
    jax.vmap(partial(sites_to_crystal, max_atoms=Limits().max_atoms), in_axes=(0, None))
)


class Labelled(NamedTuple):
    """A crystal with its label, without padding.

    Attributes:
        space_group: number of the group that it was sampled in.
        lattice: [3, 3] rows a, b, c, angstrom.
        positions: [N, 3] atoms of one primitive cell, fractions of a, b, c.
        elements: [N] atomic numbers.
        centring: [C, 3] centring vectors, zero included.
    """

    space_group: int
    lattice: Float[np.ndarray, "3 3"]
    positions: Float[np.ndarray, "N 3"]
    elements: Int[np.ndarray, " N"]
    centring: Float[np.ndarray, "C 3"]


class Found(NamedTuple):
    """What spglib finds: the number of the group, and of atoms in the primitive cell."""

    space_group: int
    atoms: int


def _without_padding(
    numbers: Int[np.ndarray, " B"], crystals: Crystal
) -> Iterator[Labelled]:
    for row, number in enumerate(numbers.tolist()):
        present = crystals.elements[row] > 0
        order = crystals.symmetry.centring_order[row]
        yield Labelled(
            space_group=number,
            lattice=crystals.lattice[row].astype(float),
            positions=crystals.positions[row][present].astype(float),
            elements=crystals.elements[row][present],
            centring=crystals.symmetry.centring[row][:order],
        )


def _sample_batch(
    key: Key[Array, ""], prior: Prior, uniform: bool
) -> Iterator[Labelled]:
    group_key, crystal_key = jax.random.split(key)
    rows = sample_group_rows(group_key, prior, _BATCH, uniform=uniform)
    sites, _ = _sample(crystal_key, prior, rows)
    crystals = jax.tree.map(np.asarray, _expand(sites, prior))
    return _without_padding(np.asarray(sites.space_group), crystals)


def sample_labelled(
    prior: Prior, count: int, uniform: bool, seed: int, title: str
) -> list[Labelled]:
    """Synthetic crystals with their labels.

    Args:
        prior: statistics and tables.
        count: number of crystals.
        uniform: all groups equally often, instead of by their frequency.
        seed: of the sampling.
        title: of the progress bar.
    """
    keys = jax.random.split(jax.random.key(seed), -(-count // _BATCH))
    crystals: list[Labelled] = []
    for key in tqdm(keys, desc=title, unit="batch", disable=None):
        crystals += _sample_batch(key, prior, uniform)
    return crystals[:count]


def find_group(crystal: Labelled) -> Found | None:
    """What spglib finds in a crystal; None where it fails."""
    everywhere = (crystal.positions + crystal.centring[:, None]).reshape(-1, 3)
    elements = np.tile(crystal.elements, len(crystal.centring))
    with warnings.catch_warnings():
        # spglib 2.7 and later warn at every call how 3.0 will report errors
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            dataset = spglib.get_symmetry_dataset(
                (crystal.lattice, everywhere, elements), symprec=SYMPREC
            )
        except getattr(spglib, "SpglibError", ()):
            return None
    if dataset is None:
        return None
    return Found(int(dataset.number), int(dataset.mapping_to_primitive.max()) + 1)


def _find_each(crystals: Sequence[Labelled]) -> list[Found | None]:
    return [find_group(crystal) for crystal in crystals]


def find_groups(crystals: Sequence[Labelled]) -> list[Found | None]:
    """What spglib finds in each crystal, on all cores where there are many."""
    return map_in_processes(
        _find_each,
        crystals,
        chunk=_CHUNK,
        serial_below=_WORTH_PROCESSES,
        progress=True,
        unit="crystal",
    )


def describe(
    title: str, crystals: Sequence[Labelled], found: Sequence[Found | None]
) -> str:
    """Number of correct labels, and a line for each kind of wrong one.

    Args:
        title: of the crystals.
        crystals: with their labels.
        found: what spglib finds in them.
    """
    wrong: collections.Counter[tuple[int, int]] = collections.Counter()
    failed: collections.Counter[int] = collections.Counter()
    for crystal, group in zip(crystals, found, strict=True):
        if group is None:
            failed[crystal.space_group] += 1
        elif group != (crystal.space_group, len(crystal.elements)):
            wrong[crystal.space_group, group.space_group] += 1
    count, missed = len(crystals), wrong.total() + failed.total()
    lines = [f"{title}: {count - missed} of {count} ({1 - missed / count:.3%})"]
    lines += [
        f"  {number} was found to be {other}: {times}"
        for (number, other), times in sorted(wrong.items())
    ]
    lines += [
        f"  {number}, atoms too close for spglib: {times}"
        for number, times in sorted(failed.items())
    ]
    return "\n".join(lines)
