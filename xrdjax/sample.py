"""Samples synthetic crystals and writes them as CIFs.

xrdjax sample --space_group=225 --count=10 --seed=0 --out=DIR
"""

from collections.abc import Sequence

from xrdjax.command_line import Parser
from xrdjax.errors import exit_on_input_error


def _parser() -> Parser:
    parser = Parser(
        "sample",
        "--out=DIR",
        "Synthetic crystals from the symmetry operations of space groups.",
    )
    add = parser.add_argument
    add(
        "--space_group",
        metavar="NUMBER",
        default="all",
        help="number of the space group, or all: by their frequency",
    )
    add("--count", type=int, metavar="N", default=10, help="number of crystals")
    add("--seed", type=int, metavar="N", default=0, help="of the random numbers")
    add(
        "--out",
        metavar="DIR",
        required=True,
        help="folder to write; it must be empty or new",
    )
    add(
        "--statistics",
        metavar="FILE",
        help="file of xrdjax statistics; bundled without it",
    )
    add(
        "--max_volume",
        metavar="X",
        type=float,
        default=7000.0,
        help="of the cell, angstrom^3",
    )
    add(
        "--max_sites",
        metavar="N",
        type=int,
        default=100,
        help="occupied Wyckoff positions",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Samples crystals and prints where they are."""
    args = _parser().parse_args(argv)
    with exit_on_input_error():
        from xrdjax.commands.sample import sample  # imports JAX

        print(f"{args.count} crystals written to {sample(args)}")


if __name__ == "__main__":
    main()
