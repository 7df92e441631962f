"""The checks that the import hook of conftest.py adds to every function."""

from collections.abc import Callable

from beartype import BeartypeConf, beartype

# An int is a float, as in PEP 484.
_CONFIGURATION = BeartypeConf(is_pep484_tower=True)


def check(function: Callable) -> Callable:
    """Checks types and shapes of arguments and results at run time.

    Not those of constructors: JAX calls the constructor of a pytree whenever it maps
    one, and then the fields are whatever its leaves were mapped to, such as shapes,
    axes, shardings or None.
    """
    if function.__name__ == "__init__":
        return function
    return beartype(conf=_CONFIGURATION)(function)
