"""Simulates the powder X-ray diffraction pattern of a crystal.

xrdjax simulate --crystal=FILE.cif --out=pattern.xy
"""

from collections.abc import Sequence

from xrdjax.command_line import Parser
from xrdjax.errors import exit_on_input_error


def _parser() -> Parser:
    parser = Parser(
        "simulate",
        "--crystal=FILE.cif --out=pattern.xy",
        "Powder X-ray diffraction pattern of a crystal.",
    )
    add = parser.add_argument
    add(
        "--crystal",
        required=True,
        metavar="FILE",
        help="a CIF, or the name of a gallery crystal",
    )
    add(
        "--block",
        metavar="NAME",
        help="name of the crystal to take, if the CIF has several",
    )
    add(
        "--out",
        metavar="FILE",
        help="pattern to write: two columns, 2 theta in degrees, intensity",
    )
    add("--reflections", metavar="FILE", help="powder lines to write, .csv")
    add("--members", action="store_true", help="in it, all reflections of each line")
    add("--figure", metavar="FILE", help="figure of the pattern to write, .png")
    add("--wavelength", type=float, metavar="X", default=1.5406, help="angstrom")
    add("--anomalous", action="store_true", help="f' and f'' of the wavelength")
    add("--two_theta_min", type=float, metavar="X", default=5.0, help="degrees")
    add("--two_theta_max", type=float, metavar="X", default=90.0, help="degrees")
    add("--step", type=float, metavar="X", default=0.01, help="of the grid, degrees")
    add("--crystallite_size", type=float, metavar="X", default=50.0, help="nanometres")
    add("--displacements", action="store_true", help="use the B or U of the CIF")
    add("--overwrite", action="store_true", help="replace files that exist")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Simulates a crystal and prints one line about it."""
    args = _parser().parse_args(argv)
    with exit_on_input_error():
        from xrdjax.commands.simulate import simulate  # imports JAX

        print(simulate(args))


if __name__ == "__main__":
    main()
