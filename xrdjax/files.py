"""Tables in .npz files: written whole or not at all, and read with plain messages."""

import os
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from xrdjax.errors import InputError

# What numpy and zipfile raise on a file that is cut, altered or something else.
_DAMAGE = (
    ValueError,
    TypeError,
    EOFError,
    RuntimeError,  # "encrypted"; NotImplementedError, an unknown compression, is one
    zipfile.BadZipFile,
    zlib.error,
)


def write_npz(path: Path, arrays: Mapping[str, Any], *, overwrite: bool) -> None:
    """Writes arrays by name, compressed; a reader never sees half of them.

    Raises:
        InputError: the file exists and may not be replaced, or cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("xb") as file:
            np.savez_compressed(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        if not overwrite:
            path.touch(exist_ok=False)  # claims the name, or finds it taken
        partial.replace(path)
    except FileExistsError as error:
        raise InputError(
            f"{str(path)!r} exists already: give another file name, or ask to overwrite"
        ) from error
    except OSError as error:
        raise InputError(
            f"cannot write {str(path)!r} ({error.strerror}): give a file in a folder "
            "that exists and that you may write to"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def read_npz(
    path: Path, names: Iterable[str], kind: str, mend: str
) -> dict[str, np.ndarray]:
    """Reads the named arrays of a file.

    Args:
        path: of the file.
        names: of the arrays.
        kind: what the file should hold, for messages, such as "statistics".
        mend: what to do about it, for messages.

    Raises:
        InputError: no such file, it cannot be read, is damaged or lacks an array.
    """
    try:
        # numpy leaves a file open that turns out to be no zip
        with path.open("rb") as stream, np.load(stream) as file:
            return {name: file[name] for name in names}
    except FileNotFoundError as error:
        raise InputError(f"no {kind} file {str(path)!r}: {mend}") from error
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"cannot read {str(path)!r} ({reason}): {mend}") from error
    except KeyError as error:
        raise InputError(f"{str(path)!r} holds no {kind} ({error}): {mend}") from error
    except _DAMAGE as error:
        raise InputError(
            f"{str(path)!r} is damaged or no {kind} file: {mend}"
        ) from error
