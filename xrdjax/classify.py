"""Ranks the space groups of a measured powder pattern, and their classes.

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
        "--pattern=FILE",
        "The five most probable space groups of a powder pattern, and the most probable "
        "extinction symbols, lattices, Laue classes and crystal systems.",
    )
    add_measured_network_flags(parser)
    parser.add_argument(
        "--pattern",
        type=Path,
        metavar="FILE",
        required=True,
        nargs="+",
        help="file of a diffractometer, or text with columns two theta (degrees) and "
        "intensity; several files are classified one after the other",
    )
    parser.add_argument(
        "--wavelength",
        metavar="X",
        help="of the measurement: angstrom, or a line such as CuKa1 or Mo (default: that "
        "of the file, else that of the network)",
    )
    parser.add_argument(
        "--scan",
        type=int,
        metavar="N",
        help="number of the scan in a file of several (default: 1)",
    )
    parser.add_argument(
        "--subtract_background",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="estimate the background and subtract it; a network that has seen "
        "simulated measurements always does so",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the five most probable space groups of measured patterns."""
    args = _parser().parse_args(arguments)
    with exit_on_input_error():
        from xrdjax.commands.classify import classify  # imports JAX

        classify(args)


if __name__ == "__main__":
    main()
