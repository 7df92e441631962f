"""Ranks the space groups of a measured powder pattern.

python -m xrdjax.classify --workdir=DIR --pattern=FILE.xy

--pretrained, in place of --workdir, takes the bundled network.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from xrdjax.errors import exit_on_input_error
from xrdjax.evaluation.predict import classify_patterns, grid_deg, most_probable
from xrdjax.measured.resampling import measured_share, resample
from xrdjax.measured.text import read_pattern
from xrdjax.run import add_network_flags, load_network
from xrdjax.symmetry.space_groups import space_group

# Share of the range that may be missing without a warning.
_NEGLIGIBLE = 0.005


def _classify(args: argparse.Namespace) -> str:
    """Reads and classifies the pattern; returns what is printed."""
    two_theta, intensity = read_pattern(args.pattern)
    run = load_network(args.workdir)
    grid = grid_deg(run)
    pattern = resample(two_theta, intensity, grid, args.subtract_background)
    probabilities = classify_patterns(run, pattern[None], batch_size=1)[0]
    background = "subtracted" if args.subtract_background else "kept"
    about_pattern = (
        f"{args.pattern.name}: {len(two_theta)} points from {two_theta[0]:g} to "
        f"{two_theta[-1]:g} degrees, background {background}"
    )
    about_network = (
        f"network of step {run.step} for {len(run.space_groups)} space groups, "
        f"{run.measurement.instruments.wavelengths[0]:g} angstrom, {grid[0]:g} to "
        f"{grid[-1]:g} degrees"
    )
    table = _table(most_probable(run, probabilities))
    lines = [about_pattern, about_network, "", *table]
    missing = 1 - measured_share(two_theta, grid)
    if missing > _NEGLIGIBLE:
        warning = "was not measured and counts as zero: trust the answer less"
        lines += ["", f"{missing:.0%} of the range {warning}"]
    return "\n".join(lines)


def _table(best: Sequence[tuple[int, float]]) -> list[str]:
    """Lines with probability, number, symbol and crystal system of each space group."""
    lines = ["probability  number  symbol        crystal system"]
    for number, probability in best:
        group = space_group(number)
        lines.append(
            f"{100 * probability:9.1f} %  {number:6d}  {group.hermann_mauguin:12s}  "
            f"{group.crystal_system}"
        )
    return lines


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m xrdjax.classify",
        description="The five most probable space groups of a powder pattern.",
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
        help="estimate the background and subtract it, as the network has seen none",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the five most probable space groups of one measured pattern."""
    args = _parser().parse_args(arguments)
    with exit_on_input_error():
        print(_classify(args))


if __name__ == "__main__":
    main()
