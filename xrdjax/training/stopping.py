"""A polite end: a run that is asked to stop finishes what it is doing first."""

import contextlib
import signal
import threading
from collections.abc import Iterator

# Exit status of a run that was stopped; schedulers take 0 for an orderly end.
_STATUS = {signal.SIGTERM: 0, signal.SIGINT: 130}


class StopRequest:
    """Whether a signal has asked the process to stop, and which."""

    def __init__(self) -> None:
        self._signal: signal.Signals | None = None

    def __call__(self) -> bool:
        return self._signal is not None

    @property
    def name(self) -> str:
        """Of the signal; that of another process is taken to be SIGTERM."""
        return (self._signal or signal.SIGTERM).name

    @property
    def exit_status(self) -> int:
        """Of a process that stops as asked."""
        return _STATUS[self._signal or signal.SIGTERM]

    def note(self, number: int, frame: object = None) -> None:
        """Handles a signal; a second Ctrl-C does not wait."""
        del frame
        if number == self._signal == signal.SIGINT:
            raise KeyboardInterrupt
        self._signal = signal.Signals(number)


@contextlib.contextmanager
def note_signals() -> Iterator[StopRequest]:
    """Keeps SIGTERM and Ctrl-C from ending the process; yields whether there was one.

    Schedulers and service managers send SIGTERM some time before SIGKILL. Python
    delivers signals to the main thread only: in another thread this waits for none.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request.note) for number in _STATUS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
