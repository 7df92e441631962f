"""Checks of flags, before anything takes long."""

from xrdjax.errors import InputError


def require_positive(flag: str, value: int | None) -> None:
    """Makes sure that a number that was given is 1 or more.

    Raises:
        InputError: it is less.
    """
    if value is not None and value < 1:
        raise InputError(f"--{flag} is {value}: expected 1 or more")
