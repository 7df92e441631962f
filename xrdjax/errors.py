"""The one error that bad input raises, and how a command ends on it."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path


class InputError(ValueError):
    """Input from outside (file, flag, config, argument) that cannot be used.

    The message is one sentence for the user: what was got, what is expected,
    and how to fix it.
    """


@contextlib.contextmanager
def exit_on_input_error() -> Iterator[None]:
    """Ends a command with `error: ...` and exit status 2 instead of a traceback.

    Ctrl-C ends it with a line and status 130.
    """
    try:
        yield
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


@contextlib.contextmanager
def report_full_disk(folder: Path) -> Iterator[None]:
    """Turns a failure to write to a folder into an InputError.

    The usual cause is a full disk. TensorStore, which writes the arrays, reports the
    system's error number in the text of a ValueError.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
        elif found := re.search(r"os_error_code='(\d+)'", str(error)):
            reason = os.strerror(int(found[1]))
        else:
            raise
        raise InputError(
            f"cannot write to {str(folder)!r} ({reason}): make room on the disk, and "
            "the same command resumes from the last complete checkpoint"
        ) from error
