"""Makes the checkpoint of a run the bundled network.

    python -m experiments.export_pretrained --workdir=DIR --crystals=PATH

Writes weights in float16, configuration, licence, and a report on the rounded weights
into xrdjax/data/pretrained, and the statistics where they are not the bundled ones. No
local path is written into any of these files.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from experiments.export_pretrained.export import export
from xrdjax.command_line import add_checkpoint_flag
from xrdjax.errors import exit_on_input_error
from xrdjax.run import PRETRAINED, WEIGHTS


def positive(text: str) -> float:
    """A number above 0."""
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.export_pretrained",
        description=__doc__.splitlines()[0],
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--workdir", type=Path, required=True, help="work directory of a run")
    add_checkpoint_flag(parser)
    add("--crystals", type=Path, help="for the report (default: those of the run)")
    add("--synthetic", type=int, help="synthetic crystals (default: as configured)")
    add(
        "--temperature",
        type=positive,
        default=1.0,
        help="that the logits are divided by, as experiments.measured_patterns finds it",
    )
    add(
        "--mean_with",
        type=Path,
        nargs="+",
        default=(),
        metavar="DIR",
        help="runs from the same weights, to average the weights with",
    )
    add("--out", type=Path, default=PRETRAINED, help="folder (default: the package's)")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    given = _parser().parse_args(arguments)
    with exit_on_input_error():
        run = export(
            given.workdir,
            given.out,
            given.crystals,
            given.synthetic,
            given.checkpoint,
            given.temperature,
            given.mean_with,
        )
    size = (given.out / WEIGHTS).stat().st_size
    print(f"step {run.step}: {size / 1e6:.1f} MB of weights, written to {given.out}")


if __name__ == "__main__":
    main()
