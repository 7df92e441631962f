"""Patterns of two sources in one batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

from xrdjax.patterns.batch import Batch, Targets
from xrdjax.patterns.mixed import MixedSource


@struct.dataclass
class Constant:
    """Patterns of ten times the label, with the size of the batch as a count."""

    label: jax.Array
    name: str = struct.field(pytree_node=False)

    def sample(self, key, size):
        rows = jnp.full(size, self.label)
        return Batch(
            patterns=jnp.tile(10.0 * rows[:, None].astype(jnp.float32), (1, 3)),
            targets=Targets(rows, jnp.tile(rows[:, None].astype(jnp.float32), (1, 6))),
            counts={"drawn": jnp.int32(size), self.name: jnp.int32(1)},
        )


def mix(share: float) -> MixedSource:
    one, two = Constant(jnp.int32(1), "one"), Constant(jnp.int32(2), "two")
    return MixedSource(one, two, share)


@pytest.mark.parametrize(
    ("share", "size", "second"), [(0.5, 8, 4), (0.3, 10, 3), (0.01, 8, 1)]
)
def test_a_mixture_has_its_share_of_both_in_random_order(share, size, second):
    sample = jax.jit(lambda key, source: source.sample(key, size))
    batch = sample(jax.random.key(0), mix(share))
    rows = np.asarray(batch.targets.group_rows)
    assert sorted(rows.tolist()) == [1] * (size - second) + [2] * second
    np.testing.assert_array_equal(batch.patterns, 10 * np.tile(rows[:, None], 3))
    np.testing.assert_array_equal(batch.targets.unit_cells[:, 0], rows)
    assert batch.mask is None
    assert batch.counts == {"drawn": size, "one": 1, "two": 1}
    orders = {
        tuple(sample(jax.random.key(i), mix(share)).targets.group_rows.tolist())
        for i in range(20)
    }
    assert len(orders) > 5
