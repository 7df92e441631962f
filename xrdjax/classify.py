"""Ranks the space groups of measured powder patterns, and their classes.

xrdjax classify --pattern=FILE.xy

takes the bundled network that has learned from simulated measurements; --workdir=DIR
takes that of a run, --clean the bundled one for patterns without background and noise.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from xrdjax.command_line import Parser, add_measured_network_flags
from xrdjax.errors import exit_on_input_error


def _parser() -> Parser:
    parser = Parser(
        "classify",
        "--pattern FILE [FILE ...]",
        "The most probable space groups of powder patterns, and the most probable "
        "extinction symbols, lattices, Laue classes and crystal systems.",
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the five most probable space groups of measured patterns."""
    args = _parser().parse_args(arguments)
    with exit_on_input_error():
        from xrdjax.commands.classify import classify  # imports JAX

        classify(args)


if __name__ == "__main__":
    main()
