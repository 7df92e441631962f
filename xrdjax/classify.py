"""Ranks the space groups of a measured powder pattern.

python -m xrdjax.classify --pattern=FILE.xy

takes the bundled network that has learned from simulated measurements; --workdir=DIR
takes that of a run, --clean the bundled one for patterns without background and noise.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from xrdjax.errors import exit_on_input_error
from xrdjax.evaluation.measured import prepare_pattern, reads_recorded
from xrdjax.evaluation.predict import classify_patterns, grid_deg, most_probable
from xrdjax.measured.reader import read_pattern
from xrdjax.run import Run, add_measured_network_flags, load_network
from xrdjax.symmetry.space_groups import space_group

# Probability below which an answer is more likely wrong than right.
_LEAST_SURE = 0.5
# Share of the range that may be missing without a warning.
_NEGLIGIBLE = 0.005


def _classify(args: argparse.Namespace) -> str:
    """Reads and classifies the pattern; returns what is printed."""
    measured = read_pattern(args.pattern)
    two_theta, intensity = measured.two_theta_deg, measured.intensity
    run = load_network(args.workdir)
    prepared = prepare_pattern(
        run, two_theta, intensity, args.wavelength, args.subtract_background
    )
    probabilities = classify_patterns(
        run, prepared.pattern[None], batch_size=1, masks=prepared.mask[None]
    )[0]
    about_pattern = (
        f"{args.pattern.name}: {len(two_theta)} points from {two_theta[0]:g} to "
        f"{two_theta[-1]:g} degrees, {_about_background(run, args)}"
    )
    about = about_pattern, _about_wavelength(run, args.wavelength), _about_network(run)
    lines = [*about, "", *_table(most_probable(run, probabilities))]
    if probabilities.max() < _LEAST_SURE:
        lines += ["", "not sure: the first answer is more likely wrong than right"]
    if 1 - prepared.share > _NEGLIGIBLE:
        lines += ["", _about_range(run, 1 - prepared.share)]
    return "\n".join(lines)


def _about_background(run: Run, args: argparse.Namespace) -> str:
    if reads_recorded(run) or args.subtract_background:
        return "background subtracted"
    return "background kept"


def _about_wavelength(run: Run, wavelength: float | None) -> str:
    if wavelength is not None:
        return f"wavelength {wavelength:g} angstrom"
    known = run.measurement.instruments.wavelengths[0]
    return (
        f"wavelength {known:g} angstrom, which is assumed: name another one with "
        "--wavelength"
    )


def _about_network(run: Run) -> str:
    grid = grid_deg(run)
    seen = "simulated measurements" if reads_recorded(run) else "clean patterns"
    return (
        f"network of step {run.step} for {len(run.space_groups)} space groups, trained "
        f"on {seen} of {run.measurement.instruments.wavelengths[0]:g} angstrom, "
        f"{grid[0]:g} to {grid[-1]:g} degrees"
    )


def _about_range(run: Run, missing: float) -> str:
    if reads_recorded(run):
        return f"{missing:.0%} of the range was not measured, which the network knows"
    return (
        f"{missing:.0%} of the range was not measured and counts as zero: trust the "
        "answer less"
    )


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
    add_measured_network_flags(parser)
    parser.add_argument(
        "--pattern",
        type=Path,
        required=True,
        help="text file (.xy, .xye, .csv) with columns two theta (degrees) and "
        "intensity",
    )
    parser.add_argument(
        "--wavelength",
        type=float,
        help="of the measurement, angstrom (default: that of the network)",
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
    """Prints the five most probable space groups of one measured pattern."""
    args = _parser().parse_args(arguments)
    with exit_on_input_error():
        print(_classify(args))


if __name__ == "__main__":
    main()
