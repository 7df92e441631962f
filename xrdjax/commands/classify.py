"""The most probable space groups of measured patterns, printed and written."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from xrdjax.errors import InputError
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
from xrdjax.run import load_network

_WRITERS = {".json": to_json, ".csv": to_csv}


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


def classify(args: argparse.Namespace) -> None:
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
