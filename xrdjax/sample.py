"""Draws random crystals and writes them as CIFs.

python -m xrdjax.sample --space-group=225 --count=10 --seed=0 --out=DIR
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from xrdjax.crystals.cif import write_cif
from xrdjax.errors import InputError, exit_on_input_error
from xrdjax.prior.file import load_statistics
from xrdjax.prior.prior import Limits, make_prior
from xrdjax.prior.sampling import sample_crystals, sample_group_rows
from xrdjax.prior.sites import sites_to_structure
from xrdjax.prior.tables import group_row

# Crystals sampled by one call of the compiled program.
_BATCH = 256


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m xrdjax.sample",
        description="Random crystals from the symmetry operations of space groups.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--space-group",
        default="all",
        help="number of the space group, or all: by their frequency",
    )
    add("--count", type=int, default=10, help="number of crystals")
    add("--seed", type=int, default=0, help="of the random numbers")
    add("--out", required=True, help="folder to write, which must not hold files yet")
    add("--statistics", help="file of python -m xrdjax.statistics; bundled without it")
    add("--max_volume", type=float, default=7000.0, help="of the cell, angstrom^3")
    add("--max_sites", type=int, default=100, help="occupied Wyckoff positions")
    return parser


def _folder(out: str) -> Path:
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


def sample(args: argparse.Namespace) -> None:
    """Draws the crystals and writes one CIF each."""
    if args.count < 1:
        raise InputError(f"--count is {args.count}: expected 1 or more")
    if not 0 <= args.seed < 2**32:
        raise InputError(f"--seed is {args.seed}: expected 0 to {2**32 - 1}")
    if not (args.max_volume > 0 and args.max_sites > 0):
        raise InputError(
            f"--max_volume is {args.max_volume:g} and --max_sites {args.max_sites}: "
            "expected numbers above 0"
        )
    statistics = load_statistics(args.statistics)
    row = None
    if args.space_group != "all":
        if not args.space_group.isdigit():
            raise InputError(
                f"--space-group is {args.space_group!r}: expected a number from 1 to "
                "230, or all"
            )
        row = group_row(statistics, int(args.space_group))
    folder = _folder(args.out)
    prior = jax.device_put(make_prior(statistics))
    limits = Limits(max_volume=args.max_volume, max_sites=args.max_sites)
    batch = min(_BATCH, args.count)
    given_up = 0
    with tqdm(total=args.count, unit="crystal", file=sys.stderr) as bar:
        for number, start in enumerate(range(0, args.count, batch)):
            key = jax.random.fold_in(jax.random.key(args.seed), number)
            group_key, crystal_key = jax.random.split(key)
            if row is None:
                groups = sample_group_rows(group_key, prior, batch)
            else:
                groups = jnp.full(batch, row, jnp.int32)
            sites, counts = sample_crystals(crystal_key, prior, groups, limits)
            given_up += int(counts.exhausted)
            if given_up:
                raise InputError(
                    f"{given_up} crystals could not be drawn in {limits.max_tries} "
                    "tries: raise --max_volume or --max_sites, or choose another group"
                )
            sites = jax.tree.map(np.asarray, sites)
            for i in range(min(batch, args.count - start)):
                one = jax.tree.map(lambda leaf, i=i: leaf[i], sites)
                name = f"crystal_{start + i:06d}_group_{int(one.space_group):03d}"
                text = write_cif(sites_to_structure(one, name))
                (folder / f"{name}.cif").write_text(text, encoding="utf-8")
                bar.update()
    print(f"{args.count} crystals written to {folder}")


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command."""
    args = _parser().parse_args(argv)
    with exit_on_input_error():
        sample(args)


if __name__ == "__main__":
    main()
