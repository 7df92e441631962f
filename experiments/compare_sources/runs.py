"""Trains and tests the runs of a comparison, some at once, each on its own cores."""

import concurrent.futures
import json
import os
import queue
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments.compare_sources.jobs import Comparison, Job
from experiments.compare_sources.processes import Execute
from xrdjax.config import CONFIG_FILE
from xrdjax.errors import InputError
from xrdjax.training.log import METRICS_FILE

ANALYSES = "crystals.npz"
TEST = "test.json"


def _require_success(status: int, log: Path) -> None:
    if status:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "no message")
        raise InputError(f"{last.strip()} (status {status}; all of it is in {log})")


def make_statistics(
    comparison: Comparison, splits: Sequence[str], execute: Execute
) -> None:
    """Computes the statistics of the splits, and stores the analyses the first time."""
    out = comparison.out
    kept = out / ANALYSES
    for split in splits:
        statistics = out / f"statistics_{split}.npz"
        if statistics.exists() and kept.exists():
            continue
        source = kept if kept.exists() else comparison.crystals
        command = ["xrdjax.statistics", f"--crystals={source}", f"--split={split}"]
        command += [f"--out={statistics}", "--overwrite", *comparison.config.statistics]
        if source != kept:
            command.append(f"--analyses={kept}")
        log = out / f"statistics_{split}.log"
        _require_success(execute(command, log, None), log)


def _require_finished(workdir: Path) -> None:
    """Refuses an unfinished run: one that was stopped also ends with status 0."""
    steps = json.loads((workdir / CONFIG_FILE).read_text(encoding="utf-8"))["steps"]
    lines = (workdir / METRICS_FILE).read_text(encoding="utf-8").splitlines()
    step = json.loads(lines[-1])["step"]
    if step < steps:
        raise InputError(
            f"it was stopped at step {step} of {steps}: the same command resumes it"
        )


def train_and_test(
    job: Job, comparison: Comparison, cores: set[int] | None, execute: Execute
) -> None:
    """Trains and tests one run, unless it is finished.

    Raises:
        InputError: the training or the test failed; the message has its last line.
    """
    workdir = comparison.out / job.name
    if (workdir / TEST).exists():
        return
    workdir.mkdir(exist_ok=True)
    log, analyses = workdir / "log.txt", comparison.out / ANALYSES
    training = [
        "xrdjax.main",
        f"--workdir={workdir}",
        "--noreport",  # the test is the report
        *comparison.flags_of(job),
        f"--config.statistics={comparison.out / f'statistics_{job.split}.npz'}",
        f"--config.crystals={analyses}",
    ]
    _require_success(execute(training, log, cores), log)
    _require_finished(workdir)
    testing = ["xrdjax.evaluate", f"--workdir={workdir}", "--checkpoint=best"]
    testing += ["--split=test", f"--crystals={analyses}"]
    testing += [f"--out={workdir / TEST}", "--overwrite"]
    _require_success(execute(testing, log, cores), log)


def _shares_of_cores(parallel: int) -> queue.SimpleQueue[set[int] | None]:
    """Cores for each of the simultaneous runs; None where they are not divided."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    shares: queue.SimpleQueue[set[int] | None] = queue.SimpleQueue()
    for i in range(parallel):
        shares.put(set(cores[i::parallel]) or None if parallel > 1 else None)
    return shares


def run_all(
    jobs: Sequence[Job], parallel: int, run: Callable[[Job, set[int] | None], None]
) -> dict[str, str]:
    """Runs jobs, some at once; one that fails does not stop the others.

    Args:
        jobs: to run.
        parallel: number of simultaneous runs, each on its share of the cores.
        run: runs one job on some cores.

    Returns:
        The errors, by name of the job.
    """
    shares = _shares_of_cores(parallel)
    failures = {}

    def work(job: Job) -> None:
        share = shares.get()
        try:
            print(f"{job.name} ...", flush=True)
            run(job, share)
            print(f"{job.name} is done", flush=True)
        except InputError as error:
            failures[job.name] = str(error)
        finally:
            shares.put(share)

    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        list(pool.map(work, jobs))
    return failures
