"""How good a network is while it is trained, on patterns that it is not trained on."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int

from xrdjax.build import synthetic_source
from xrdjax.errors import InputError
from xrdjax.evaluation.predict import classify_patterns
from xrdjax.known.collection import known_crystals
from xrdjax.known.selection import select_crystals, split_of
from xrdjax.patterns.batch import Source
from xrdjax.patterns.streams import validation_generator, validation_key
from xrdjax.patterns.structures import patterns_of_structures
from xrdjax.run import Run

# Parameters of the network -> share of the validation patterns it names, 0 to 1.
Validate = Callable[[Any], float]
Patterns = tuple[Float[np.ndarray, "n T"], Int[np.ndarray, " n"]]


def synthetic_patterns(run: Run, source: Source) -> Patterns:
    """Patterns [n, T] and labels [n] of synthetic crystals, the same for a seed.

    Args:
        run: its seed, batch size and number of validation patterns count.
        source: of the patterns; one device is enough, whatever the others do.
    """
    settings = run.evaluation
    key = validation_key(settings.seed)
    placed = jax.device_put(source, jax.local_devices()[0])
    sample = jax.jit(lambda key, source: source.sample(key, settings.batch_size))
    patterns, labels = [], []
    for i in range(-(-settings.validation // settings.batch_size)):
        batch = sample(jax.random.fold_in(key, i), placed)
        patterns.append(np.asarray(batch.patterns))
        labels.append(np.asarray(batch.targets.group_rows))
    count = settings.validation
    return np.concatenate(patterns)[:count], np.concatenate(labels)[:count]


def known_patterns(run: Run) -> Patterns:
    """Patterns [n, T] and labels [n] of known crystals for validation.

    They are of the fifth of the held-out crystals that is for this purpose, at most
    evaluation.validation of them, chosen at random.

    Args:
        run: names the crystals, their split, the limits and the measurement.

    Raises:
        InputError: the crystals cannot be read, or there is none for validation.
    """
    settings = run.evaluation
    selection = select_crystals(
        known_crystals(settings.crystals, settings.symprec, progress=True),
        run.space_groups.tolist(),
        split=split_of(run.provenance),
        part="validation",
        **settings.crystal_limits,
    )
    if not selection.structures:
        raise InputError(
            f"{settings.crystals!r} has no crystal for validation among the held-out "
            "ones: give more crystals, or set evaluation.validation to 0"
        )
    generator = validation_generator(settings.seed)
    order = generator.permutation(len(selection.structures))
    chosen = order[: settings.validation]
    structures = [selection.structures[i] for i in chosen]
    low, high = run.measurement.specimens.size_nm
    sizes_nm = generator.uniform(low, high, len(chosen)).astype(np.float32)
    patterns = patterns_of_structures(structures, run.measurement, sizes_nm)
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
        probabilities = classify_patterns(trained, patterns, run.evaluation.batch_size)
        return float((probabilities.argmax(-1) == labels).mean())

    return validate


def standard_validation(run: Run, source: Source | None = None) -> Validate | None:
    """On known crystals, where some are named and held out; else on synthetic ones.

    Args:
        run: without parameters.
        source: of other patterns than those of the run's synthetic crystals.

    Returns:
        None if the run asks for no validation.
    """
    if not run.evaluation.validation:
        return None
    if run.evaluation.crystals and run.provenance.get("held_out"):
        return make_validation(run, lambda: known_patterns(run))
    synthetic = source or synthetic_source(run.config, run.statistics)
    return make_validation(run, lambda: synthetic_patterns(run, synthetic))
