"""What a run measures while it trains: for programs, TensorBoard and the terminal."""

import json
import math
import time
from pathlib import Path
from typing import Any

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar
from tqdm import tqdm

from xrdjax.errors import report_full_disk
from xrdjax.files import write_text

METRICS_FILE = "metrics.jsonl"


class MetricsLog:
    """Metrics of a run as JSON lines and TensorBoard events, from a step on."""

    def __init__(self, workdir: Path, step: int):
        """Opens the files of a work directory; entries after `step` are removed."""
        self._workdir = workdir
        path = workdir / METRICS_FILE
        kept = [line for line in _lines(path) if _step_of(line) <= step]
        folder = workdir / "tensorboard"
        with report_full_disk(workdir):
            write_text(path, "".join(kept))
            self._file = path.open("a", encoding="utf-8")
            folder.mkdir(exist_ok=True)
            # tensorboardX's own SummaryWriter hangs once the disk is full
            self._events = EventsWriter(str(folder / "events"))
            start = SessionLog(status=SessionLog.SessionStatus.START)
            self._add_event(step + 1, session_log=start)  # hides what came after

    def write(self, step: int, metrics: dict[str, float]) -> None:
        """Adds the metrics of the steps up to `step`.

        Raises:
            InputError: the disk is full.
        """
        # JSON has no infinity and no NaN
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
    """Takes the place of the log in all processes but the first."""

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
        return math.inf  # incomplete, as the run was killed


class Progress:
    """The progress bar on the terminal."""

    def __init__(self, step: int, steps: int, *, visible: bool):
        """Starts at `step` of `steps`."""
        self._bar = tqdm(total=steps, initial=step, unit="step", disable=not visible)
        self._step = step

    def show(self, step: int, metrics: dict[str, float]) -> None:
        """Advances the bar to a step."""
        self._bar.set_postfix_str(
            f"loss {metrics['loss']:.3f}, accuracy {metrics['accuracy']:.1%}, "
            f"{metrics['patterns_per_second']:,.0f} patterns/s",
            refresh=False,
        )
        self._bar.update(step - self._step)
        self._step = step

    def close(self) -> None:
        """Leaves the bar as it stands."""
        self._bar.close()
