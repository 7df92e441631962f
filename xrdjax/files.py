"""The one way to write a file, whole or not at all, and to read tables of arrays."""

import contextlib
import errno
import os
import secrets
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from xrdjax.errors import InputError

# Errors of numpy and zipfile on a file that is truncated, altered or of another kind.
_DAMAGE = (
    ValueError,
    TypeError,
    EOFError,
    RuntimeError,  # "encrypted"; NotImplementedError, an unknown compression, is one
    zipfile.BadZipFile,
    zlib.error,
)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def require_writable(path: str | Path, *, overwrite: bool) -> None:
    """Refuses, before the work whose result it is for, a file that cannot be written.

    Args:
        path: file to write.
        overwrite: whether a file that exists may be replaced.

    Raises:
        InputError: there is no such folder, it is not writable, or the path is taken.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(
            f"cannot write {str(path)!r}: the folder {str(path.parent)!r} does not "
            "exist, make it first"
        )
    if path.is_dir():
        raise InputError(f"cannot write {str(path)!r}: it is a folder, name a file")
    if path.exists() and not overwrite:
        raise InputError(
            f"{str(path)!r} exists already: give another file name, or --overwrite"
        )
    if not os.access(path.parent, os.W_OK):
        raise InputError(
            f"cannot write {str(path)!r}: you may not write to the folder "
            f"{str(path.parent)!r}, name another"
        )


def write_whole(
    path: str | Path,
    write: Callable[[BinaryIO], object],
    *,
    overwrite: bool,
    sync: bool = True,
) -> None:
    """Writes a file that a reader, or a kill at any moment, never finds half written.

    The contents go to a hidden file in the same folder and onto the disk, and only
    then take the name. Permissions are those of any new file (the umask's).

    Args:
        path: file to write, in a folder that exists.
        write: writes the contents to the binary file that it is given.
        overwrite: replace a file that exists.
        sync: wait until the contents are on the disk. Thousands of small files are
            written several times faster without it, and may be lost with the machine.

    Raises:
        InputError: the file exists and may not be replaced, or cannot be written.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            write(file)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        if not overwrite:
            path.touch(exist_ok=False)  # claims the name, or finds it taken
        partial.replace(path)
    except FileExistsError as error:
        raise InputError(
            f"{str(path)!r} exists already: give another file name, or ask to overwrite"
        ) from error
    except OSError as error:
        hint = "make room on the disk, and run the same command again"
        if error.errno not in _FULL:
            hint = "give a file in a folder that exists and that you may write to"
        reason = error.strerror or error
        raise InputError(f"cannot write {str(path)!r} ({reason}): {hint}") from error
    finally:
        with contextlib.suppress(OSError):  # gone, once it has the name
            partial.unlink()


def write_bytes(
    path: str | Path, contents: bytes, *, overwrite: bool = True, sync: bool = True
) -> None:
    """Writes bytes to a file; see `write_whole`."""
    write_whole(path, lambda file: file.write(contents), overwrite=overwrite, sync=sync)


def write_text(
    path: str | Path, text: str, *, overwrite: bool = True, sync: bool = True
) -> None:
    """Writes text to a file, UTF-8 with the line ends it has; see `write_whole`."""
    write_bytes(path, text.encode(), overwrite=overwrite, sync=sync)


def write_npz(
    path: str | Path, arrays: Mapping[str, Any], *, overwrite: bool = True
) -> None:
    """Writes arrays by name to a file, compressed; see `write_whole`."""
    write_whole(
        path, lambda file: np.savez_compressed(file, **arrays), overwrite=overwrite
    )


def read_npz(
    path: str | Path, names: Iterable[str] | None, kind: str, hint: str
) -> dict[str, np.ndarray]:
    """Reads the named arrays of a file.

    Args:
        path: file to read.
        names: of the arrays; None for all arrays of the file.
        kind: of the contents, for messages, such as "statistics".
        hint: how to get a file that can be used, for messages.

    Raises:
        InputError: no such file, it cannot be read, is damaged or lacks an array.
    """
    path = Path(path)
    try:
        # numpy leaves a file open that turns out not to be a zip
        with path.open("rb") as stream, np.load(stream) as file:
            return {name: file[name] for name in names or file.files}
    except FileNotFoundError as error:
        raise InputError(f"no {kind} file {str(path)!r}: {hint}") from error
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"cannot read {str(path)!r} ({reason}): {hint}") from error
    except KeyError as error:
        raise InputError(f"{str(path)!r} holds no {kind} ({error}): {hint}") from error
    except _DAMAGE as error:
        raise InputError(
            f"{str(path)!r} is damaged or no {kind} file: {hint}"
        ) from error
