"""Commands in processes of their own, which end with the process that started them."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# (command after `python -m`, file for what it prints, cores) -> exit status.
Execute = Callable[[Sequence[str], Path, set[int] | None], int]


class Processes:
    """Runs commands, and terminates those still running when it is terminated."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen] = set()
        self._lock = threading.RLock()  # a signal may arrive while it is held
        self._ended = False

    def __call__(
        self, command: Sequence[str], log: Path, cores: set[int] | None
    ) -> int:
        """Runs `python -m COMMAND`, on the given cores if there are any."""
        if cores and hasattr(os, "sched_setaffinity"):
            # of this thread; the process that it starts inherits it
            os.sched_setaffinity(0, cores)
        with log.open("a", encoding="utf-8") as file:
            with self._lock:
                if self._ended:
                    return 128 + signal.SIGTERM
                process = subprocess.Popen(
                    [sys.executable, "-m", *command], stdout=file, stderr=file
                )
                self._running.add(process)
            try:
                return process.wait()
            finally:
                with self._lock:
                    self._running.discard(process)

    def terminate(self) -> None:
        """Terminates the running commands and starts no others."""
        with self._lock:
            self._ended = True
            for process in self._running:
                process.terminate()


@contextmanager
def ended_together(processes: Processes) -> Iterator[None]:
    """Passes SIGTERM to the commands, so that none outlives this process."""

    def end(number, frame):
        processes.terminate()
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
