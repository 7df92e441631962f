"""Simulates the powder X-ray diffractogram of a crystal in a CIF.

python -m xrdjax.simulate --crystal=FILE.cif --out=pattern.xy
"""

import argparse
import contextlib
import csv
import dataclasses
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from xrdjax.crystals.cif import read_crystals
from xrdjax.crystals.crystal import Structure, to_crystal
from xrdjax.crystals.textbook import gallery
from xrdjax.diffraction.overflow import Overflow
from xrdjax.diffraction.powder import Lines, pattern_of_lines, powder_lines
from xrdjax.errors import InputError, exit_on_input_error
from xrdjax.evaluation.plots import draw_pattern
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.instrument import CU_K_ALPHA, make_instrument
from xrdjax.instrument.specimen import make_specimen


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m xrdjax.simulate",
        description="Powder X-ray diffractogram of a crystal.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--crystal", required=True, help="a CIF, or the name of a gallery crystal")
    add("--block", help="name of the crystal to take, if the CIF has several")
    add("--out", help="pattern to write: two columns, 2 theta in degrees, intensity")
    add("--reflections", help="powder lines to write, .csv")
    add("--figure", help="figure of the pattern to write, .png")
    add("--wavelength", type=float, default=CU_K_ALPHA, help="angstrom")
    add("--two_theta_min", type=float, default=5.0, help="degrees")
    add("--two_theta_max", type=float, default=90.0, help="degrees")
    add("--step", type=float, default=0.01, help="of the grid, degrees")
    add("--crystallite_size", type=float, default=50.0, help="nanometres")
    add("--displacements", action="store_true", help="use the B or U of the CIF")
    add("--overwrite", action="store_true", help="replace files that exist")
    return parser


def _outputs(args: argparse.Namespace) -> list[Path]:
    """Files to write, checked before the work begins."""
    paths = [Path(p) for p in (args.out, args.reflections, args.figure) if p]
    if not paths:
        raise InputError(
            "nothing to write: give --out=pattern.xy, --reflections=lines.csv or "
            "--figure=pattern.png"
        )
    if args.figure and Path(args.figure).suffix.lower() != ".png":
        raise InputError(f"--figure is {args.figure!r}: expected a name ending in .png")
    if len(set(paths)) < len(paths):
        raise InputError("two outputs have the same file name: give each its own")
    for path in paths:
        if not path.parent.is_dir():
            raise InputError(
                f"the folder {str(path.parent)!r} of {path.name!r} does not exist: "
                "make it first"
            )
        if path.exists() and not args.overwrite:
            raise InputError(
                f"{str(path)!r} exists already: give another name, or --overwrite"
            )
    return paths


def _grid(args: argparse.Namespace) -> TwoThetaGrid:
    # checks the range, which may be no numbers at all
    ends = TwoThetaGrid(args.two_theta_min, args.two_theta_max)
    span = args.two_theta_max - args.two_theta_min
    if not args.step > 1e-9 * span:
        raise InputError(f"--step is {args.step}: expected degrees above 0")
    intervals = round(span / args.step)
    if intervals < 1 or abs(intervals * args.step - span) > 1e-6 * span:
        raise InputError(
            f"--step {args.step:g} does not divide the range of {span:g} degrees: "
            "choose a step that fits a whole number of times"
        )
    if intervals > 10_000_000:
        raise InputError(f"--step {args.step:g} asks for {intervals} points: too many")
    return dataclasses.replace(ends, points=intervals + 1)


def _read(args: argparse.Namespace) -> Structure:
    """The crystal of a file, or of the gallery where no such file exists."""
    path = Path(args.crystal)
    if not path.exists() and path.suffix == "":
        return gallery(args.crystal)
    reading = read_crystals(path)
    structures = reading.structures
    if not structures:
        raise InputError(
            f"{args.crystal!r} holds no crystal: {reading.failures[0].reason}"
        )
    if args.block is not None:
        named = tuple(
            s for s in structures if args.block in (s.name, s.name.rpartition(":")[2])
        )
        if not named:
            raise InputError(
                f"{args.crystal!r} has no crystal {args.block!r}: expected one of "
                f"{', '.join(s.name for s in structures)}"
            )
        structures = named
    if len(structures) > 1:
        raise InputError(
            f"{args.crystal!r} holds {len(structures)} crystals: choose one with "
            f"--block, such as --block={structures[0].name}"
        )
    return structures[0]


