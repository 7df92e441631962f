"""Kills a run again and again, and compares its end with that of an unbroken run.

    python -m experiments.kill_and_resume --kills=20 --out=DIR

The real command, with the real generator of crystals and a small network, is killed by
SIGKILL at random moments: while it starts, while it trains, and, every second time,
while it writes a checkpoint. It is then let go on to its end. Parameters, their best
checkpoint and the metrics must be those of a run that nobody killed, bit for bit.

Twenty kills at steps 50 to 530 of 600, ten of them while a checkpoint was written, left
no difference (jax 0.10.1, two cores of a CPU, commit 1779318).
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from xrdjax.checkpoints.records import CHECKPOINTS
from xrdjax.checkpoints.writer import Run, load_run
from xrdjax.errors import InputError, exit_on_input_error
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
# Kills come up to so long after a step was reached, seconds.
_LATEST = 0.5
_POLL = 0.001


@dataclass(frozen=True)
class Kill:
    """What a kill met.

    Attributes:
        step: steps that the metrics told of.
        checkpoint: step of the newest finished folder; 0 without any.
        writing: whether a checkpoint was half written.
    """

    step: int
    checkpoint: int
    writing: bool


def _command(workdir: Path, cache: Path) -> list[str]:
    settings = [f"--config.{name}={value}" for name, value in SETTINGS.items()]
    return [
        *(sys.executable, "-m", "xrdjax.main", "--config=configs/resnet.py:quick"),
        *(f"--workdir={workdir}", f"--config.compilation_cache={cache}", *settings),
    ]


def _history(workdir: Path) -> list[dict]:
    """Metrics of the whole lines, without the speed, which is never twice the same."""
    path = workdir / METRICS_FILE
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = [json.loads(line) for line in text.splitlines(True) if line.endswith("\n")]
    return [
        {name: x for name, x in line.items() if name != "diffractograms_per_second"}
        for line in lines
    ]


def _step(workdir: Path) -> int:
    history = _history(workdir)
    return history[-1]["step"] if history else 0


def _checkpoints(workdir: Path) -> list[str]:
    return [path.name for path in (workdir / CHECKPOINTS).glob("*")]


def _finish(command: Sequence[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise InputError(f"the run ended with {result.returncode}: {result.stderr}")


def kill_once(
    command: Sequence[str], workdir: Path, step: int, delay: float, writing: bool
) -> Kill:
    """Starts the run, and kills it.

    Args:
        command: that starts it or lets it go on.
        workdir: its work directory.
        step: not before the metrics tell of it.
        delay: seconds from then on.
        writing: whether to wait for a checkpoint that is being written, besides.
    """
    left = set(_checkpoints(workdir))  # by earlier kills, and yet to be removed
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def is_writing() -> bool:
        return any(not name.isdecimal() for name in {*_checkpoints(workdir)} - left)

    def wait_for(reached: Callable[[], bool]) -> None:
        while not reached() and process.poll() is None:
            time.sleep(_POLL)

    wait_for(lambda: _step(workdir) >= step)
    time.sleep(delay)
    if writing:
        wait_for(is_writing)
    process.kill()
    process.wait()
    finished = [int(name) for name in _checkpoints(workdir) if name.isdecimal()]
    return Kill(_step(workdir), max(finished, default=0), is_writing())


def differences(killed: Path, unbroken: Path) -> list[str]:
    """In what the ends of two runs differ; nothing if they are the same."""
    found = []
    for checkpoint in ("newest", "best"):
        runs: list[Run] = [load_run(path, checkpoint) for path in (killed, unbroken)]
        if runs[0].step != runs[1].step:
            found.append(f"{checkpoint} step: {runs[0].step} and {runs[1].step}")
        pairs = zip(*(jax.tree.leaves(run.params) for run in runs), strict=True)
        if not all(np.array_equal(a, b) for a, b in pairs):
            found.append(f"parameters of the {checkpoint} checkpoint")
    if _history(killed) != _history(unbroken):
        found.append("metrics")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a table of the kills, and ends with status 1 if they left a trace."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.kill_and_resume",
        description="Kills a run again and again, and compares its end.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=20, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    given = parser.parse_args(arguments)
    with exit_on_input_error():
        if given.out.exists():
            raise InputError(f"{str(given.out)!r} exists already: name a new folder")
        given.out.mkdir(parents=True)
        killed, unbroken = given.out / "killed", given.out / "unbroken"
        cache = given.out / "cache"
        _finish(_command(unbroken, cache))

        rng = random.Random(given.seed)
        print("kill  step  newest checkpoint  while writing", flush=True)
        for i, step in enumerate(
            sorted(rng.randrange(int(0.9 * STEPS)) for _ in range(given.kills))
        ):
            kill = kill_once(
                _command(killed, cache),
                killed,
                step,
                rng.uniform(0.0, _LATEST),
                writing=i % 2 == 1,
            )
            print(
                f"{i + 1:4d}{kill.step:6d}{kill.checkpoint:19d}"
                f"{'yes' if kill.writing else 'no':>15}",
                flush=True,
            )
        _finish(_command(killed, cache))
        found = differences(killed, unbroken)
    if found:
        sys.exit(f"the killed run ended otherwise: {', '.join(found)}")
    print(f"after {given.kills} kills everything is the same, bit for bit")


if __name__ == "__main__":
    main()
