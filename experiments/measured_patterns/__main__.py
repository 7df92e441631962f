"""How well a network recognises the space groups of measured patterns.

    python -m experiments.measured_patterns --patterns=rruff_patterns.npz

takes the bundled network that has seen simulated measurements; --workdir=DIR takes that
of a run, and --calibrate writes beside its weights the confidence below which the
answers are refused. No measured pattern has any part in training. The last column is
the baseline, a constant answer: the frequencies of the training statistics.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.measured_patterns.patterns import MeasuredPatterns, read_patterns
from experiments.measured_patterns.scores import calibrate, scores
from xrdjax.checkpoints.calibration import write_calibration
from xrdjax.command_line import add_checkpoint_flag, add_measured_network_flags
from xrdjax.errors import InputError, exit_on_input_error
from xrdjax.evaluation.measured import classify_measured, prepare_pattern
from xrdjax.run import Run, load_network


def _answers(run: Run, measured: MeasuredPatterns) -> np.ndarray:
    """Probabilities [n, K] of each space group."""
    prepared = [
        prepare_pattern(run, measured.two_theta[there], np.maximum(intensity[there], 0))
        for intensity in measured.intensity
        for there in [np.isfinite(intensity)]
    ]
    return classify_measured(run, prepared)


def _table(columns: dict[str, dict[str, float]]) -> str:
    """Markdown: a row for each score, a column for each classifier."""
    names = next(iter(columns.values()))
    rows = [["", *columns], ["---", *["---:"] * len(columns)]]
    for name in names:
        values = [scores[name] for scores in columns.values()]
        rows.append([name, *(f"{value:.4g}" for value in values)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _report(path: Path, run: Run, calibrated: Path | None) -> str:
    """The table of a file; a folder to be calibrated gets its calibration, too."""
    measured = read_patterns(path)
    truth = measured.space_groups, measured.minerals
    answers = _answers(run, measured)
    if calibrated is not None:
        found = calibrate(answers, run.space_groups, *truth, run.step, path.name)
        write_calibration(calibrated, found)
    baseline = np.tile(run.statistics.frequencies, (len(measured.intensity), 1))
    columns = {
        f"network of step {run.step}": answers,
        "baseline": baseline,
    }
    counted = {name: scores(p, run.space_groups, *truth) for name, p in columns.items()}
    return f"{path.name}\n\n{_table(counted)}\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a table for each file."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.measured_patterns",
        description=__doc__.splitlines()[0],
        allow_abbrev=False,
    )
    parser.add_argument("--patterns", type=Path, required=True, nargs="+")
    add_measured_network_flags(parser)
    add_checkpoint_flag(parser)
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="write calibration.json beside the network's weights, from the one file "
        "of patterns",
    )
    given = parser.parse_args(arguments)
    with exit_on_input_error():
        if given.calibrate and len(given.patterns) != 1:
            raise InputError(
                f"--calibrate has {len(given.patterns)} files of patterns, expected "
                "one: give that of the most patterns"
            )
        run = load_network(given.workdir, given.checkpoint)
        for path in given.patterns:
            print(_report(path, run, given.workdir if given.calibrate else None))


if __name__ == "__main__":
    main()
