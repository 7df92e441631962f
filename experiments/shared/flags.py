"""Checks of flags, before anything takes long."""

from pathlib import Path

from xrdjax.errors import InputError


def require_positive(flag: str, value: int | None) -> None:
    """Makes sure that a number that was given is 1 or more.

    Raises:
        InputError: it is less.
    """
    if value is not None and value < 1:
        raise InputError(f"--{flag} is {value}: expected 1 or more")


def require_folder_of(flag: str, path: str | Path | None) -> None:
    """Makes sure that there is a folder for a file that is to be written.

    Raises:
        InputError: there is none.
    """
    if path is not None and not Path(path).parent.is_dir():
        raise InputError(
            f"the folder of --{flag}={str(path)!r} does not exist: make it"
        )
