"""The command that ranks the space groups of a measured pattern."""

import csv
import dataclasses
import json
import os
import re

import jax.numpy as jnp
import numpy as np
import pytest
from coded_patterns import reading_run, row_of

from xrdjax import classify as command_line
from xrdjax.checkpoints.calibration import Calibration
from xrdjax.commands import classify as work


@pytest.fixture
def run():
    """Its network reads the space group off the place of the peak."""
    return dataclasses.replace(reading_run(), params=jnp.float32(9))


@pytest.fixture
def measured(run, tmp_path):
    """A pattern on another grid, with the peak of P n m a on a background.

    Another peak is beyond the points that the network reads.
    """
    two_theta = np.arange(4.0, 95.0, 0.02)
    place = run.measurement.grid.two_theta_deg[row_of(62)]
    peak = 900 * np.exp(-0.5 * ((two_theta - place) / 0.1) ** 2)
    path = tmp_path / "mineral.xy"
    peak += 90 * np.exp(-0.5 * ((two_theta - 60) / 0.1) ** 2)
    np.savetxt(path, np.stack([two_theta, peak + 50], axis=1))
    return path


def command(monkeypatch, run, *arguments):
    monkeypatch.setattr(work, "load_network", lambda workdir: run)
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
    classes = [line.split()[0] for line in lines[first + 7 : first + 12]]
    assert classes == ["extinction", "Bravais", "centring", "Laue", "crystal"]
    notes = " ".join(lines[first + 13 :])
    assert "1.5406 angstrom is assumed" in notes and "86 of the 230" in notes
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
    assert "18 % of the range was not measured" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ("--workdir=x",),
        ("--workdir=x", "--pattern=nowhere.xy"),
        ("--workdir=x", "--pattern=nowhere.xy", "--colour=red"),
        ("--workdir=x", "--pattern=nowhere.xy", "--out=answers.txt"),
        ("--workdir=x", "--pattern=nowhere.xy", "--out=/nowhere/answers.csv"),
        ("--workdir=x", "--pattern=nowhere.xy", "--png"),
        ("--workdir=x", "--pattern=nowhere.xy", "--wavelength=Zz"),
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


def test_below_the_stored_confidence_the_answer_is_that_the_pattern_does_not_tell(
    run, measured, monkeypatch, capsys
):
    for threshold, refuses in ((1.0, True), (0.0, False)):
        counted = Calibration(40, threshold, 423, "patterns.npz", 0.4, 0.5, 0.7)
        calibrated = dataclasses.replace(run, calibration=counted)
        command(monkeypatch, calibrated, "--workdir=x", f"--pattern={measured}")
        printed = capsys.readouterr().out
        assert ("cannot tell: the first answer has" in printed) == refuses
        assert "never counted" not in printed


@pytest.fixture
def folder(measured):
    """With the pattern twice, one that cannot be read, a pipe and a hidden file."""
    (measured.parent / "below").mkdir()
    (measured.parent / "below" / measured.name).write_text(measured.read_text())
    (measured.parent / "broken.xy").write_text("1 2\n3\n")
    (measured.parent / ".hidden.xy").write_text("none")
    os.mkfifo(measured.parent / "pipe.xy")
    return measured.parent


def test_of_many_files_the_bad_ones_are_named_at_the_end_and_the_rest_done(
    run, folder, monkeypatch, capsys, tmp_path_factory
):
    out = tmp_path_factory.mktemp("out")
    for name in ("answers.json", "answers.csv"):
        flags = f"--out={out / name}", f"--report={out / name}.pages", "--png"
        patterns = folder, folder / "none*.xy", folder / "pipe.xy"
        code = command(monkeypatch, run, "--workdir=x", "--pattern", *patterns, *flags)
        assert code == 2
        printed, errors = capsys.readouterr()
        assert printed.count("P n m a") == 2
        assert "3 of 5 files could not be classified" in errors
        assert all(word in errors for word in ("broken.xy", "none*.xy", "pipe.xy"))
        pages = sorted(path.name for path in (out / f"{name}.pages").iterdir())
        names = "mineral.xy", "mineral.xy-2"
        assert pages == sorted(f"{n}.{end}" for n in names for end in ("html", "png"))
    records = json.loads((out / "answers.json").read_text())
    read = [record for record in records if record["status"] != "not read"]
    assert [record["space_groups"][0]["number"] for record in read] == [62, 62]
    assert read[0]["wavelength_origin"] == "assumed" and read[0]["points"] == 4550
    with (out / "answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["space_group_1"] for row in rows if row["status"] != "not read"] == [
        "62",
        "62",
    ]
    assert len(rows) == 5
    _check_page((out / "answers.json.pages" / "mineral.xy.html").read_text())


def _check_page(page):
    """It refers to nothing outside, and says what a reader needs."""
    assert not re.search(r"https?:|src=|<link|@import|url\((?!#)", page)
    assert page.count("<svg") == 1
    assert "<i>Pnma</i> (no. 62)" in page and "1.5406" in page and "assumed" in page
    for words in ("understood", "86 of the 230", "scan axis", "not stated"):
        assert words in page


def test_outputs_that_exist_are_kept_unless_overwritten(
    run, measured, monkeypatch, capsys, tmp_path_factory
):
    out = tmp_path_factory.mktemp("out")
    (out / "pages").mkdir()
    (out / "pages" / "mine.txt").write_text("mine")
    (out / "answers.csv").write_text("mine")
    flags = f"--out={out / 'answers.csv'}", f"--report={out / 'pages'}"
    for flag in flags:
        arguments = "--workdir=x", f"--pattern={measured}", flag
        assert command(monkeypatch, run, *arguments) == 2
        assert "--overwrite" in capsys.readouterr().err
        assert command(monkeypatch, run, *arguments, "--overwrite") == 0
    assert (out / "pages" / "mine.txt").read_text() == "mine"
    assert (out / "answers.csv").read_text().startswith("file,status,space_group_1")


def test_an_output_that_is_a_pattern_is_refused(run, measured, monkeypatch, capsys):
    path = measured.rename(measured.with_suffix(".csv"))
    flags = "--workdir=x", f"--pattern={path}", f"--out={path}", "--overwrite"
    assert command(monkeypatch, run, *flags) == 2
    assert "one of the patterns" in capsys.readouterr().err
    assert path.stat().st_size > 10_000


def test_help_fits_a_screen(capsys):
    with pytest.raises(SystemExit):
        command_line.main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 40 and max(map(len, lines)) <= 80
