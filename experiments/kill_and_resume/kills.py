"""Kills a run at a chosen moment."""

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.kill_and_resume.runs import last_step
from xrdjax.checkpoints.records import CHECKPOINTS

_POLL_S = 0.001


@dataclass(frozen=True)
class Kill:
    """The state of a run when it was killed.

    Attributes:
        step: last step with metrics.
        checkpoint: step of the newest complete checkpoint; 0 without any.
        writing: whether a checkpoint was incomplete.
    """

    step: int
    checkpoint: int
    writing: bool


def _checkpoints(workdir: Path) -> list[str]:
    return [path.name for path in (workdir / CHECKPOINTS).glob("*")]


def kill_once(
    command: Sequence[str], workdir: Path, step: int, delay: float, writing: bool
) -> Kill:
    """Starts the run, and kills it.

    Args:
        command: that starts it, or resumes it.
        workdir: its work directory.
        step: step whose metrics are waited for.
        delay: seconds to wait after that.
        writing: whether to wait, in addition, until a checkpoint is being written.
    """
    left = set(_checkpoints(workdir))  # by earlier kills, not yet removed
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def is_writing() -> bool:
        return any(not name.isdecimal() for name in {*_checkpoints(workdir)} - left)

    def wait_for(reached: Callable[[], bool]) -> None:
        while not reached() and process.poll() is None:
            time.sleep(_POLL_S)

    wait_for(lambda: last_step(workdir) >= step)
    time.sleep(delay)
    if writing:
        wait_for(is_writing)
    process.kill()
    process.wait()
    finished = [int(name) for name in _checkpoints(workdir) if name.isdecimal()]
    return Kill(last_step(workdir), max(finished, default=0), is_writing())
