"""The mean of networks that started from the same weights.

Networks that part late from one run lie in one valley of the loss, so that the mean of
their weights is a network as good as the mean of their answers, or nearly: Wortsman et
al., Model soups, ICML (2022), arXiv 2203.05482.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from xrdjax.errors import InputError
from xrdjax.run import Run


def mean_network(run: Run, others: Sequence[Run]) -> Run:
    """A run with the mean of its weights and those of others.

    The last layer has a column for each class: the mean is over the networks that name
    its space group.

    Args:
        run: whose space groups, configuration and step the result has.
        others: networks of the same shape for some of its space groups.

    Raises:
        InputError: another network has other layers, or names other groups.
    """
    head = max(name for name in run.params if name.startswith("Dense_"))
    members = [run, *others]
    for other in others:
        if not _matches(run, other, head):
            raise InputError(
                "the networks to average have different layers or space groups: name "
                "runs of one model that started from the same weights"
            )
    trunks = [{k: v for k, v in one.params.items() if k != head} for one in members]
    trunk = jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *trunks)
    columns = [np.searchsorted(run.space_groups, one.space_groups) for one in members]
    heads = [one.params[head] for one in members]
    mean = jax.tree.map(lambda *leaves: _mean_of_classes(leaves, columns), *heads)
    return dataclasses.replace(run, params=trunk | {head: mean})


def _matches(run: Run, other: Run, head: str) -> bool:
    def shapes(one: Run) -> Any:
        return jax.tree.map(
            lambda leaf: leaf.shape, {k: v for k, v in one.params.items() if k != head}
        )

    named = np.isin(other.space_groups, run.space_groups).all()
    return bool(named) and head in other.params and shapes(run) == shapes(other)


def _mean_of_classes(
    leaves: Sequence[Any], columns: Sequence[np.ndarray]
) -> np.ndarray:
    """Mean over the networks that have a class, along the last axis."""
    total, count = np.zeros_like(leaves[0]), np.zeros(leaves[0].shape[-1], np.float32)
    for leaf, where in zip(leaves, columns, strict=True):
        total[..., where] += np.asarray(leaf)
        count[where] += 1
    return total / count