def lines_table(lines: Lines) -> list[dict[str, float]]:
    """Powder lines as rows, by angle; intensities with the largest at 100.

    Returns:
        Rows with h, k, l, multiplicity, d (angstrom), two_theta_deg, F (electrons)
        and intensity.
    """
    found = np.flatnonzero(np.asarray(lines.multiplicity) > 0)
    found = found[np.argsort(np.asarray(lines.two_theta_deg)[found], kind="stable")]
    intensity = np.asarray(lines.intensity, float)
    scale = 100 / intensity.max() if intensity.max() > 0 else 0.0
    return [
        {
            "h": int(lines.miller[i][0]),
            "k": int(lines.miller[i][1]),
            "l": int(lines.miller[i][2]),
            "multiplicity": int(lines.multiplicity[i]),
            "d": float(1 / lines.s[i]),
            "two_theta_deg": float(lines.two_theta_deg[i]),
            "|F|": float(lines.magnitude[i]),
            "intensity": float(intensity[i] * scale),
        }
        for i in found
    ]


def _csv(rows: list[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    for row in rows:
        *indices, d, angle, magnitude, intensity = row.values()
        writer.writerow(
            [
                *indices,
                f"{d:.5f}",
                f"{angle:.4f}",
                f"{magnitude:.4f}",
                f"{intensity:.4f}",
            ]
        )
    return text.getvalue()


@contextlib.contextmanager
def _writing(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write {path!r} ({error.strerror})") from error


def _write(path: str, text: str) -> None:
    with _writing(path):
        Path(path).write_text(text, encoding="utf-8")


def simulate(args: argparse.Namespace) -> None:
    """Simulates one crystal and writes what the arguments ask for."""
    _outputs(args)
    grid = _grid(args)
    instrument = make_instrument((args.wavelength,))
    specimen = make_specimen(args.crystallite_size)
    structure = _read(args)
    crystal = to_crystal(structure, displacements=args.displacements)
    lines = powder_lines(crystal, instrument, grid)
    if not np.any(np.asarray(lines.multiplicity) > 0):
        raise InputError(
            f"{structure.name} has no reflection between {args.two_theta_min:g} and "
            f"{args.two_theta_max:g} degrees at {args.wavelength:g} angstrom: widen "
            "the range, or choose a shorter wavelength"
        )
    if lines.overflow:
        raise InputError(f"{structure.name} has {Overflow(int(lines.overflow)).hint}")
    pattern = pattern_of_lines(lines, instrument, specimen, grid)
    rows = lines_table(lines)
    angles = grid.two_theta_deg
    if args.out:
        points = zip(angles, np.asarray(pattern), strict=True)
        header = f"# {structure.name}: 2 theta (degrees), intensity (maximum 1)\n"
        _write(args.out, header + "".join(f"{x:.4f} {y:.6f}\n" for x, y in points))
    if args.reflections:
        _write(args.reflections, _csv(rows))
    if args.figure:
        with _writing(args.figure):
            draw_pattern(args.figure, angles, np.asarray(pattern), rows, structure.name)
    a, b, c, alpha, beta, gamma = structure.unit_cell
    print(
        f"{structure.name}: {structure.formula}, space group {structure.space_group}, "
        f"a {a:.4f}, b {b:.4f}, c {c:.4f} angstrom, alpha {alpha:.2f}, beta {beta:.2f}, "
        f"gamma {gamma:.2f} degrees; {len(rows)} lines"
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command."""
    args = _parser().parse_args(argv)
    with exit_on_input_error():
        simulate(args)


if __name__ == "__main__":
    main()
