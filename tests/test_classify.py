from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from xrdjax import classify as command_line
from xrdjax.checkpoints.writer import Run
from xrdjax.errors import InputError
from xrdjax.evaluation.predict import classify_patterns, most_probable

GROUPS = np.array([2, 14, 62, 166, 194, 225])
POINTS = 851


class Reader:
    """Stands in for a network: sees which sixth of the range is highest.

    Attributes:
        shapes: of the inputs that it was compiled for.
    """

    def __init__(self):
        self.shapes = []

    def apply(self, variables, inputs):
        self.shapes.append(inputs.shape)
        sixths = jnp.stack(jnp.array_split(inputs[:, :846], 6, axis=1), axis=1)
        return variables["params"] * sixths.max(axis=2)


@pytest.fixture
def run():
    config = SimpleNamespace(
        points=POINTS,
        two_theta_min_deg=5.0,
        two_theta_max_deg=90.0,
        wavelength=1.5406,
        crystallite_size_nm=(20.0, 100.0),
        max_volume=7000.0,
    )
    return Run(config, Reader(), jnp.float32(9), None, 40, GROUPS)


def patterns_of(rows):
    patterns = np.zeros((len(rows), POINTS), np.float32)
    patterns[np.arange(len(rows)), 141 * np.asarray(rows) + 70] = 1
    return patterns


@pytest.fixture
def measured(tmp_path):
    """A pattern on another grid with a peak in the third sixth, on a background."""
    two_theta = np.arange(4.0, 95.0, 0.02)
    peak = 900 * np.exp(-0.5 * ((two_theta - 40.3) / 0.1) ** 2)
    path = tmp_path / "mineral.xy"
    np.savetxt(path, np.stack([two_theta, peak + 50], axis=1))
    return path


def test_probabilities_add_up_and_follow_the_patterns(run):
    rows = [3, 0, 5, 5, 1, 2, 4]
    probabilities = classify_patterns(run, patterns_of(rows), batch_size=3)
    assert probabilities.shape == (7, 6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert probabilities.argmax(axis=1).tolist() == rows


def test_the_batch_size_changes_nothing_and_the_network_compiles_once(run):
    patterns = patterns_of([3, 0, 5, 5, 1])
    whole = classify_patterns(run, patterns, batch_size=5)
    run.model.shapes.clear()
    parts = classify_patterns(run, patterns, batch_size=2)
    np.testing.assert_allclose(parts, whole, rtol=1e-6)
    assert run.model.shapes == [(2, POINTS)]


def test_no_patterns_give_no_probabilities(run):
    assert classify_patterns(run, np.zeros((0, POINTS), np.float32)).shape == (0, 6)


def test_patterns_on_another_grid_are_refused(run):
    with pytest.raises(InputError, match="grid of 851 points"):
        classify_patterns(run, np.zeros((2, 500), np.float32))


def test_patterns_that_are_not_finite_are_refused(run):
    with pytest.raises(InputError, match="patterns hold"):
        classify_patterns(run, np.full((2, POINTS), np.nan, np.float32))


def test_a_network_that_diverged_is_named(run):
    broken = Run(run.config, run.model, jnp.float32(jnp.nan), None, 40, GROUPS)
    with pytest.raises(InputError, match="diverged"):
        classify_patterns(broken, patterns_of([1]))


def test_the_most_probable_come_first(run):
    best = most_probable(run, np.array([0.1, 0.5, 0.05, 0.2, 0.15, 0.0]), 3)
    assert best == [(14, 0.5), (166, 0.2), (194, 0.15)]


def command(monkeypatch, run, *arguments):
    monkeypatch.setattr(command_line, "load_network", lambda workdir: run)
    try:
        command_line.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code
    return 0


def test_the_command_prints_five_groups_with_symbols_and_systems(
    run, measured, monkeypatch, capsys
):
    assert command(monkeypatch, run, "--workdir=x", f"--pattern={measured}") == 0
    lines = capsys.readouterr().out.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("probability"))
    table = lines[first + 1 :]
    assert len(table) == 5  # and no warning after it
    assert "P n m a" in table[0] and "orthorhombic" in table[0]
    shares = [float(line.split()[0]) for line in table]
    assert shares == sorted(shares, reverse=True) and shares[0] > 50


def test_the_background_is_subtracted_unless_told_otherwise(
    run, measured, monkeypatch, capsys
):
    def first_share(*flags):
        command(monkeypatch, run, "--workdir=x", f"--pattern={measured}", *flags)
        lines = capsys.readouterr().out.splitlines()
        return float(lines[-5].split()[0])

    # On a background, the other sixths are not zero, so the answer is less sure.
    assert first_share() > first_share("--no-subtract_background")


def test_a_pattern_with_gaps_is_classified_with_a_warning(
    run, measured, monkeypatch, capsys
):
    rows = np.loadtxt(measured)
    np.savetxt(measured, rows[rows[:, 0] > 20])
    assert command(monkeypatch, run, "--workdir=x", f"--pattern={measured}") == 0
    assert "18% of the range was not measured" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ("--workdir=x",),
        ("--workdir=x", "--pattern=nowhere.xy"),
        ("--workdir=x", "--pattern=nowhere.xy", "--colour=red"),
    ],
)
def test_bad_input_ends_with_status_2_and_no_traceback(
    run, monkeypatch, capsys, arguments
):
    assert command(monkeypatch, run, *arguments) == 2
    error = capsys.readouterr().err
    assert "error: " in error and "Traceback" not in error


def test_a_work_directory_without_a_run_is_named(measured, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        command_line.main([f"--workdir={tmp_path}", f"--pattern={measured}"])
    assert end.value.code == 2
    assert str(tmp_path) in capsys.readouterr().err
