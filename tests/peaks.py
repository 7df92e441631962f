"""A source of patterns that needs no crystals, and the smallest network."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Bool, Float

from xrdjax.models.optimizer import make_optimizer
from xrdjax.patterns.batch import Batch, Targets

ADAM = {
    "kind": "adam",
    "learning_rate": 5e-2,
    "schedule": "halve",
    "halve_every_steps": 1000,
    "warmup_steps": 0,
    "b1": 0.9,
    "b2": 0.999,
    "eps": 1e-7,
    "steps": 1000,
}


def adam(**changes):
    """Adam as in the paper, with a higher learning rate."""
    return make_optimizer(**(ADAM | changes))


class Linear(nn.Module):
    """The smallest network that learns."""

    outputs: int

    @nn.compact
    def __call__(self, inputs, train=False):
        return nn.Dense(self.outputs)(inputs)


@struct.dataclass
class PeakSource:
    """A `Source` of one peak, whose position states the class, and noise.

    Attributes:
        classes: number of classes; static.
        points: of a pattern; static.
        height: [] of the peak; the noise is up to 0.1.
    """

    classes: int = struct.field(pytree_node=False)
    points: int = struct.field(pytree_node=False)
    height: Float[Array | np.ndarray, ""] = struct.field(
        default_factory=lambda: np.float32(1)
    )

    def sample(self, key, size):
        """Counts all patterns, and those of class 0."""
        # one call, as each takes half a second to compile
        uniform = jax.random.uniform(key, (size, 1 + self.points))
        rows = jnp.floor(self.classes * uniform[:, 0]).astype(jnp.int32)
        noise = 0.1 * uniform[:, 1:]
        places = rows * self.points // self.classes
        peaks = self.height * jax.nn.one_hot(places, self.points)
        zeros = jnp.sum(rows == 0, dtype=jnp.int32)
        counts = {"sampled": jnp.int32(size), "zeros": zeros}
        return Batch(jnp.maximum(peaks, noise), Targets(rows), counts)


@struct.dataclass
class BrokenSource:
    """A `Source` that is infinite in some of the steps that it samples for.

    Attributes:
        source: of the patterns.
        batch_size: of each step; static.
        share: probability that a step is broken; static.
    """

    source: PeakSource
    batch_size: int = struct.field(pytree_node=False)
    share: float = struct.field(pytree_node=False)

    def broken_steps(self, key, steps) -> Bool[Array, " steps"]:
        """Which of the steps that are sampled together by a key are broken."""
        return jax.random.uniform(jax.random.fold_in(key, 7), (steps,)) < self.share

    def sample(self, key, size):
        """Counts the broken steps."""
        batch = self.source.sample(key, size)
        broken = self.broken_steps(key, size // self.batch_size)
        rows = jnp.repeat(broken, self.batch_size)[:, None]
        return dataclasses.replace(
            batch,
            patterns=jnp.where(rows, jnp.inf, batch.patterns),
            counts={"broken": jnp.sum(broken, dtype=jnp.int32)},
        )


def assert_same(tree, expected) -> None:
    """Two pytrees of the same arrays, bit for bit."""
    jax.tree.map(np.testing.assert_array_equal, tree, expected)


def assert_close(tree, expected, atol) -> None:
    """Two pytrees whose leaves differ by at most atol."""
    assert jax.tree.structure(tree) == jax.tree.structure(expected)
    jax.tree.map(
        lambda got, wanted: np.testing.assert_allclose(got, wanted, atol=atol),
        tree,
        expected,
    )
