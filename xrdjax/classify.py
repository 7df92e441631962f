"""Names the space group of a measured powder pattern.

python -m xrdjax.classify --workdir=DIR --pattern=FILE.xy

or --pretrained, for the network that comes with the program, in place of --workdir.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xrdjax.errors import exit_on_input_error
from xrdjax.evaluation.predict import classify_patterns, grid_deg, most_probable
from xrdjax.measured.resampling import resample
from xrdjax.measured.text import read_pattern
from xrdjax.run import add_network_flags, load_network
from xrdjax.symmetry.space_groups import space_group

# Share of the range whose absence is not worth a warning.
_NEGLIGIBLE = 0.005


def _answer(arguments: argparse.Namespace) -> str:
    two_theta, intensity = read_pattern(arguments.pattern)
    run = load_network(arguments.workdir)
    grid = grid_deg(run)
    pattern = resample(two_theta, intensity, grid, arguments.subtract_background)
    best = most_probable(run, classify_patterns(run, pattern[None], batch_size=1)[0])
    lines = [
        f"{arguments.pattern.name}: {len(two_theta)} points from {two_theta[0]:g} to "
        f"{two_theta[-1]:g} degrees, background "
        + ("subtracted" if arguments.subtract_background else "kept"),
        f"network of step {run.step} for {len(run.space_groups)} space groups, "
        + f"{run.config.wavelength:g} angstrom, {grid[0]:g} to {grid[-1]:g} degrees",
        "",
        "probability  number  symbol        crystal system",
    ]
    for number, probability in best:
        group = space_group(number)
        lines.append(
            f"{100 * probability:9.1f} %  {number:6d}  {group.hermann_mauguin:12s}  "
            f"{group.crystal_system}"
        )
    missing = np.mean((grid < two_theta[0]) | (grid > two_theta[-1]))
    if missing > _NEGLIGIBLE:
        lines += [
            "",
            f"{missing:.0%} of the range was not measured and counts as zero: "
            + "trust the answer less",
        ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the five most probable space groups of one measured pattern."""
    parser = argparse.ArgumentParser(
        prog="python -m xrdjax.classify",
        description="Names the five most probable space groups of a powder pattern.",
    )
    add_network_flags(parser)
    parser.add_argument(
        "--pattern",
        type=Path,
        required=True,
        help="text file (.xy, .xye, .csv) with columns two theta (degrees) and "
        "intensity, measured at the wavelength that the network was trained for",
    )
    parser.add_argument(
        "--subtract_background",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="estimate the background and take it off, as the network has seen none",
    )
    with exit_on_input_error():
        print(_answer(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
