"""Space group of a measured powder pattern.

python -m xrdjax.classify --workdir=DIR --pattern=FILE.xy
"""

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Array, Float

from xrdjax.checkpoints import Run, load_run
from xrdjax.crystals.space_groups import space_group
from xrdjax.errors import InputError, exit_on_input_error
from xrdjax.models.preprocess import preprocess
from xrdjax.patterns import read_pattern, resample


@functools.partial(jax.jit, static_argnames=("model",))
def _probabilities(model, params, patterns: Float[Array, "B T"]):
    logits = model.apply({"params": params}, preprocess(patterns))
    return jax.nn.softmax(logits.astype(np.float32))


def classify(
    run: Run, patterns: Float[np.ndarray, "n T"], batch_size: int = 128
) -> Float[np.ndarray, "n K"]:
    """Probability of each space group of a run, for each pattern.

    Args:
        run: a trained network; columns of the result follow `run.space_groups`.
        patterns: [n, T] on the run's grid, divided by their maximum.
        batch_size: patterns at once; a last, smaller batch is filled up, so that
            the network is compiled once.

    Raises:
        InputError: the patterns are not on the run's grid, or they or the network's
            answers are not finite.
    """
    points = run.config.points
    if patterns.ndim != 2 or patterns.shape[1] != points:
        raise InputError(
            f"the patterns have shape {patterns.shape}, expected (any, {points}): "
            f"resample them on the run's grid of {points} points"
        )
    if not np.isfinite(patterns).all():
        raise InputError(
            "the patterns hold values that are not finite: remove these patterns"
        )
    answers = [np.zeros((0, len(run.space_groups)), np.float32)]
    for start in range(0, len(patterns), batch_size):
        batch = np.asarray(patterns[start : start + batch_size], np.float32)
        padding = ((0, batch_size - len(batch)), (0, 0))
        answer = _probabilities(run.model, run.params, np.pad(batch, padding))
        answers.append(np.asarray(answer)[: len(batch)])
    probabilities = np.concatenate(answers)
    if not np.isfinite(probabilities).all():
        raise InputError(
            f"the network of step {run.step} answers with numbers that are not finite: "
            "its training has diverged, start it again with a lower learning rate"
        )
    return probabilities


def grid_deg(run: Run) -> Float[np.ndarray, " T"]:
    """Two theta of the points that a run's network reads, degrees."""
    config = run.config
    return np.linspace(
        config.two_theta_min_deg, config.two_theta_max_deg, config.points
    )


def most_probable(
    run: Run, probabilities: Float[np.ndarray, " K"], count: int = 5
) -> list[tuple[int, float]]:
    """Number and probability of the most probable space groups, best first."""
    order = np.argsort(-probabilities, kind="stable")[:count]
    return [(int(run.space_groups[i]), float(probabilities[i])) for i in order]


def _answer(arguments: argparse.Namespace) -> str:
    two_theta, intensity = read_pattern(arguments.pattern)
    run = load_run(arguments.workdir)
    grid = grid_deg(run)
    pattern = resample(two_theta, intensity, grid, arguments.subtract_background)
    best = most_probable(run, classify(run, pattern[None], batch_size=1)[0])
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
    if two_theta[0] > grid[0] or two_theta[-1] < grid[-1]:
        lines += ["", "What was not measured counts as zero: trust the answer less."]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the five most probable space groups of one measured pattern."""
    parser = argparse.ArgumentParser(
        prog="python -m xrdjax.classify",
        description="Names the five most probable space groups of a powder pattern.",
    )
    parser.add_argument(
        "--workdir", type=Path, required=True, help="work directory of a training run"
    )
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
