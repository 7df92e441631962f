"""The most probable space groups of measured patterns, printed."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from xrdjax.errors import InputError
from xrdjax.evaluation.classes import describe_sums, sum_probabilities
from xrdjax.evaluation.measured import prepare_pattern, reads_recorded
from xrdjax.evaluation.predict import classify_patterns, grid_deg, most_probable
from xrdjax.instrument.radiation import parse_wavelength
from xrdjax.measured.pattern import MeasuredPattern
from xrdjax.measured.reader import read_pattern
from xrdjax.run import Run, load_network
from xrdjax.symmetry.space_groups import space_group

# Probability below which an answer is more likely wrong than right.
_LEAST_SURE = 0.5
# Share of the range that may be missing without a warning.
_NEGLIGIBLE = 0.005


def _classify(path: Path, run: Run, args: argparse.Namespace) -> str:
    """Reads and classifies one pattern; returns what is printed."""
    measured = read_pattern(path, args.scan)
    two_theta, wavelength = measured.two_theta_deg, _wavelength(measured, args)
    prepared = prepare_pattern(
        run, two_theta, measured.intensity, wavelength, args.subtract_background
    )
    probabilities = classify_patterns(
        run, prepared.pattern[None], batch_size=1, masks=prepared.mask[None]
    )
    sums = sum_probabilities(probabilities, run.space_groups)
    about_pattern = (
        f"{path.name}: {len(two_theta)} points from {two_theta[0]:g} to "
        f"{two_theta[-1]:g} degrees, {_about_background(run, args)}"
    )
    about = about_pattern, _about_wavelength(run, measured, args), _about_network(run)
    table = _table(most_probable(run, probabilities[0]))
    lines = [*about, *measured.notes, "", *table, "", *describe_sums(sums)]
    if probabilities.max() < _LEAST_SURE:
        lines += ["", "not sure: the first answer is more likely wrong than right"]
    if 1 - prepared.share > _NEGLIGIBLE:
        lines += ["", _about_range(run, 1 - prepared.share)]
    return "\n".join(lines)


def _about_background(run: Run, args: argparse.Namespace) -> str:
    if reads_recorded(run) or args.subtract_background:
        return "background subtracted"
    return "background kept"


def _wavelength(measured: MeasuredPattern, args: argparse.Namespace) -> float | None:
    """That of the flag or of the file, angstrom; None if neither states it."""
    if args.wavelength is not None:
        return parse_wavelength(args.wavelength)
    return measured.wavelengths[0] if measured.wavelengths else None


def _about_wavelength(
    run: Run, measured: MeasuredPattern, args: argparse.Namespace
) -> str:
    wavelength = _wavelength(measured, args)
    if wavelength is None:
        known = run.measurement.instruments.wavelengths[0]
        return (
            f"wavelength {known:g} angstrom, which is assumed: name another one with "
            "--wavelength"
        )
    whence = "as given" if args.wavelength is not None else "as the file states"
    return f"wavelength {wavelength:g} angstrom, {whence}"


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


def classify(args: argparse.Namespace) -> None:
    """Prints the answer to each file; those that cannot be read are named at the end.

    Raises:
        InputError: some of them could not be classified.
    """
    run = load_network(args.workdir)
    failures = []
    for number, path in enumerate(args.pattern):
        try:
            answer = _classify(path, run, args)
        except InputError as error:
            failures.append(str(error))
            continue
        print(answer if number == 0 else f"\n{answer}", flush=True)
    if failures:
        raise InputError("; ".join(failures))
