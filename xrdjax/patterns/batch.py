"""Batches of labelled patterns, and the interface of the sources that give them."""

from typing import Protocol, runtime_checkable

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int, Key


@struct.dataclass
class Targets:
    """Targets of each pattern that a network can learn.

    Attributes:
        group_rows: [B] row of the space group among the classes.
        unit_cells: [B, 6] a, b, c (angstrom), alpha, beta, gamma (radians) of the
            conventional cell; None where they are not known.
    """

    group_rows: Int[Array, " B"]
    unit_cells: Float[Array, "B 6"] | None = None


@struct.dataclass
class Batch:
    """Labelled patterns.

    Attributes:
        patterns: [B, T] with maximum 1.
        targets: of each pattern.
        counts: scalars by name: crystals sampled, and why some failed.
        mask: [B, T] which points were measured; None where all of them were.
    """

    patterns: Float[Array, "B T"]
    targets: Targets
    counts: dict[str, Int[Array, ""]]
    mask: Bool[Array, "B T"] | None = None


@runtime_checkable
class Source(Protocol):
    """A source of patterns: a pytree whose leaves are the tables it looks up.

    It is passed to compiled programs as an argument, since constants of that size would
    make them slow to compile.
    """

    def sample(self, key: Key[Array, ""], size: int) -> Batch:
        """A batch of `size` labelled patterns, from one random key."""
        ...


def merge(first: Batch, second: Batch, order: Int[Array, " B"]) -> Batch:
    """Two batches as one, in a given order; its counts are the sums of theirs."""
    zero = jnp.int32(0)
    counts = {
        name: first.counts.get(name, zero) + second.counts.get(name, zero)
        for name in first.counts | second.counts
    }

    def join(one, other):
        return None if one is None else jnp.concatenate([one, other])[order]

    return Batch(
        patterns=join(first.patterns, second.patterns),
        targets=Targets(
            group_rows=join(first.targets.group_rows, second.targets.group_rows),
            unit_cells=join(first.targets.unit_cells, second.targets.unit_cells),
        ),
        counts=counts,
        mask=join(first.mask, second.mask),
    )
