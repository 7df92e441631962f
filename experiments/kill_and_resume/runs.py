"""The run that is killed: its command, its records and its final state."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from xrdjax.errors import InputError
from xrdjax.run import load_run
from xrdjax.training.log import METRICS_FILE

STEPS = 600
SETTINGS = {
    "cpu_devices": 1,
    "steps": STEPS,
    "steps_per_call": 5,
    "checkpoint_every": 10,
    "batch_size": 8,
    "points": 512,
    "max_volume": 1500.0,
    "max_sites": 24,
    "model.width": 8,
    "evaluation.synthetic": 0,
    "evaluation.batch_size": 16,
    "evaluation.validation": 32,
}


def command_of(workdir: Path, cache: Path) -> list[str]:
    """The command that starts a run, or resumes it."""
    settings = [f"--config.{name}={value}" for name, value in SETTINGS.items()]
    return [
        *(sys.executable, "-m", "xrdjax.main", "--config=configs/resnet.py:quick"),
        *(f"--workdir={workdir}", f"--config.compilation_cache={cache}", *settings),
    ]


def finish(command: Sequence[str]) -> None:
    """Lets a run end.

    Raises:
        InputError: it failed; the message has its output.
    """
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise InputError(f"the run ended with {result.returncode}: {result.stderr}")


def history(workdir: Path) -> list[dict]:
    """Metrics of complete lines, without the speed, which varies."""
    path = workdir / METRICS_FILE
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = [json.loads(line) for line in text.splitlines(True) if line.endswith("\n")]
    return [
        {name: x for name, x in line.items() if name != "patterns_per_second"}
        for line in lines
    ]


def last_step(workdir: Path) -> int:
    """Last step with metrics; 0 without any."""
    lines = history(workdir)
    return lines[-1]["step"] if lines else 0


def differences(killed: Path, unbroken: Path) -> list[str]:
    """Differences between the final states of two runs; empty if there are none."""
    found = []
    for checkpoint in ("newest", "best"):
        runs = [load_run(path, checkpoint) for path in (killed, unbroken)]
        if runs[0].step != runs[1].step:
            found.append(f"{checkpoint} step: {runs[0].step} and {runs[1].step}")
        pairs = zip(*(jax.tree.leaves(run.params) for run in runs), strict=True)
        if not all(np.array_equal(a, b) for a, b in pairs):
            found.append(f"parameters of the {checkpoint} checkpoint")
    if history(killed) != history(unbroken):
        found.append("metrics")
    return found
