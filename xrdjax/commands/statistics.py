"""Statistics of known crystals, written to a file."""

import argparse
import math
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from xrdjax.errors import InputError
from xrdjax.files import require_writable
from xrdjax.known.analyses import AnalysedCrystals
from xrdjax.known.collection import known_crystals
from xrdjax.known.file import save_analyses
from xrdjax.known.fitting import fit_statistics, summary
from xrdjax.known.splits import Split, split_by_hash
from xrdjax.prior.backing_off import BackingOff
from xrdjax.prior.file import save_statistics

_MOST_FAILURES = 20  # that are listed by name


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


def make_statistics(args: argparse.Namespace) -> None:
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
