"""Uneven work in even shapes: a batch sorted by cost, a chunk at a time."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int, Num, PyTree


def map_in_chunks(
    function: Callable[[PyTree], PyTree],
    batch: PyTree,
    cost: Num[Array, " B"],
    chunk: int,
) -> PyTree:
    """Applies a function of a batch to chunks of members that cost alike.

    A loop over a batch runs until its most expensive member is done. In a batch sorted
    by cost, the members of a chunk take about equally long.

    Args:
        function: from a pytree with leading axis `chunk` to another such.
        batch: pytree with leading axis B.
        cost: [B] anything that grows with a member's work.
        chunk: members processed together; more than B means B.

    Returns:
        The function's results with leading axis B, in the order of the batch.
    """
    count = cost.shape[0]
    chunk = min(chunk, count)
    if chunk == count:
        return function(batch)
    order = jnp.argsort(cost)
    # the most expensive members fill up the last chunk
    padded = jnp.concatenate([order, jnp.repeat(order[-1:], -count % chunk)])
    chunks = jax.tree.map(lambda x: x[padded].reshape(-1, chunk, *x.shape[1:]), batch)
    results = lax.map(function, chunks)
    place = jnp.zeros(count, order.dtype).at[order].set(jnp.arange(count))
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[place], results)


def fill_in_blocks(
    function: Callable[[Int[Array, " K"]], PyTree],
    empty: PyTree,
    count: Int[Array, ""] | int,
    block: int,
) -> PyTree:
    """Fills arrays along their second axis, as far as needed, a block at a time.

    Args:
        function: from the indices of a block [K] to its values [C, K, ...].
        empty: pytree of arrays [C, N, ...] to begin with; N is a multiple of block.
        count: [] indices that are needed; the others keep the values of `empty`. For
            an int the loop has a fixed length, as reverse-mode differentiation needs.
        block: indices K processed together.
    """

    def fill(i: Int[Array, ""], filled: PyTree) -> PyTree:
        part = function(i * block + jnp.arange(block))
        return jax.tree.map(
            lambda whole, part: lax.dynamic_update_slice_in_dim(
                whole, part, i * block, axis=1
            ),
            filled,
            part,
        )

    return lax.fori_loop(0, -(-count // block), fill, empty)
