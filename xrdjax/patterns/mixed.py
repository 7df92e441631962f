"""Patterns of two sources in one batch."""

import jax
from flax import struct
from jaxtyping import Array, Key

from xrdjax.patterns.batch import Batch, Source, merge


@struct.dataclass
class MixedSource:
    """A `Source` of both sources' patterns, in random order.

    Attributes:
        first, second: sources of patterns on one grid.
        share: of patterns from the second source in each batch, in (0, 1), to the
            nearest pattern; at least one comes from each. Static.
    """

    first: Source
    second: Source
    share: float = struct.field(pytree_node=False)

    def sample(self, key: Key[Array, ""], size: int) -> Batch:
        """A batch of two patterns or more; counts are summed over both sources."""
        of_second = min(max(1, round(self.share * size)), size - 1)
        first_key, second_key, order_key = jax.random.split(key, 3)
        return merge(
            self.first.sample(first_key, size - of_second),
            self.second.sample(second_key, of_second),
            jax.random.permutation(order_key, size),
        )
