"""Trains on known crystals, on random ones and on both, and compares what is learned.

    python -m experiments.compare_sources --crystals=PATH --out=DIR

Each network learns from each source, with structure types held out and with single
crystals held out (configs/compare_sources.py says which, and how long). The checkpoint
of each run that is best on a fifth of the held-out crystals is tested on the others,
which neither statistics nor training has seen, and on fresh random ones. What is done
is not done again: the same command goes on where it was stopped. Flags such as
--config.steps=1000 hold for all runs; --runs=NAME,NAME chooses some of them.

Writes table.md, results.json, figure.png and curves.png; DIR/RUN/test.md is the report
of a run.
"""

import argparse
import concurrent.futures
import json
import os
import queue
import runpy
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import ml_collections

from experiments.compare_sources_figure import draw_comparison, draw_curves
from experiments.compare_sources_jobs import (
    Job,
    check_budget,
    chosen_jobs,
    flags_of,
    jobs_of,
    settings_of,
)
from experiments.compare_sources_table import one_result, table
from experiments.processes import Execute, Processes, ended_together
from xrdjax.config import CONFIG_FILE
from xrdjax.errors import InputError, exit_on_input_error
from xrdjax.evaluation.report import write_text

DEFAULT_CONFIG = Path(__file__).parents[1] / "configs" / "compare_sources.py"
ANALYSES = "crystals.npz"

# Fields of a run's configuration that the comparison itself sets.
_OWN_FIELDS = ("source", "statistics", "crystals")


def _must(status: int, log: Path) -> None:
    if status:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "no message")
        raise InputError(f"{last.strip()} (status {status}; all of it is in {log})")


def prepare(
    config: ml_collections.ConfigDict,
    splits: Iterable[str],
    crystals: Path,
    out: Path,
    execute: Execute,
) -> None:
    """Makes the statistics of the splits; the first time, keeps the analyses."""
    kept = out / ANALYSES
    for split in splits:
        statistics = out / f"statistics_{split}.npz"
        if statistics.exists() and kept.exists():
            continue
        source = kept if kept.exists() else crystals
        command = ["xrdjax.statistics", f"--crystals={source}", f"--split={split}"]
        command += [f"--out={statistics}", "--overwrite", *config.statistics]
        if source != kept:
            command.append(f"--analyses={kept}")
        log = out / f"statistics_{split}.log"
        _must(execute(command, log, None), log)


