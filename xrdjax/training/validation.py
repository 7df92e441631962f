"""How good a network is while it is trained, on patterns that it is not trained on."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int

from xrdjax.checkpoints.writer import Run
from xrdjax.config import make_simulation
from xrdjax.errors import InputError
from xrdjax.evaluation.predict import classify_patterns
from xrdjax.known.analyses import known_crystals
from xrdjax.known.selection import select_crystals, split_of
from xrdjax.patterns.pipeline import patterns_of_structures
from xrdjax.patterns.sources import crystal_limits
from xrdjax.training.step import Draw

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


def known_patterns(run: Run, provenance: Mapping) -> Patterns:
    """Diffractograms [n, T] and labels [n] of known crystals for validation.

    They are of the fifth of the held-out crystals that is for this purpose, at most
    evaluation.validation of them, chosen at random.

    Args:
        run: names the crystals, the limits and the measurement.
        provenance: of the run's statistics, which tells the split.

    Raises:
        InputError: the crystals cannot be read, or there is none for validation.
    """
    config = run.config
    selection = select_crystals(
        known_crystals(config.crystals, config.symprec, progress=True),
        run.space_groups.tolist(),
        split=split_of(provenance),
        part="validation",
        **crystal_limits(config),
    )
    if not selection.structures:
        raise InputError(
            f"{config.crystals!r} has no crystal for validation among the held-out "
            "ones: give more crystals, or set evaluation.validation to 0"
        )
    rng = np.random.default_rng([config.seed, _VALIDATION_STREAM])
    count = len(selection.structures)
    chosen = rng.permutation(count)[: config.evaluation.validation]
    structures = [selection.structures[i] for i in chosen]
    smallest, largest = config.crystallite_size_nm
    sizes_nm = rng.uniform(smallest, largest, len(chosen)).astype(np.float32)
    patterns = patterns_of_structures(structures, make_simulation(config), sizes_nm)
    return patterns, selection.labels[chosen]


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
        probabilities = classify_patterns(trained, patterns, batch_size)
        return float((probabilities.argmax(-1) == labels).mean())

    return validate
