"""What a run survives: kills at any moment, requests to stop, bad numbers, no room."""

import itertools
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from contextlib import closing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_run
from repository import ROOT
from tiny_run import draw, tiny_config

from xrdjax.checkpoints import writer as checkpoints
from xrdjax.errors import InputError
from xrdjax.training.log import MetricsLog
from xrdjax.training.loop import _stop_if_stuck, train


def _start(workdir, cache):
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tests/tiny_run.py"), str(workdir), str(cache)],
        env={**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(process):
    _, messages = process.communicate(timeout=120)
    assert process.returncode == 0, messages


def _kill_when(process, ready):
    while not ready():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def _history(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    metrics = [json.loads(line) for line in lines]
    for line in metrics:
        del line["diffractograms_per_second"]
    return metrics


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Of all runs here but one, with a folder where they find the program compiled."""
    cache = tmp_path_factory.mktemp("cache")
    yield tiny_config(compilation_cache=str(cache), **tiny_run.STEPS)
    tiny_run.forget_compilation_cache()


@pytest.fixture(scope="module")
def unbroken(config, tmp_path_factory):
    """Folder and last state of a run that nothing happened to."""
    workdir = tmp_path_factory.mktemp("unbroken") / "run"
    return workdir, train(config, workdir, draw)


def _assert_as_unbroken(workdir, params, unbroken):
    jax.tree.map(np.testing.assert_array_equal, params, unbroken[1].params)
    assert _history(workdir) == _history(unbroken[0])


def test_kills_at_any_moment_change_nothing_of_what_a_run_ends_with(
    unbroken, config, tmp_path
):
    workdir = tmp_path / "run"
    folder = workdir / "checkpoints"

    def names():
        return [path.name for path in folder.glob("*")]

    def has_done(steps):
        return any(name.isdecimal() and int(name) >= steps for name in names())

    def is_writing():
        return has_done(2) and any("tmp" in name for name in names())

    def moments_after_step_7():
        yield from iter(lambda: has_done(7), True)
        end = time.monotonic() + random.Random(0).uniform(0.0, 0.2)
        yield from iter(lambda: time.monotonic() > end, True)

    moments = moments_after_step_7()
    cache = config.compilation_cache
    _kill_when(_start(workdir, cache), is_writing)
    _kill_when(_start(workdir, cache), lambda: next(moments, True))
    assert not has_done(16)
    _finish(_start(workdir, cache))
    assert max(int(name) for name in names()) == 16
    target = {"params": unbroken[1].params}
    step, items = checkpoints.restore(workdir, target)
    assert step == 16
    _assert_as_unbroken(workdir, items["params"], unbroken)


@pytest.mark.parametrize("step", [8, 10])
def test_sigterm_finishes_the_call_saves_and_exits_with_status_0(
    unbroken, config, tmp_path, capsys, monkeypatch, step
):
    write = MetricsLog.write

    def write_and_signal(log, written, metrics):
        write(log, written, metrics)
        if written == step:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(MetricsLog, "write", write_and_signal)
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as exit_:
        train(config, tmp_path, draw)
    monkeypatch.undo()
    assert exit_.value.code == 0
    assert signal.getsignal(signal.SIGTERM) is handler
    assert f"stopped at step {step} of 16, as SIGTERM asked: the same command goes" in (
        capsys.readouterr().err
    )
    newest = max(int(path.name) for path in (tmp_path / "checkpoints").iterdir())
    assert newest == step
    _assert_as_unbroken(tmp_path, train(config, tmp_path, draw).params, unbroken)


def test_sigterm_during_the_last_call_leaves_the_report_for_later(
    unbroken, config, tmp_path
):
    def validate(params):
        os.kill(os.getpid(), signal.SIGTERM)
        return 0.5

    once = config.copy_and_resolve_references()
    once.checkpoint_every = 16
    with pytest.raises(SystemExit):
        train(once, tmp_path, draw, validate)
    params = checkpoints.restore(tmp_path, {"params": unbroken[1].params}, "best")
    jax.tree.map(np.testing.assert_array_equal, params[1]["params"], unbroken[1].params)


def _sometimes_broken(key, tables, batch_size):
    """Infinite patterns for some of the keys."""
    patterns, labels, counts = draw(key, tables, batch_size)
    return jnp.where(_is_broken(key), jnp.inf, patterns), labels, counts


def _is_broken(key):
    return jax.random.uniform(jax.random.fold_in(key, 7)) < 0.3


def test_many_skipped_steps_stop_the_run_with_the_step_and_key_that_do_it_again(
    tmp_path,
):
    config = tiny_config(
        max_skipped_steps=2,
        steps=200,
        steps_per_call=10,
        checkpoint_every=100,
        **{"evaluation.validation": 0},
    )
    with pytest.raises(InputError, match="not finite in 2 steps in a row") as error:
        train(config, tmp_path, _sometimes_broken)
    found = re.search(r"uint32\(\[(\d+), (\d+)\]\)\), (\d+)\)", str(error.value))
    *key, step = map(int, found.groups())
    key = jax.random.wrap_key_data(jnp.array(key, jnp.uint32))

    def broken(step):
        return bool(_is_broken(jax.random.fold_in(jax.random.fold_in(key, step), 0)))

    flags = [broken(i) for i in range(step + 2)]
    assert flags[step:] == [True, True]
    assert not any(a and b for a, b in itertools.pairwise(flags[:-1]))


def test_skipped_steps_in_a_row_are_counted_over_calls():
    def count(skipped, before):
        return _stop_if_stuck(np.array(skipped), before, 100, [1, 2], 4, 1)

    assert count([True, False, True], before=2) == 1
    assert count([True, True], before=1) == 3
    assert count([False, False], before=3) == 0
    with pytest.raises(
        InputError, match=r"from step 98 on, .*uint32\(\[1, 2\]\)\), 98"
    ):
        count([True, True], before=2)


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
