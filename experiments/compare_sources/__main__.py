"""Trains on known crystals, on synthetic ones and on both, and compares the results.

    python -m experiments.compare_sources --crystals=PATH --out=DIR

Each network learns from each source, with structure types held out and with single
crystals held out (configs/compare_sources.py lists them, and the length of the runs).
The checkpoint of each run that is best on a fifth of the held-out crystals is tested on
the others, which are used in neither statistics nor training, and on fresh synthetic
ones. The same command resumes an interrupted comparison and repeats no finished run.
Flags such as --config.steps=1000 apply to all runs; --runs=NAME,NAME selects some.

Writes table.md, results.json, figure.png and curves.png; DIR/RUN/test.md is the report
of a run.
"""

import argparse
import runpy
from collections.abc import Sequence
from pathlib import Path

import ml_collections

from experiments.compare_sources.comparison import compare
from experiments.compare_sources.jobs import Comparison
from experiments.shared.flags import require_positive
from xrdjax.errors import InputError, exit_on_input_error

DEFAULT_CONFIG = Path(__file__).parents[2] / "configs" / "compare_sources.py"

# Fields of a run's configuration that the comparison itself sets.
_OWN_FIELDS = ("source", "statistics", "crystals")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.compare_sources",
        description=__doc__.splitlines()[0],
        epilog="Flags --config.FIELD=VALUE apply to all runs.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--crystals", type=Path, required=True, help="CIFs, or their analyses (.npz)")
    add("--out", type=Path, required=True, help="folder for runs and results")
    add("--config", type=Path, default=DEFAULT_CONFIG, help="what is compared")
    add("--parallel", type=int, default=1, help="runs at once, each on its own cores")
    add("--runs", default="", help="names of runs to do, with commas; empty: all")
    return parser


def _check_flags_of_runs(flags: Sequence[str]) -> None:
    """Refuses flags that cannot apply to all runs."""
    for flag in flags:
        if not (flag.startswith("--config.") and "=" in flag):
            raise InputError(f"unknown flag {flag!r}: expected --config.FIELD=VALUE")
        name = flag.removeprefix("--config.").partition("=")[0]
        if name in _OWN_FIELDS:
            raise InputError(
                f"{flag!r} cannot apply to all runs: --crystals and --config state "
                "what they are trained on"
            )


def _read_config(path: Path) -> ml_collections.ConfigDict:
    if not path.is_file():
        raise InputError(
            f"there is no configuration {str(path)!r}: name a file like "
            "configs/compare_sources.py"
        )
    return runpy.run_path(str(path))["get_config"]()


def main(arguments: Sequence[str] | None = None) -> None:
    """Compares sources as the command line states."""
    given, flags = _parser().parse_known_args(arguments)
    with exit_on_input_error():
        _check_flags_of_runs(flags)
        require_positive("parallel", given.parallel)
        names = [name.strip() for name in given.runs.split(",") if name.strip()]
        comparison = Comparison(
            _read_config(given.config), given.crystals, given.out, tuple(flags)
        )
        compare(comparison, names, given.parallel)


if __name__ == "__main__":
    main()
