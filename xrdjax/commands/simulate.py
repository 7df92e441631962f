"""The powder pattern and the lines of one crystal, written to files."""

import argparse
import dataclasses
import re
import sys
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float

from xrdjax.crystals.cif import read_crystals
from xrdjax.crystals.crystal import Structure, to_crystal
from xrdjax.crystals.textbook import gallery
from xrdjax.diffraction.line_table import add_members, lines_table, to_csv
from xrdjax.diffraction.overflow import Overflow
from xrdjax.diffraction.powder import Lines, pattern_of_lines, powder_lines
from xrdjax.errors import InputError
from xrdjax.evaluation.plots import plot_pattern
from xrdjax.files import require_writable, write_text
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.instrument import Instrument, make_instrument
from xrdjax.instrument.specimen import make_specimen

_MOST_POINTS = 10_000_000
_MOST_REMARKS = 10


def _check_outputs(args: argparse.Namespace) -> None:
    """Refuses outputs that could not be written, before the work begins."""
    paths = [Path(p) for p in (args.out, args.reflections, args.figure) if p]
    if not paths:
        raise InputError(
            "nothing to write: give --out=pattern.xy, --reflections=lines.csv or "
            "--figure=pattern.png"
        )
    if args.members and not args.reflections:
        raise InputError("--members is for the table of lines: give --reflections=FILE")
    if args.figure and Path(args.figure).suffix.lower() != ".png":
        raise InputError(f"--figure is {args.figure!r}: expected a name ending in .png")
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError("two outputs have the same file name: give each its own")
    for path in paths:
        require_writable(path, overwrite=args.overwrite)


def _grid(args: argparse.Namespace) -> TwoThetaGrid:
    # checks the range, which may hold values that are not numbers
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
    if intervals > _MOST_POINTS:
        raise InputError(
            f"--step {args.step:g} asks for {intervals} points: choose a step of at "
            f"least {span / _MOST_POINTS:g} degrees"
        )
    return dataclasses.replace(ends, points=intervals + 1)


def _read_crystal(crystal: str, block: str | None) -> Structure:
    """The crystal of a file, or of the gallery where no such file exists."""
    if re.fullmatch(r"[\w -]{1,60}", crystal) and not Path(crystal).exists():
        if block is not None:
            raise InputError(
                f"--block is {block!r}, but {crystal!r} is a crystal of the gallery, "
                "which has no blocks: leave the flag out"
            )
        return gallery(crystal)
    reading = read_crystals(crystal)
    if not reading.structures:
        raise InputError(f"{crystal!r} holds no crystal: {reading.failures[0].reason}")
    for name, remark in [
        *((note.name, note.text) for note in reading.notes),
        *(
            (failure.name, f"left out, {failure.reason}")
            for failure in reading.failures
        ),
    ][:_MOST_REMARKS]:
        print(f"note: {name}: {remark}", file=sys.stderr)
    chosen = [s for s in reading.structures if block in (None, *_names(s))]
    if not chosen:
        names = ", ".join(s.name for s in reading.structures)
        raise InputError(
            f"{crystal!r} has no crystal {block!r}: expected one of {names}"
        )
    if len(chosen) > 1:
        raise InputError(
            f"{crystal!r} holds {len(chosen)} crystals: choose one with --block, such "
            f"as --block={chosen[0].name}"
        )
    return chosen[0]


def _names(structure: Structure) -> tuple[str, str]:
    """A structure's name, and that of its block of the CIF alone."""
    return structure.name, structure.name.rpartition(":")[2]


def _find_lines(
    structure: Structure,
    displacements: bool,
    instrument: Instrument,
    grid: TwoThetaGrid,
) -> Lines:
    """Powder lines in range with NumPy leaves; there is at least one."""
    crystal = to_crystal(structure, displacements=displacements)
    # an element of a JAX array takes a millisecond
    lines = jax.tree.map(np.asarray, powder_lines(crystal, instrument, grid))
    if lines.overflow:
        raise InputError(f"{structure.name} has {Overflow(int(lines.overflow)).hint}")
    if not np.any(lines.multiplicity > 0):
        raise InputError(
            f"{structure.name} has no reflection between {grid.two_theta_min_deg:g} and "
            f"{grid.two_theta_max_deg:g} degrees at {instrument.wavelengths[0]:g} "
            "angstrom: widen the range, or choose a shorter wavelength"
        )
    return lines


def _to_xy(
    name: str, angles: Float[np.ndarray, " T"], pattern: Float[np.ndarray, " T"]
) -> str:
    points = zip(angles.tolist(), pattern.tolist(), strict=True)
    header = f"# {name}: 2 theta (degrees), intensity (maximum 1)\n"
    return header + "".join(f"{x:.4f} {y:.6f}\n" for x, y in points)


def simulate(args: argparse.Namespace) -> str:
    """Simulates a crystal, writes what the flags ask for, and describes the crystal."""
    _check_outputs(args)
    grid = _grid(args)
    instrument = make_instrument((args.wavelength,), anomalous=args.anomalous)
    specimen = make_specimen(args.crystallite_size)
    structure = _read_crystal(args.crystal, args.block)
    lines = _find_lines(structure, args.displacements, instrument, grid)
    pattern = np.asarray(pattern_of_lines(lines, instrument, specimen, grid))
    rows = lines_table(lines)
    angles = grid.two_theta_deg
    if args.out:
        text = _to_xy(structure.name, angles, pattern)
        write_text(args.out, text, overwrite=args.overwrite)
    if args.members:
        add_members(rows, to_crystal(structure))
    if args.reflections:
        write_text(args.reflections, to_csv(rows), overwrite=args.overwrite)
    if args.figure:
        title = f"{structure.name}, {args.wavelength:g} \N{ANGSTROM SIGN}"
        plot_pattern(angles, pattern, rows, title, args.figure)
    a, b, c, alpha, beta, gamma = structure.unit_cell
    return (
        f"{structure.name}: {structure.formula}, space group {structure.space_group}, "
        f"a {a:.4f}, b {b:.4f}, c {c:.4f} angstrom, alpha {alpha:.2f}, beta {beta:.2f}, "
        f"gamma {gamma:.2f} degrees; {len(rows)} lines"
    )
