"""Results of the runs of a comparison of sources, from their files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.compare_sources.jobs import Job
from experiments.compare_sources.runs import TEST
from xrdjax.training.log import METRICS_FILE


def _score(part: Mapping | None) -> dict | None:
    if part is None or part["score"] is None:
        return None
    return {name: part["score"][name] for name in ("top1", "top5")}


def _curve(calls: Sequence[Mapping], batch_size: int) -> list[dict]:
    """Accuracy at each checkpoint, by the number of patterns seen."""
    return [
        {
            "patterns": call["step"] * batch_size,
            "training": call["accuracy"],
            "validation": call["validation_accuracy"],
        }
        for call in calls
        if "validation_accuracy" in call
    ]


def result_of(workdir: Path) -> dict:
    """Number of patterns that a run has seen, its duration and its accuracy.

    Args:
        workdir: of the run, with its metrics and the report of its test.

    Returns:
        Among others "curve": at each checkpoint the number of patterns seen, the
        accuracy on those of the last call, and that on the crystals for validation.
    """
    report = json.loads((workdir / TEST).read_text(encoding="utf-8"))
    config = report["run"]["config"]
    batch_size = config["batch_size"] or len(report["run"]["space_groups"])
    lines = (workdir / METRICS_FILE).read_text(encoding="utf-8").splitlines()
    calls = [json.loads(line) for line in lines]
    seconds = [
        batch_size * config["steps_per_call"] / call["patterns_per_second"]
        for call in calls
    ]
    return {
        "patterns_seen": config["steps"] * batch_size,
        "best_step": report["run"]["step"],
        "training_hours": sum(seconds) / 3600,
        "curve": _curve(calls, batch_size),
        "device": report["device"],
        "versions": report["versions"],
        "crystals": _score(report["sets"].get("crystals")),
        "synthetic": _score(report["sets"].get("synthetic")),
    }


def collect(jobs: Sequence[Job], out: Path) -> list[dict]:
    """The results of all finished runs."""
    return [
        vars(job) | result_of(out / job.name)
        for job in jobs
        if (out / job.name / TEST).exists()
    ]
