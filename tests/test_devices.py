"""Runs on several devices and in several processes, each in processes of its own."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from xrdjax import devices
from xrdjax.errors import InputError

TESTS = Path(__file__).parent
ENVIRONMENT = {
    **os.environ,
    "JAX_PLATFORMS": "cpu",
    "PYTHONPATH": str(TESTS.parent),
}


def launch(program, *arguments):
    return subprocess.Popen(
        [sys.executable, str(TESTS / program), *map(str, arguments)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """Standard output of a process that ends well."""
    try:
        out, error = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0, error
    return out


def free_port():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def one_process(folder):
    """What a process with four devices leaves after 100 steps."""
    finish(launch("shared_run.py", folder / "one", 4))
    return np.load(folder / "one.0.npz")


@pytest.fixture(scope="module")
def two_processes(folder):
    """What two processes with two devices each leave; and what the second prints."""
    address = f"localhost:{free_port()}"
    started = [
        launch("shared_run.py", folder / "two", 2, address, 2, number)
        for number in (0, 1)
    ]
    try:
        printed = [finish(process) for process in started]
    finally:
        for process in started:
            process.kill()
    found = [np.load(folder / f"two.{number}.npz") for number in (0, 1)]
    return found, printed


def parameters(saved):
    return {name: saved[name] for name in saved.files if name.startswith("arr_")}


def test_two_processes_agree_on_parameters_after_100_steps(two_processes):
    (first, second), _ = two_processes
    assert first["step"] == second["step"] == 100
    assert first["devices"] == second["devices"] == 4
    assert len(parameters(first)) == 2  # weights and biases
    for name, value in parameters(first).items():
        np.testing.assert_array_equal(second[name], value)


def test_two_processes_of_two_devices_train_as_one_process_of_four(
    one_process, two_processes
):
    first = two_processes[0][0]
    assert one_process["devices"] == 4
    for name, value in parameters(one_process).items():
        np.testing.assert_allclose(first[name], value, atol=1e-3)


def test_an_evaluation_by_two_processes_counts_each_crystal_once(
    folder, one_process, two_processes
):
    one, two = (
        json.loads((folder / name / "report.json").read_text())["sets"]
        for name in ("one", "two")
    )
    assert two["synthetic"]["score"]["top1"]["count"] == 27
    assert two["synthetic"]["generator"] == one["synthetic"]["generator"]
    assert two["synthetic"]["generator"]["sampled"] == 28  # seven batches of four
    assert two["gallery"]["score"]["top1"]["count"] > 2
    for part in ("synthetic", "gallery"):
        for figure in ("top1", "top5"):
            assert two[part]["score"][figure] == one[part]["score"][figure]


def test_only_the_first_process_speaks_and_writes(folder, two_processes):
    _, (first, second) = two_processes
    assert "report:" in first
    assert "report" not in second
    lines = (folder / "two/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [50, 100]
    assert len(list((folder / "two/tensorboard").iterdir())) == 1


def test_all_processes_end_when_the_first_cannot_go_on(two_processes):
    (first, second), _ = two_processes
    assert str(first["refused"]) == "the disk is full"
    assert str(second["refused"]) == "process 0 stopped: see its message"


def test_all_processes_know_what_one_of_them_was_asked(two_processes):
    for found in two_processes[0]:
        assert found["any"].tolist() == [True, False]


def test_a_process_without_work_takes_part_in_gathering_it(two_processes):
    for found in two_processes[0]:
        np.testing.assert_array_equal(found["gathered"], [[7.0, 7.0]])


def test_a_batch_means_the_same_on_one_two_and_eight_devices():
    assert finish(launch("shared_batch.py")) == "done\n"


@pytest.mark.parametrize(("count", "unit"), [(0, 4), (1, 4), (27, 4), (12, 1)])
def test_shares_are_in_order_and_cover_every_row_once(monkeypatch, count, unit):
    for processes in (1, 2, 3, 7, 20):
        monkeypatch.setattr(jax, "process_count", lambda processes=processes: processes)
        rows = []
        for number in range(processes):
            monkeypatch.setattr(jax, "process_index", lambda number=number: number)
            share = devices.share_of_process(count, unit)
            assert share.start % unit == 0 or len(share) == 0
            rows.extend(share)
        assert rows == list(range(count))


@pytest.fixture
def initialized(monkeypatch):
    """Arguments that jax.distributed.initialize is called with."""
    calls = []
    monkeypatch.setattr(
        jax.distributed, "initialize", lambda **them: calls.append(them)
    )
    return calls


def test_a_run_of_one_process_starts_no_others(initialized):
    devices.start()
    assert initialized == []


def test_a_cluster_gives_all_settings(initialized):
    devices.start("auto")
    assert initialized == [{}]


def test_flags_state_where_the_first_process_is(initialized):
    devices.start("off", "node1:7000", 4, 0)
    [arguments] = initialized
    assert arguments == {
        "coordinator_address": "node1:7000",
        "num_processes": 4,
        "process_id": 0,
        "cluster_detection_method": "deactivate",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("node1:7000", None, 0), "num_processes is missing: .* need all of"),
        ((None, 2, 0), "coordinator_address is missing"),
        (("node1:7000", 2, 2), "process_id is 2, expected a number from 0 to .* is 1"),
        (("node1:7000", 2, -1), "process_id is -1"),
        (("node1", 2, 0), "coordinator_address is 'node1', expected host:port"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(initialized, arguments, message):
    with pytest.raises(InputError, match=message):
        devices.start("off", *arguments)
    assert initialized == []


def test_auto_without_a_cluster_is_refused(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("SLURM_", "OMPI_", "JAX_COORDINATOR")):
            monkeypatch.delenv(name)
    with pytest.raises(InputError, match="'auto', but no cluster was found: start"):
        devices.start("auto")
