"""Ranks the space groups of measured powder patterns, and their classes.

python -m xrdjax.classify --pattern=FILE.xy

takes the bundled network that has learned from simulated measurements; --workdir=DIR
takes that of a run, --clean the bundled one for patterns without background and noise.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from xrdjax.errors import InputError, exit_on_input_error
from xrdjax.evaluation.rank import rank_space_groups
from xrdjax.evaluation.rank_files import ReportFolder, expand, rank_files
from xrdjax.evaluation.ranking import Ranking
from xrdjax.evaluation.ranking_records import (
    FAILED,
    Record,
    table,
    to_csv,
    to_dict,
    to_json,
)
from xrdjax.files import require_writable, write_text
from xrdjax.instrument.radiation import parse_wavelength
from xrdjax.run import add_measured_network_flags, load_network

_WRITERS = {".json": to_json, ".csv": to_csv}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m xrdjax.classify",
        usage="%(prog)s --pattern FILE [FILE ...] [options]",
        description="The most probable space groups of powder patterns, and the most "
        "probable extinction symbols, lattices, Laue classes and crystal systems.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--pattern",
        required=True,
        nargs="+",
        metavar="FILE",
        help="files of diffractometers, text of two theta (degrees) and intensity, or "
        "folders of them",
    )
    add_measured_network_flags(parser)
    add("--wavelength", help="angstrom or a line, such as Mo (default: the file's)")
    add("--scan", type=int, metavar="N", help="scan of a file of several (default: 1)")
    add(
        "--subtract_background",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="for --clean (the default network always does)",
    )
    add("--out", type=Path, metavar="FILE", help="answers to write, .json or .csv")
    add(
        "--report",
        type=Path,
        metavar="DIR",
        help="folder for a page (HTML) per pattern",
    )
    add("--png", action="store_true", help="write the figures of --report as PNG, too")
    add("--overwrite", action="store_true", help="replace files that exist")
    return parser


def _check(args: argparse.Namespace) -> None:
    """Refuses flags that cannot be followed, before the work begins."""
    if args.wavelength is not None:
        parse_wavelength(args.wavelength)
    if args.png and args.report is None:
        raise InputError("--png has no folder to write to: give --report=DIR")
    if args.out is None:
        return
    if args.out.suffix.lower() not in _WRITERS:
        raise InputError(
            f"--out is {str(args.out)!r}: expected a name ending in .json or .csv"
        )
    require_writable(args.out, overwrite=args.overwrite)


def _describe(records: Sequence[Record], last: Ranking | None) -> str:
    """What is printed: the whole answer to one file, a table for several."""
    if len(records) == 1:
        return "" if last is None else repr(last)
    if all(record["status"] == FAILED for record in records):
        return ""
    return table(records)


def _failures(records: Sequence[Record]) -> str:
    """Why files have no answer: a sentence, or a line for each."""
    reasons = [r["reason"] for r in records if r["status"] == FAILED]
    if len(records) == 1 or not reasons:
        return "".join(reasons)
    head = f"{len(reasons)} of {len(records)} files could not be classified:"
    return "\n  ".join([head, *reasons])


def _classify(args: argparse.Namespace) -> None:
    """Answers each file, writes what the flags ask for, and prints the answers.

    Raises:
        InputError: some files could not be classified; the others were.
    """
    _check(args)
    paths = expand(args.pattern)
    if args.out is not None and args.out.resolve() in [p.resolve() for p in paths]:
        raise InputError(f"--out is one of the patterns, {str(args.out)!r}: rename it")
    report = None
    if args.report is not None:
        report = ReportFolder(args.report, overwrite=args.overwrite, png=args.png)
    run = load_network(args.workdir)

    def rank(path: Path) -> Ranking:
        return rank_space_groups(
            path,
            run,
            wavelength=args.wavelength,
            scan=args.scan,
            subtract_background=args.subtract_background,
        )

    records: list[Record] = []
    last = None
    for answer in rank_files(paths, rank, report, progress=len(paths) > 1):
        if isinstance(answer, Ranking):
            last, record = answer, to_dict(answer)
        else:
            record = answer
        records.append(record)
    if args.out is not None:
        contents = _WRITERS[args.out.suffix.lower()](records)
        write_text(args.out, contents, overwrite=args.overwrite)
    if printed := _describe(records, last):
        print(printed, flush=True)
    if failures := _failures(records):
        raise InputError(failures)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the most probable space groups of measured patterns."""
    args = _parser().parse_args(arguments)
    with exit_on_input_error():
        _classify(args)


if __name__ == "__main__":
    main()
