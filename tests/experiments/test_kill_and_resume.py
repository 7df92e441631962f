"""The state of a killed run, and the comparison of two final states."""

import json
import shutil
import sys

import pytest

from experiments.kill_and_resume.__main__ import main
from experiments.kill_and_resume.kills import kill_once
from experiments.kill_and_resume.runs import differences, finish, history
from xrdjax.errors import InputError

# Writes what a run leaves: a line of metrics, a checkpoint, and half of another.
PROGRAM = """
import json, pathlib, sys, time
workdir = pathlib.Path(sys.argv[1])
(workdir / "checkpoints" / "10").mkdir(parents=True)
lines = [json.dumps({"step": n, "patterns_per_second": time.time()}) for n in (5, 10)]
(workdir / "metrics.jsonl").write_text("\\n".join(lines) + "\\n" + lines[1][:9])
time.sleep(0.2)
(workdir / "checkpoints" / "20.partly").mkdir()
time.sleep(60)
"""


def test_a_kill_waits_for_its_moment_and_records_what_it_meets(tmp_path):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    kill = kill_once(command, tmp_path, step=10, delay=0.0, writing=True)
    assert vars(kill) == {"step": 10, "checkpoint": 10, "writing": True}
    # without the speed, and without the line that was cut
    assert history(tmp_path) == [{"step": 5}, {"step": 10}]


def test_a_run_that_fails_is_reported_with_its_message():
    with pytest.raises(InputError, match="ended with 3: no luck"):
        finish(
            [
                sys.executable,
                "-c",
                "import sys; print('no luck', file=sys.stderr); exit(3)",
            ]
        )


@pytest.fixture(scope="module")
def workdir(save_run, tmp_path_factory):
    folder = save_run(tmp_path_factory.mktemp("run"))
    line = {"step": 14, "loss": 0.5, "patterns_per_second": 100.0}
    (folder / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    return folder


def test_runs_with_the_same_end_do_not_differ_whatever_their_speed(workdir, tmp_path):
    other = shutil.copytree(workdir, tmp_path / "other")
    metrics = (other / "metrics.jsonl").read_text()
    (other / "metrics.jsonl").write_text(metrics.replace("100.0", "50.0"))
    assert differences(workdir, other) == []


def test_another_end_is_described(workdir, save_run, tmp_path):
    other = save_run(tmp_path / "other", seed=1)
    (other / "metrics.jsonl").write_text('{"step": 14, "loss": 0.6}\n')
    assert differences(workdir, other) == [
        "parameters of the newest checkpoint",
        "parameters of the best checkpoint",
        "metrics",
    ]


@pytest.mark.parametrize("flag", ["--kills=0", "--out={}"])
def test_bad_flags_are_one_sentence(tmp_path, capsys, flag):
    with pytest.raises(SystemExit) as end:
        main([f"--out={tmp_path / 'new'}", flag.format(tmp_path)])
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("error: ")
