"""How good a network is while it is trained, on patterns that it is not trained on."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int

from xrdjax.checkpoints import Run
from xrdjax.classify import classify
from xrdjax.train_step import Draw

# Parameters of the network -> share of the validation patterns it names, 0 to 1.
Validate = Callable[[Any], float]
Patterns = tuple[Float[np.ndarray, "n T"], Int[np.ndarray, " n"]]

# Folded into the seed: training and the report's random crystals have other streams.
_VALIDATION_STREAM = 2**31 + 1


def draw_patterns(
    seed: int, draw: Draw, tables: Any, count: int, batch: int
) -> Patterns:
    """Random crystals' diffractograms [n, T] and labels [n], the same for a seed."""
    # One device is enough, whatever the others do.
    tables = jax.tree.map(lambda leaf: leaf.addressable_data(0), tables)
    stream = jax.random.fold_in(jax.random.key(seed), _VALIDATION_STREAM)
    patterns, labels = [], []
    for i in range(-(-count // batch)):
        drawn = draw(jax.random.fold_in(stream, i), tables, batch)
        patterns.append(np.asarray(drawn[0]))
        labels.append(np.asarray(drawn[1]))
    return np.concatenate(patterns)[:count], np.concatenate(labels)[:count]


def make_validation(run: Run, make_patterns: Callable[[], Patterns]) -> Validate:
    """Accuracy on patterns that are made once, when it is first asked for.

    Args:
        run: whose network it is; its parameters are not used.
        make_patterns: gives patterns [n, T] of maximum 1, and labels [n], rows of
            the run's space groups.
    """
    patterns_once = functools.cache(make_patterns)

    def validate(params: Any) -> float:
        patterns, labels = patterns_once()
        local = jax.tree.map(lambda leaf: leaf.addressable_data(0), params)
        trained = dataclasses.replace(run, params=local)
        batch_size = run.config.evaluation.batch_size
        probabilities = classify(trained, patterns, batch_size)
        return float((probabilities.argmax(-1) == labels).mean())

    return validate
