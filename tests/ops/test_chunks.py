"""Work in chunks: the results of the whole batch, in its order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xrdjax.ops.chunks import map_in_chunks


def batch_of(size: int) -> tuple[dict, np.ndarray]:
    """A pytree with leading axis `size`, and a cost in no order, with ties."""
    rng = np.random.default_rng(size)
    batch = {
        "number": jnp.arange(size),
        # whole numbers, so that sums do not depend on their order
        "matrix": jnp.asarray(rng.integers(-9, 10, (size, 2, 3)), jnp.float32),
    }
    return batch, rng.integers(0, 5, size)


def work(batch):
    """A function of each member alone."""
    return {
        "twice": 2 * batch["number"],
        "sums": (batch["matrix"] ** 2).sum(axis=(1, 2)),
        "again": batch["matrix"],
    }


@pytest.mark.parametrize(
    ("size", "chunk"),
    [(1, 1), (1, 3), (7, 1), (7, 3), (7, 7), (12, 4), (12, 5), (12, 11), (12, 100)],
)
def test_results_are_those_of_the_whole_batch_in_its_order(size, chunk):
    batch, cost = batch_of(size)
    found = map_in_chunks(work, batch, jnp.asarray(cost), chunk)
    jax.tree.map(np.testing.assert_array_equal, found, work(batch))


def test_members_of_a_chunk_are_neighbours_in_cost():
    cost = np.random.default_rng(0).permutation(11).astype(np.float32)

    def dearest(costs):
        assert costs.shape == (4,)
        return jnp.broadcast_to(costs.max(), costs.shape)

    found = map_in_chunks(dearest, jnp.asarray(cost), jnp.asarray(cost), 4)
    # of costs 0 to 10 the chunks are 0..3, 4..7 and 8..10, the last filled up
    expected = np.array([3, 3, 3, 3, 7, 7, 7, 7, 10, 10, 10])[cost.astype(int)]
    np.testing.assert_array_equal(found, expected)


def test_it_compiles_and_has_gradients():
    batch, cost = batch_of(7)

    @jax.jit
    def total(matrix):
        found = map_in_chunks(work, {**batch, "matrix": matrix}, jnp.asarray(cost), 3)
        return jnp.sum(found["sums"] * jnp.arange(7.0))

    expected = 2 * batch["matrix"] * jnp.arange(7.0)[:, None, None]
    np.testing.assert_allclose(jax.grad(total)(batch["matrix"]), expected, rtol=1e-6)
