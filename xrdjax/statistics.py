"""Computes the statistics that synthetic crystals are sampled from, from known ones.

    xrdjax statistics --crystals=cifs.zip --out=statistics.npz

Whole structure types are held out; seed and share determine which (see `known.splits`).
The provenance of the bundled file states the command that it was made with.

`--all_groups` makes statistics of all 230 groups. Those with fewer than --min_crystals
borrow from their relatives (see `prior.backing_off`), the others stay as they are.

`--analyses=FILE.npz` keeps the analysed crystals too. That file can be given instead of
the CIFs from then on, here and wherever crystals are asked for, and is read in seconds.
"""

from collections.abc import Sequence

from xrdjax.command_line import Parser
from xrdjax.errors import exit_on_input_error


def _parser() -> Parser:
    parser = Parser(
        "statistics",
        "--crystals=PATH --out=FILE.npz",
        "Statistics of known crystals, to sample synthetic ones from.",
    )
    add = parser.add_argument
    add(
        "--crystals",
        metavar="PATH",
        required=True,
        help="a folder or a zip of CIFs, a CIF, or the .npz file of --analyses",
    )
    add("--out", metavar="FILE", required=True, help="file to write, .npz")
    add(
        "--analyses",
        metavar="FILE",
        default="",
        help="file to keep the analysed crystals in, .npz",
    )
    add("--overwrite", action="store_true", help="replace files that exist")
    add(
        "--held_out",
        type=float,
        metavar="X",
        default=0.2,
        help="share of types held out",
    )
    add(
        "--split",
        choices=("type", "random"),
        default="type",
        help="random: by crystal, not type",
    )
    add("--seed", type=int, metavar="N", default=0, help="of the split")
    add(
        "--min_crystals",
        type=int,
        metavar="N",
        default=50,
        help="a group needs this many",
    )
    add(
        "--all_groups",
        action="store_true",
        help="all 230 groups; those with fewer crystals borrow from related ones",
    )
    add(
        "--borrowed",
        type=int,
        metavar="N",
        default=40,
        help="with --all_groups: crystals that what a group borrows is worth",
    )
    add(
        "--floor",
        type=float,
        metavar="X",
        default=10.0,
        help="with --all_groups: a group with fewer crystals is as frequent as with these",
    )
    add("--symprec", type=float, metavar="X", default=0.01, help="of spglib, angstrom")
    add(
        "--processes",
        type=int,
        metavar="N",
        help="how many to use; all cores without it",
    )
    add(
        "--source",
        metavar="TEXT",
        default="",
        help="where the crystals come from, for the record",
    )
    add("--license", metavar="TEXT", default="", help="of the crystals, for the record")
    add(
        "--citation", metavar="TEXT", default="", help="of the crystals, for the record"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Makes a file of statistics."""
    args = _parser().parse_args(argv)
    with exit_on_input_error():
        from xrdjax.commands.statistics import make_statistics  # imports JAX

        make_statistics(args)


if __name__ == "__main__":
    main()
