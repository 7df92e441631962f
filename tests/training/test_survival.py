"""What a run survives: kills at any moment, requests to stop, a full disk."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from contextlib import closing

import pytest
from peaks import assert_same
from repository import ROOT
from tiny_run import LONG, SOURCE, tiny_config

from xrdjax.checkpoints.reader import restore
from xrdjax.errors import InputError
from xrdjax.training.log import MetricsLog
from xrdjax.training.loop import train


def start(workdir, cache):
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tests/tiny_run.py"), str(workdir), str(cache)],
        env={**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    _, messages = process.communicate(timeout=120)
    assert process.returncode == 0, messages


def kill_when(process, ready):
    while not ready():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def history(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    metrics = [json.loads(line) for line in lines]
    for line in metrics:
        del line["patterns_per_second"]
    return metrics


def newest_params(workdir, state):
    """Step and parameters of the newest checkpoint."""
    step, items = restore(workdir, {"params": state.params})
    return step, items["params"]


def test_kills_at_any_moment_change_nothing_of_what_a_run_ends_with(tiny_run, tmp_path):
    unbroken = tmp_path / "unbroken"
    state = train(tiny_config(**LONG), unbroken, SOURCE)
    workdir = tmp_path / "run"
    folder = workdir / "checkpoints"

    def names():
        return [path.name for path in folder.glob("*")]

    def has_done(steps):
        return any(name.isdecimal() and int(name) >= steps for name in names())

    def is_writing():
        return has_done(4) and any("tmp" in name for name in names())

    def moments_after_step_8():
        yield from iter(lambda: has_done(8), True)
        end = time.monotonic() + random.Random(0).uniform(0.0, 0.2)
        yield from iter(lambda: time.monotonic() > end, True)

    moments = moments_after_step_8()
    kill_when(start(workdir, tiny_run.cache), is_writing)
    kill_when(start(workdir, tiny_run.cache), lambda: next(moments, True))
    assert not has_done(20)
    finish(start(workdir, tiny_run.cache))
    step, params = newest_params(workdir, state)
    assert step == max(int(name) for name in names()) == 20
    assert_same(params, state.params)
    assert history(workdir) == history(unbroken)


@pytest.mark.parametrize(
    ("step", "number", "status"), [(8, signal.SIGTERM, 0), (10, signal.SIGINT, 130)]
)
def test_a_signal_finishes_the_call_saves_and_ends_the_process(
    tiny_run, tmp_path, capsys, monkeypatch, step, number, status
):
    write = MetricsLog.write

    def write_and_signal(log, written, metrics):
        write(log, written, metrics)
        if written == step:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(MetricsLog, "write", write_and_signal)
    handler = signal.getsignal(number)
    with pytest.raises(SystemExit) as exit_:
        train(tiny_config(), tmp_path, SOURCE)
    monkeypatch.undo()
    assert exit_.value.code == status
    assert signal.getsignal(number) is handler
    assert (
        f"stopped by {number.name} at step {step} of 12: the same command resumes"
        in (capsys.readouterr().err)
    )
    newest = max(int(path.name) for path in (tmp_path / "checkpoints").iterdir())
    assert newest == step
    assert_same(train(tiny_config(), tmp_path, SOURCE), tiny_run.state)
    assert history(tmp_path) == history(tiny_run.workdir)


def test_sigterm_during_the_last_call_leaves_the_report_for_later(tiny_run, tmp_path):
    def validate(params):
        os.kill(os.getpid(), signal.SIGTERM)
        return 0.5

    with pytest.raises(SystemExit):
        train(tiny_config(checkpoint_every=12), tmp_path, SOURCE, validate)
    step, params = newest_params(tmp_path, tiny_run.state)
    assert step == 12
    assert_same(params, tiny_run.state.params)


# TensorBoard's file is closed for good only by the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_metrics_that_find_no_room_stop_the_run(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, before[1]))
    try:
        with (
            pytest.raises(InputError, match="cannot write to .*: make room"),
            closing(MetricsLog(tmp_path, 0)) as log,
        ):
            for step in range(1_000):
                log.write(step, {"loss": 1.0})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
