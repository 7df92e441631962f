"""Parameters of a network: initialised, counted, written to files and read."""

import math
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Array, Key

from xrdjax.errors import InputError
from xrdjax.files import read_npz, write_npz

MAX_BYTES = 20_000_000  # of a file of weights

# Standard deviation of a standard normal distribution truncated at -2 and 2.
_TRUNCATED_STD = 0.87962566


@partial(jax.jit, static_argnums=(1, 2))
def init_params(
    key: Key[Array, ""], model: nn.Module, shape: tuple[int, ...] | int
) -> dict[str, Any]:
    """Random parameters of a model, distributed as those of `model.init`.

    Kernels are normal with variance 1 / fan-in, truncated at two standard deviations;
    scales are one, biases zero. All kernels are cut from one array of random numbers,
    since a call for each of a hundred kernels would take a minute to compile.

    Args:
        key: random key.
        model: the network.
        shape: of the input of one pattern, such as its number of points T.
    """
    shapes = parameter_shapes(model, shape)
    sizes = [x.size for x in jax.tree.leaves(shapes) if x.ndim > 1]
    normal = jax.random.truncated_normal(key, -2, 2, (sum(sizes),)) / _TRUNCATED_STD
    kernels = iter(jnp.split(normal, list(accumulate(sizes))[:-1]))

    def leaf(path: tuple[Any, ...], x: jax.ShapeDtypeStruct) -> Array:
        if x.ndim > 1:
            return next(kernels).reshape(x.shape) / math.sqrt(math.prod(x.shape[:-1]))
        return jnp.full(x.shape, 1 if path[-1].key == "scale" else 0, x.dtype)

    return jax.tree.map_with_path(leaf, shapes)


def parameter_count(params: dict[str, Any]) -> int:
    """Number of parameters of a model, from the arrays or their shapes."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def parameter_shapes(model: nn.Module, shape: tuple[int, ...] | int) -> dict[str, Any]:
    """Shapes and types of the parameters of a model, without computing them."""
    inputs = jax.ShapeDtypeStruct((1, *np.atleast_1d(shape).tolist()), np.float32)
    key = jax.eval_shape(lambda: jax.random.key(0))
    return jax.eval_shape(model.init, key, inputs)["params"]


def write_weights(
    path: Path, params: dict[str, Any], others: dict[str, np.ndarray]
) -> None:
    """Writes parameters in float16, named by their paths, to a compressed file.

    The relative rounding error of a weight is at most 2^-11 down to magnitudes of 6e-5;
    below that, the absolute error is at most 3e-8.

    Args:
        path: file to write, .npz.
        params: of a network.
        others: arrays that are written unchanged, under names that no parameter has.

    Raises:
        InputError: a weight is beyond float16, or the file is larger than 20 MB.
    """
    weights: dict[str, Any] = dict(others)
    for name, leaf in flatten_dict(params, sep="/").items():
        values = np.asarray(leaf, np.float32)
        if not np.all(np.abs(values) <= np.finfo(np.float16).max):
            raise InputError(
                f"the parameters {name!r} are not finite in float16 (at most "
                f"{np.finfo(np.float16).max:g}): take another checkpoint"
            )
        weights[name] = values.astype(np.float16)
    write_npz(path, weights)
    size = path.stat().st_size
    if size > MAX_BYTES:
        path.unlink()
        raise InputError(
            f"the weights take {size:,} bytes, at most {MAX_BYTES:,} can be bundled: "
            "choose a smaller network"
        )


def read_weights(
    path: Path, shapes: dict[str, Any], others: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Reads what `write_weights` wrote, the parameters in their own types.

    Args:
        path: file to read.
        shapes: of the network's parameters, from `parameter_shapes`.
        others: names of the other arrays.

    Raises:
        InputError: no such file, it is damaged, or holds another network's weights.
    """
    hint = "install xrdjax again, or export the weights again"
    stored = read_npz(path, None, "weights", hint)
    try:
        rest = {name: stored.pop(name) for name in others}
    except KeyError as error:
        raise InputError(f"{str(path)!r} holds no weights ({error}): {hint}") from error
    flat = flatten_dict(shapes, sep="/")
    found = {name: array.shape for name, array in stored.items()}
    expected = {name: shape.shape for name, shape in flat.items()}
    if found != expected:
        counts = [sum(map(math.prod, s.values())) for s in (found, expected)]
        raise InputError(
            f"the weights {str(path)!r}, {counts[0]:,} in {len(found)} arrays, are not "
            f"those of the network that its configuration describes, {counts[1]:,} in "
            f"{len(expected)}: export them again"
        )
    # converted by NumPy, as JAX would compile a program for each shape
    params = {
        name: jax.device_put(stored[name].astype(shape.dtype))
        for name, shape in flat.items()
    }
    return unflatten_dict(params, sep="/"), rest
