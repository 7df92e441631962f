"""A polite end: a run that is asked to stop finishes what it is doing first."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def note_sigterm() -> Iterator[Callable[[], bool]]:
    """Keeps SIGTERM from ending the process; yields whether there was one.

    Schedulers and service managers send SIGTERM some time before SIGKILL. Python
    delivers signals to the main thread only: in another thread this waits for none.
    """
    noted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield noted.is_set
        return
    before = signal.signal(signal.SIGTERM, lambda *_: noted.set())
    try:
        yield noted.is_set
    finally:
        signal.signal(signal.SIGTERM, before)
