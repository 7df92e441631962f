"""Synthetic crystals, written as CIFs into a folder."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from xrdjax.crystals.cif import write_cif
from xrdjax.errors import InputError
from xrdjax.files import write_text
from xrdjax.prior.file import load_statistics
from xrdjax.prior.prior import Limits, Prior, make_prior
from xrdjax.prior.sampling import sample_crystals, sample_group_rows
from xrdjax.prior.sites import Sites, sites_to_structure
from xrdjax.prior.tables import Statistics, group_row

# Crystals sampled by one call of the compiled program.
_BATCH = 256


def _check(args: argparse.Namespace) -> None:
    """Refuses numbers out of range."""
    if args.count < 1:
        raise InputError(f"--count is {args.count}: expected 1 or more")
    if not 0 <= args.seed < 2**32:
        raise InputError(f"--seed is {args.seed}: expected 0 to {2**32 - 1}")
    if not (args.max_volume > 0 and args.max_sites > 0):
        raise InputError(
            f"--max_volume is {args.max_volume:g} and --max_sites {args.max_sites}: "
            "expected numbers above 0"
        )


def _row(statistics: Statistics, name: str) -> int | None:
    """Row of the space group that is asked for; None for all."""
    if name == "all":
        return None
    if not name.isdecimal():
        raise InputError(
            f"--space_group is {name!r}: expected a number from 1 to 230, or all"
        )
    return group_row(statistics, int(name))


def _empty_folder(out: str) -> Path:
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        occupied = any(folder.iterdir())
    except OSError as error:
        raise InputError(
            f"cannot write to the folder {out!r} ({error.strerror}): give --out a "
            "folder that you may write to"
        ) from error
    if occupied:
        raise InputError(f"the folder {out!r} holds files: give --out an empty one")
    return folder


def _sample_sites(
    prior: Prior, limits: Limits, row: int | None, seed: int, count: int
) -> Iterator[Sites]:
    """Crystals one by one, with NumPy leaves; each batch has a key of its own."""
    size = min(_BATCH, count)
    for number in range(-(-count // size)):
        key = jax.random.fold_in(jax.random.key(seed), number)
        group_key, crystal_key = jax.random.split(key)
        if row is None:
            rows = sample_group_rows(group_key, prior, size)
        else:
            rows = jnp.full(size, row, jnp.int32)
        sites, counts = sample_crystals(crystal_key, prior, rows, limits)
        if counts.exhausted:
            raise InputError(
                f"{counts.exhausted} of {size} crystals exceeded the limits in all "
                f"{limits.max_tries} tries: raise --max_volume or --max_sites, or "
                "choose another space group"
            )
        sites = jax.tree.map(np.asarray, sites)
        for i in range(min(size, count - number * size)):
            yield jax.tree.map(lambda leaf, i=i: leaf[i], sites)


def sample(args: argparse.Namespace) -> Path:
    """Samples the crystals, and writes a CIF of each into a folder."""
    _check(args)
    statistics = load_statistics(args.statistics)
    row = _row(statistics, args.space_group)
    folder = _empty_folder(args.out)
    prior = jax.device_put(make_prior(statistics))
    limits = Limits(max_volume=args.max_volume, max_sites=args.max_sites)
    crystals = _sample_sites(prior, limits, row, args.seed, args.count)
    for i, sites in enumerate(
        tqdm(crystals, total=args.count, unit="crystal", file=sys.stderr)
    ):
        name = f"crystal_{i:06d}_group_{int(sites.space_group):03d}"
        text = write_cif(sites_to_structure(sites, name))
        write_text(folder / f"{name}.cif", text, overwrite=False, sync=False)
    return folder
