"""Computes the statistics that synthetic crystals are sampled from, from known ones.

    python -m xrdjax.statistics --crystals=cifs.zip --out=statistics.npz

Whole structure types are held out; seed and share determine which (see `known.splits`).
The provenance of the bundled file states the command that it was made with.

`--all_groups` makes statistics of all 230 groups. Those with fewer than --min_crystals
borrow from their relatives (see `prior.backing_off`), the others stay as they are.

`--analyses=FILE.npz` keeps the analysed crystals too. That file can be given instead of
the CIFs from then on, here and wherever crystals are asked for, and is read in seconds.
"""

import argparse
import math
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from xrdjax.errors import InputError, exit_on_input_error
from xrdjax.files import require_writable
from xrdjax.known.analyses import AnalysedCrystals
from xrdjax.known.collection import known_crystals
from xrdjax.known.file import save_analyses
from xrdjax.known.fitting import fit_statistics, summary
from xrdjax.known.splits import KINDS, Split, split_by_hash
from xrdjax.prior.backing_off import BackingOff
from xrdjax.prior.file import save_statistics

_MOST_FAILURES = 20  # that are listed by name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m xrdjax.statistics",
        description="Statistics of known crystals, to sample synthetic ones from.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--crystals",
        required=True,
        help="a folder or a zip of CIFs, a CIF, or the .npz file of --analyses",
    )
    add("--out", required=True, help="file to write, .npz")
    add("--analyses", default="", help="file to keep the analysed crystals in, .npz")
    add("--overwrite", action="store_true", help="replace files that exist")
    add("--held_out", type=float, default=0.2, help="share of types held out")
    add("--split", choices=KINDS, default="type", help="random: by crystal, not type")
    add("--seed", type=int, default=0, help="of the split")
    add("--min_crystals", type=int, default=50, help="a group needs this many")
    add(
        "--all_groups",
        action="store_true",
        help="all 230 groups; those with fewer crystals borrow from related ones",
    )
    add(
        "--borrowed",
        type=int,
        default=BackingOff.borrowed,
        help="with --all_groups: crystals that what a group borrows is worth",
    )
    add(
        "--floor",
        type=float,
        default=BackingOff.floor,
        help="with --all_groups: a group with fewer crystals is as frequent as with these",
    )
    add("--symprec", type=float, default=0.01, help="of spglib, angstrom")
    add("--processes", type=int, help="how many to use; all cores without it")
    add("--source", default="", help="where the crystals come from, for the record")
    add("--license", default="", help="of the crystals, for the record")
    add("--citation", default="", help="of the crystals, for the record")
    return parser


def _check(args: argparse.Namespace) -> None:
    """Refuses what could not work, before the long work begins."""
    if not args.out:
        raise InputError("--out is empty: name a file to write")
    for name in (args.out, args.analyses):
        if name:
            require_writable(name, overwrite=args.overwrite)
    if args.analyses and Path(args.analyses).resolve() == Path(args.out).resolve():
        raise InputError(f"--out and --analyses are both {args.out!r}: name two files")
    if args.analyses and Path(args.analyses).suffix != ".npz":
        raise InputError(f"--analyses is {args.analyses!r}: name a file .npz")
    if args.min_crystals < 1:
        raise InputError(f"--min_crystals is {args.min_crystals}: expected 1 or more")
    if args.borrowed < 1:
        raise InputError(f"--borrowed is {args.borrowed}: expected 1 or more")
    if not 0 < args.floor < math.inf:
        raise InputError(f"--floor is {args.floor}: expected a number above 0")
    if not 0 < args.symprec < math.inf:
        raise InputError(f"--symprec is {args.symprec}: expected a length above 0")
    if args.processes is not None and args.processes < 1:
        raise InputError(f"--processes is {args.processes}: expected 1 or more")
    split_by_hash([], args.held_out)


def _command(args: argparse.Namespace) -> str:
    """The command that makes the file again, with names of files in place of paths."""
    names = ("held_out", "split", "seed", "min_crystals", "symprec")
    options = [f"--{name}={getattr(args, name)}" for name in names]
    if args.all_groups:
        options += ["--all_groups", f"--borrowed={args.borrowed}"]
        options += [f"--floor={args.floor:g}"]
    return " ".join(
        ["python -m xrdjax.statistics", f"--crystals={Path(args.crystals).name}"]
        + [f"--out={Path(args.out).name}", *options]
    )


def _provenance(args: argparse.Namespace, counts: dict[str, Any]) -> dict[str, Any]:
    """What users of the file must know: source, terms, split, counts, versions."""
    return {
        "source": args.source,
        "license": args.license,
        "citation": args.citation,
        "crystals": Path(args.crystals).name,
        "command": _command(args),
        "held_out": args.held_out,
        "split": args.split,
        "seed": args.seed,
        "min_crystals": args.min_crystals,
        "symprec": args.symprec,
        "counts": counts,
        "versions": {
            "gemmi": version("gemmi"),
            "numpy": version("numpy"),
            "python": platform.python_version(),
            "spglib": version("spglib"),
        },
    }


def _print_remarks(kind: str, remarks: Sequence[tuple[str, str]]) -> None:
    """Names and sentences, as many as fit on a screen."""
    for name, text in remarks[:_MOST_FAILURES]:
        print(f"{kind}: {name}: {text}")
    if len(remarks) > _MOST_FAILURES:
        print(f"{kind}: and {len(remarks) - _MOST_FAILURES} more")


def _print_reading(known: AnalysedCrystals) -> None:
    """What could not be used, and what the files leave to be known."""
    for kind, failures in (
        ("unreadable", known.unreadable),
        ("without symmetry", known.without_symmetry),
    ):
        _print_remarks(kind, [(f.name, f.reason) for f in failures])
    _print_remarks("note", [(n.name, n.text) for n in known.notes])


def _make(args: argparse.Namespace) -> None:
    """Reads, analyses, splits, counts, writes, and prints what came of it."""
    _check(args)
    print(f"reading {args.crystals} and searching for symmetry")
    known = known_crystals(args.crystals, args.symprec, args.processes, progress=True)
    if args.analyses:
        save_analyses(args.analyses, known, overwrite=args.overwrite)
    _print_reading(known)
    split = Split(args.held_out, args.seed, args.split)
    backing_off = BackingOff(args.borrowed, args.floor) if args.all_groups else None
    fit = fit_statistics(known, split, args.min_crystals, backing_off)
    provenance = _provenance(args, fit.counts)
    save_statistics(args.out, fit.statistics, provenance, overwrite=args.overwrite)
    print(f"\n{summary(fit)}\n\nwritten to {args.out}")


def main(argv: Sequence[str] | None = None) -> None:
    """Makes a file of statistics."""
    args = _parser().parse_args(argv)
    with exit_on_input_error():
        _make(args)


if __name__ == "__main__":
    main()
