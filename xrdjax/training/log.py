"""What a run measures while it trains, for programs and for TensorBoard."""

import json
import math
import time
from pathlib import Path
from typing import Any

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

from xrdjax.errors import report_full_disk
from xrdjax.files import write_text

METRICS_FILE = "metrics.jsonl"


class MetricsLog:
    """Metrics of a run as JSON lines and TensorBoard events, from a step on."""

    def __init__(self, workdir: Path, step: int):
        """Resumes the files of a work directory; what is after `step` is dropped."""
        self._workdir = workdir
        path = workdir / METRICS_FILE
        kept = [line for line in _lines(path) if _step_of(line) <= step]
        folder = workdir / "tensorboard"
        with report_full_disk(workdir):
            write_text(path, "".join(kept))
            self._file = path.open("a", encoding="utf-8")
            folder.mkdir(exist_ok=True)
            # tensorboardX's own SummaryWriter waits for ever once the disk is full.
            self._events = EventsWriter(str(folder / "events"))
            start = SessionLog(status=SessionLog.SessionStatus.START)
            self._add_event(step + 1, session_log=start)  # hides what came after

    def write(self, step: int, metrics: dict[str, float]) -> None:
        """Adds what was measured up to a step.

        Raises:
            InputError: the disk is full.
        """
        # JSON has no word for what is not finite.
        finite = {
            name: value if math.isfinite(value) else None
            for name, value in metrics.items()
        }
        with report_full_disk(self._workdir):
            self._file.write(json.dumps({"step": step} | finite) + "\n")
            self._file.flush()
            for name, value in metrics.items():
                self._add_event(step, summary=scalar(f"train/{name}", value))
            self._events.flush()

    def _add_event(self, step: int, **content: Any) -> None:
        self._events.write_event(Event(wall_time=time.time(), step=step, **content))

    def close(self) -> None:
        """Closes the files."""
        with report_full_disk(self._workdir):
            try:
                self._file.close()
            finally:
                self._events.close()


class NoLog:
    """A log of nothing, for the processes that do not speak for the run."""

    def write(self, step: int, metrics: dict[str, float]) -> None:
        """Writes nothing."""

    def close(self) -> None:
        """Closes nothing."""


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except ValueError:
        return math.inf  # cut off as the run was killed
