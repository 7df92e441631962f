"""The command that ranks the space groups of a measured pattern."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from coded_patterns import reading_run, row_of

from xrdjax import classify as command_line


@pytest.fixture
def run():
    """Its network reads the space group off the place of the peak."""
    return dataclasses.replace(reading_run(), params=jnp.float32(9))


@pytest.fixture
def measured(run, tmp_path):
    """A pattern on another grid, with the peak of P n m a on a background."""
    two_theta = np.arange(4.0, 95.0, 0.02)
    place = run.measurement.grid.two_theta_deg[row_of(62)]
    peak = 900 * np.exp(-0.5 * ((two_theta - place) / 0.1) ** 2)
    path = tmp_path / "mineral.xy"
    np.savetxt(path, np.stack([two_theta, peak + 50], axis=1))
    return path


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
    table = lines[first + 1 : first + 6]
    assert lines[first + 6] == ""
    classes = dict(line.split(maxsplit=2)[::2] for line in lines[first + 7 :])
    assert list(classes) == ["extinction", "Bravais", "centring", "Laue", "crystal"]
    assert "P n m a" in table[0] and "orthorhombic" in table[0]
    shares = [float(line.split()[0]) for line in table]
    assert shares == sorted(shares, reverse=True) and shares[0] > 5 * shares[1]


def test_the_background_is_subtracted_by_default(run, measured, monkeypatch, capsys):
    def first_share(*flags):
        command(monkeypatch, run, "--workdir=x", f"--pattern={measured}", *flags)
        lines = capsys.readouterr().out.splitlines()
        first = next(i for i, line in enumerate(lines) if "probability" in line)
        return float(lines[first + 1].split()[0])

    # on a background, the other points are not zero, so the answer is less sure
    assert first_share() > first_share("--no-subtract_background")


def test_a_pattern_with_gaps_is_classified_with_a_warning(
    run, measured, monkeypatch, capsys
):
    rows = np.loadtxt(measured)
    np.savetxt(measured, rows[rows[:, 0] < 74.7])
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
