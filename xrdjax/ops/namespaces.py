"""NumPy or JAX, whichever made the arrays."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike


def namespace(*arrays: ArrayLike) -> Any:
    """`jax.numpy` if any argument is a JAX array (traced or not), else `numpy`."""
    return jnp if any(isinstance(array, Array) for array in arrays) else np
