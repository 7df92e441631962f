"""Computes the statistics that synthetic crystals are sampled from, from known ones.

    python -m xrdjax.statistics --crystals=cifs.zip --out=statistics.npz

Whole structure types are held out; the same seed and share tell which (see
`crystals.splits`). The bundled file was made so: see its provenance.

`--analyses=FILE.npz` keeps the analysed crystals too: that file can be given for the
CIFs from then on, here and wherever crystals are asked for, and is read in seconds.
"""

import argparse
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from xrdjax.crystals.cif import Failure
from xrdjax.crystals.structure_types import Analysis
from xrdjax.errors import InputError, exit_on_input_error
from xrdjax.known.collection import known_crystals
from xrdjax.known.file import save_analyses
from xrdjax.known.splits import KINDS, Split, members, split_by_hash
from xrdjax.prior.file import save_statistics
from xrdjax.prior.fit import compute_statistics, eligible_crystals
from xrdjax.prior.tables import Statistics
from xrdjax.symmetry.space_groups import space_group


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m xrdjax.statistics",
        description="Statistics of known crystals, to draw random ones from.",
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
    add("--symprec", type=float, default=0.01, help="of spglib, angstrom")
    add("--processes", type=int, help="how many to use; all cores without it")
    add("--source", default="", help="where the crystals come from, for the record")
    add("--license", default="", help="of the crystals, for the record")
    add("--citation", default="", help="of the crystals, for the record")
    return parser


def _check(args: argparse.Namespace) -> None:
    """Finds what is wrong before the long work begins."""
    for flag in ("out", "analyses"):
        if not (name := getattr(args, flag)):
            continue
        path = Path(name)
        if path.exists() and not args.overwrite:
            raise InputError(
                f"{name!r} exists already: give another --{flag}, or --overwrite"
            )
        if not path.parent.is_dir():
            raise InputError(
                f"the folder {str(path.parent)!r} of --{flag} does not exist: make it "
                "first"
            )
    if args.analyses and Path(args.analyses).resolve() == Path(args.out).resolve():
        raise InputError(f"--out and --analyses are both {args.out!r}: name two files")
    if args.analyses and Path(args.analyses).suffix != ".npz":
        raise InputError(f"--analyses is {args.analyses!r}: name a file .npz")
    if args.min_crystals < 1:
        raise InputError(f"--min_crystals is {args.min_crystals}: expected 1 or more")
    if not args.symprec > 0:
        raise InputError(f"--symprec is {args.symprec}: expected a length above 0")
    if args.processes is not None and args.processes < 1:
        raise InputError(f"--processes is {args.processes}: expected 1 or more")
    split_by_hash([], args.held_out)


def _command(args: argparse.Namespace) -> str:
    """The command that makes the file again, with file names instead of paths."""
    names = ("held_out", "split", "seed", "min_crystals", "symprec")
    options = [f"--{name}={getattr(args, name)}" for name in names]
    return " ".join(
        ["python -m xrdjax.statistics", f"--crystals={Path(args.crystals).name}"]
        + [f"--out={Path(args.out).name}", *options]
    )


def _provenance(args: argparse.Namespace, counts: dict) -> dict:
    """What a user of the file must know: source, terms, split, counts, versions."""
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


def _count(analyses: Sequence[Analysis]) -> dict[str, int]:
    """Crystals, structure types and space groups on one side of the split."""
    return {
        "crystals": len(analyses),
        "types": len({a.type_key for a in analyses}),
        "groups": len({a.space_group for a in analyses}),
    }


def _print_failures(kind: str, failures: Sequence[Failure], shown: int = 20) -> None:
    for failure in failures[:shown]:
        print(f"{kind}: {failure.name}: {failure.reason}")
    if len(failures) > shown:
        print(f"{kind}: and {len(failures) - shown} more")


def _print_summary(
    counts: dict, statistics: Statistics, kept: Sequence[Analysis]
) -> None:
    """What went in, what was left out, and what the statistics look like."""
    print(f"\n{'':24}{'crystals':>10}{'types':>10}{'groups':>10}")
    for side in ("all", "statistics", "held out"):
        print(f"{side:24}" + "".join(f"{n:10,}" for n in counts[side].values()))
    print(
        f"types with the two hands of a crystal counted apart: "
        f"{counts['types, hands apart']:,}"
    )
    print("\nleft out of the statistics")
    for reason, count in counts["left out"].items():
        print(f"  {reason:40}{count:10,}")
    print(
        f"\n{len(statistics.space_groups)} space groups are kept, "
        f"with {len(kept):,} crystals"
    )
    print(f"{'group':14}{'crystals':>10}{'share':>10}")
    crystals = np.diff(np.asarray(statistics.group_ranges))[:, 0]
    for k in np.argsort(-crystals, kind="stable")[:10]:
        number = int(statistics.space_groups[k])
        name = f"{number} {space_group(number).hermann_mauguin}"
        print(f"{name:14}{crystals[k]:10,}{statistics.frequencies[k]:10.2%}")
    sites = [a.sites[-1] + 1 for a in kept]
    elements = [len(set(a.standard.elements.tolist())) for a in kept]
    volumes = [a.standard.volume for a in kept]
    ordered = [a.standard.is_ordered for a in kept]
    print(f"\nsites in the asymmetric unit, mean    {np.mean(sites):10.2f}")
    print(f"elements, mean                        {np.mean(elements):10.2f}")
    print(f"volume of the cell, median            {np.median(volumes):10.1f} A^3")
    packing = np.median(statistics.packing_factors)
    print(f"volume / atomic volumes, median       {packing:10.2f}")
    print(f"ordered crystals                      {np.mean(ordered):10.1%}")


def main(argv: Sequence[str] | None = None) -> None:
    """Reads, analyses, splits, counts, writes, and prints a summary."""
    args = _parser().parse_args(argv)
    with exit_on_input_error():
        _check(args)
        print(f"reading {args.crystals} and searching for symmetry")
        known = known_crystals(
            args.crystals, args.symprec, args.processes, progress=True
        )
        if args.analyses:
            save_analyses(args.analyses, known, overwrite=args.overwrite)
        analyses = known.analyses
        _print_failures("unreadable", known.unreadable)
        _print_failures("without symmetry", known.without_symmetry)
        held_out = members(
            analyses, Split(args.held_out, args.seed, args.split), "held_out"
        )
        sides = {
            "all": analyses,
            "statistics": [
                a for a, out in zip(analyses, held_out, strict=True) if not out
            ],
            "held out": [a for a, out in zip(analyses, held_out, strict=True) if out],
        }
        statistics = compute_statistics(sides["statistics"], args.min_crystals)
        eligible = eligible_crystals(sides["statistics"], args.min_crystals)
        counts: dict[str, Any] = {
            side: _count(members) for side, members in sides.items()
        }
        counts["types, hands apart"] = len(
            {(a.space_group, a.type_key) for a in analyses}
        )
        counts["left out"] = {
            "unreadable": len(known.unreadable),
            "without symmetry": len(known.without_symmetry),
        } | eligible.left_out
        counts["groups kept"] = len(statistics.space_groups)
        counts["crystals kept"] = len(eligible.analyses)
        save_statistics(
            args.out, statistics, _provenance(args, counts), overwrite=args.overwrite
        )
        _print_summary(counts, statistics, eligible.analyses)
        print(f"\nwritten to {args.out}")


if __name__ == "__main__":
    main()
