"""The one error that bad input raises, and how a command ends on it."""

import contextlib
import sys
from collections.abc import Iterator


class InputError(ValueError):
    """Input from outside (file, flag, config, argument) that cannot be used.

    The message is one sentence for the user: what was got, what is expected,
    and how to mend it.
    """


@contextlib.contextmanager
def exit_on_input_error() -> Iterator[None]:
    """Ends a command with `error: ...` and exit status 2 instead of a traceback."""
    try:
        yield
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
