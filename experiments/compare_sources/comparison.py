"""A whole comparison: its runs and their results."""

import json
from collections.abc import Sequence
from pathlib import Path

from experiments.compare_sources.figures import plot_accuracy, plot_curves
from experiments.compare_sources.jobs import Comparison, Job, check_settings
from experiments.compare_sources.processes import Execute, Processes, ended_together
from experiments.compare_sources.results import collect
from experiments.compare_sources.runs import make_statistics, run_all, train_and_test
from experiments.compare_sources.table import table
from xrdjax.errors import InputError
from xrdjax.files import write_text


def _write_results(results: list[dict], out: Path) -> None:
    write_text(out / "results.json", json.dumps(results, indent=1) + "\n")
    text = table(results)
    write_text(out / "table.md", text)
    print("\n" + text)
    if results:
        plot_accuracy(results, out / "figure.png")
    if any(result["split"] == "type" for result in results):
        plot_curves(results, out / "curves.png")


def compare(
    comparison: Comparison,
    names: Sequence[str] = (),
    parallel: int = 1,
    execute: Execute | None = None,
) -> list[dict]:
    """Does the runs that are not finished, and writes table, results and figures.

    Args:
        comparison: what is compared, and where.
        names: of the runs to do; all if there are none.
        parallel: number of runs at once.
        execute: runs one command; by default in a process of its own.

    Returns:
        The results of every finished run.

    Raises:
        InputError: a name is not that of a run, or a run in the folder has other
            settings (before anything is run); or a run failed (after the others are
            done and reported).
    """
    jobs = comparison.choose_jobs(names)
    out = comparison.out
    out.mkdir(parents=True, exist_ok=True)
    for job in comparison.jobs:
        check_settings(out / job.name, comparison.settings_of(job))
    processes = Processes()
    execute = execute or processes

    def run(job: Job, cores: set[int] | None) -> None:
        train_and_test(job, comparison, cores, execute)

    with ended_together(processes):
        splits = list(dict.fromkeys(job.split for job in jobs))
        make_statistics(comparison, splits, execute)
        failures = run_all(jobs, parallel, run)
    results = collect(comparison.jobs, out)
    _write_results(results, out)
    if failures:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failures.items())
        raise InputError(f"{len(failures)} of {len(jobs)} runs failed: {reasons}")
    return results
