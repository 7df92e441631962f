"""Evaluates a trained network on synthetic and on known crystals.

    xrdjax evaluate --workdir=DIR --crystals=PATH

Writes report.json, report.md and figures. --pretrained, in place of --workdir, takes
the bundled network.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from xrdjax.command_line import Parser, add_checkpoint_flag, add_network_flags
from xrdjax.errors import exit_on_input_error

_SPLITS = ("held_out", "test", "validation", "all")


def _whole_number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a whole number, 0 or more"
        )
    return int(text)


def _parser() -> Parser:
    parser = Parser(
        "evaluate",
        "--workdir=DIR",
        "Accuracy of a trained network on synthetic and on known crystals.",
        epilog="Held out are the structure types that the run's statistics were not "
        "made from; the file of statistics states the fraction and the seed.",
    )
    add_network_flags(parser)
    parser.add_argument(
        "--crystals",
        type=Path,
        metavar="PATH",
        help="CIF file, folder or zip of CIFs, or the .npz file of their analyses "
        "(default: as configured in training)",
    )
    add_checkpoint_flag(parser)
    parser.add_argument(
        "--split",
        choices=_SPLITS,
        help="which of these crystals; held_out are those for validation and those for "
        "the test (default: held_out if the statistics hold out structure types, but "
        "test for the best checkpoint if known crystals chose it)",
    )
    parser.add_argument(
        "--synthetic",
        type=_whole_number,
        metavar="N",
        help="number of fresh synthetic crystals (default: as configured in training)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="JSON file for the report; a page and figures are written beside it "
        "(default: report.json in the work directory, or in the current one with "
        "--pretrained)",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier report"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluates a network and prints a summary of its report."""
    given = vars(_parser().parse_args(arguments))
    with exit_on_input_error():
        from xrdjax.evaluation.evaluator import Request, evaluate_run  # imports JAX

        evaluate_run(Request(**given))


if __name__ == "__main__":
    main()
