"""A polite end: a run that is asked to stop finishes what it is doing first."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

import jax
import numpy as np
from jax.experimental import multihost_utils


@contextlib.contextmanager
def note_sigterm() -> Iterator[Callable[[], bool]]:
    """Keeps SIGTERM from ending the process; yields whether any process got one.

    Schedulers and service managers send SIGTERM some time before SIGKILL. The function
    that is yielded must be called by all processes of a run alike. Python delivers
    signals to the main thread only: in another thread this waits for none.
    """
    noted = threading.Event()

    def asked() -> bool:
        if jax.process_count() == 1:
            return noted.is_set()
        flags = multihost_utils.process_allgather(np.array(noted.is_set()))
        return bool(flags.any())

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGTERM, lambda *_: noted.set())
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)