def _check_finished(workdir: Path) -> None:
    """A run that was asked to stop ends with status 0 too."""
    steps = json.loads((workdir / CONFIG_FILE).read_text(encoding="utf-8"))["steps"]
    lines = (workdir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    step = json.loads(lines[-1])["step"]
    if step < steps:
        raise InputError(
            f"it was stopped at step {step} of {steps}: the same command goes on there"
        )


def run(
    job: Job,
    config: ml_collections.ConfigDict,
    flags: Sequence[str],
    out: Path,
    cores: set[int] | None,
    execute: Execute,
) -> None:
    """Trains and tests one run, unless that is done.

    Raises:
        InputError: the training or the test failed; with its last line.
    """
    workdir = out / job.name
    if (workdir / "test.json").exists():
        return
    workdir.mkdir(exist_ok=True)
    log = workdir / "log.txt"
    training = [
        "xrdjax.main",
        f"--workdir={workdir}",
        "--noreport",  # the test is the report
        *flags_of(job, config, flags),
        f"--config.statistics={out / f'statistics_{job.split}.npz'}",
        f"--config.crystals={out / ANALYSES}",
    ]
    _must(execute(training, log, cores), log)
    _check_finished(workdir)
    testing = ["xrdjax.evaluate", f"--workdir={workdir}", "--checkpoint=best"]
    testing += ["--split=test", f"--crystals={out / ANALYSES}"]
    testing += [f"--out={workdir / 'test.json'}", "--overwrite"]
    _must(execute(testing, log, cores), log)


def run_all(
    jobs: Sequence[Job], parallel: int, one: Callable[[Job, set[int] | None], None]
) -> dict[str, str]:
    """Runs jobs, so many at once, each on its share of the cores; others go on if one
    fails.

    Returns:
        What went wrong, by name of the job.
    """
    every = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    shares: queue.SimpleQueue[set[int] | None] = queue.SimpleQueue()
    for i in range(parallel):
        shares.put(set(every[i::parallel]) or None if parallel > 1 else None)
    failures = {}

    def work(job: Job) -> None:
        share = shares.get()
        try:
            print(f"{job.name} ...", flush=True)
            one(job, share)
            print(f"{job.name} is done", flush=True)
        except InputError as error:
            failures[job.name] = str(error)
        finally:
            shares.put(share)

    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        list(pool.map(work, jobs))
    return failures


def collect(jobs: Sequence[Job], out: Path) -> list[dict]:
    """Figures of all runs that are done."""
    return [
        vars(job) | one_result(out / job.name)
        for job in jobs
        if (out / job.name / "test.json").exists()
    ]


def compare(
    config: ml_collections.ConfigDict,
    crystals: Path,
    out: Path,
    flags: Sequence[str] = (),
    parallel: int = 1,
    runs: Sequence[str] = (),
    execute: Execute | None = None,
) -> list[dict]:
    """Runs what is not done yet, and writes table, results and figure.

    Args:
        config: as from configs/compare_sources.py.
        crystals: CIFs, or the .npz file of their analyses.
        out: folder for everything.
        flags: of `xrdjax.main`, for all runs.
        parallel: runs at once.
        runs: names of those to do; all if there are none.
        execute: runs one command; by default in a process of its own.

    Returns:
        The figures of every run that is done.

    Raises:
        InputError: there is no run of such a name, or there are runs with other
            settings; nothing is run then. Or some run failed; the others are done and
            reported first.
    """
    jobs = chosen_jobs(config, runs)
    out.mkdir(parents=True, exist_ok=True)
    processes = Processes()
    execute = execute or processes
    for job in jobs_of(config):
        check_budget(out / job.name, settings_of(job, config, flags))

    def one(job: Job, cores: set[int] | None) -> None:
        run(job, config, flags, out, cores, execute)

    with ended_together(processes):
        splits = dict.fromkeys(job.split for job in jobs)
        prepare(config, splits, crystals, out, execute)
        failures = run_all(jobs, parallel, one)
    results = collect(jobs_of(config), out)
    write_text(out / "results.json", json.dumps(results, indent=1) + "\n")
    text = table(results)
    write_text(out / "table.md", text)
    print("\n" + text)
    if results:
        draw_comparison(results, out / "figure.png")
    if any(result["split"] == "type" for result in results):
        draw_curves(results, out / "curves.png")
    if failures:
        told = "; ".join(f"{name}: {reason}" for name, reason in failures.items())
        raise InputError(f"{len(failures)} of {len(jobs)} runs failed: {told}")
    return results


def main(argv: Sequence[str] | None = None) -> None:
    """Compares sources as the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.compare_sources",
        description="Trains on known crystals, random ones and both, and compares.",
        epilog="Flags --config.FIELD=VALUE hold for all runs.",
    )
    add = parser.add_argument
    add("--crystals", type=Path, required=True, help="CIFs, or their analyses (.npz)")
    add("--out", type=Path, required=True, help="folder for runs and results")
    add("--config", type=Path, default=DEFAULT_CONFIG, help="what is compared")
    add("--parallel", type=int, default=1, help="runs at once, each on its cores")
    add("--runs", default="", help="names of runs to do, with commas; empty: all")
    args, flags = parser.parse_known_args(argv)
    with exit_on_input_error():
        for flag in flags:
            if not (flag.startswith("--config.") and "=" in flag):
                raise InputError(
                    f"unknown flag {flag!r}: expected --config.FIELD=VALUE"
                )
            name = flag.removeprefix("--config.").partition("=")[0]
            if name in _OWN_FIELDS:
                raise InputError(
                    f"{flag!r} is not for all runs alike: --crystals and --config say "
                    "what they are trained on"
                )
        if args.parallel < 1:
            raise InputError(f"--parallel is {args.parallel}: expected 1 or more")
        if not args.config.is_file():
            raise InputError(f"there is no configuration {str(args.config)!r}")
        config = runpy.run_path(str(args.config))["get_config"]()
        runs = [name.strip() for name in args.runs.split(",") if name.strip()]
        compare(config, args.crystals, args.out, flags, args.parallel, runs)


if __name__ == "__main__":
    main()
