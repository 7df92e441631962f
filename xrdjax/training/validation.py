"""Accuracy while a network is trained, on patterns that it is not trained on."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from xrdjax.build import synthetic_source
from xrdjax.errors import InputError
from xrdjax.evaluation.predict import classify_patterns
from xrdjax.instrument.ranges import spread_of
from xrdjax.known.collection import known_crystals
from xrdjax.known.selection import select_crystals, split_of
from xrdjax.patterns.batch import Source
from xrdjax.patterns.streams import validation_generator, validation_key
from xrdjax.patterns.structures import patterns_of_structures, record_structures
from xrdjax.run import Run

# Parameters of the network -> share of validation patterns classified right, 0 to 1.
Validate = Callable[[Any], float]


class Labelled(NamedTuple):
    """Patterns for validation.

    Attributes:
        patterns: [n, T] with maximum 1.
        rows: [n] of their groups among the classes.
        masks: [n, T] which points were measured; None for all.
    """

    patterns: Float[np.ndarray, "n T"]
    rows: Int[np.ndarray, " n"]
    masks: Bool[np.ndarray, "n T"] | None = None


def synthetic_patterns(run: Run, source: Source) -> Labelled:
    """Patterns of synthetic crystals, the same for a seed.

    Args:
        run: whose seed, batch size and number of validation patterns are used.
        source: of the patterns; it is copied to the first device of this process.
    """
    settings = run.evaluation
    count, size = settings.validation, settings.batch_size
    key = validation_key(settings.seed)
    source = jax.device_put(source, jax.local_devices()[0])
    sample = jax.jit(lambda key, source: source.sample(key, size))
    patterns, rows, masks = [], [], []
    for number in range(math.ceil(count / size)):
        batch = sample(jax.random.fold_in(key, number), source)
        patterns.append(np.asarray(batch.patterns))
        rows.append(np.asarray(batch.targets.group_rows))
        if batch.mask is not None:
            masks.append(np.asarray(batch.mask))
    return Labelled(
        np.concatenate(patterns)[:count],
        np.concatenate(rows)[:count],
        np.concatenate(masks)[:count] if masks else None,
    )


def known_patterns(run: Run) -> Labelled:
    """Patterns of known crystals for validation, the same for a seed.

    They are those of the fifth of the held-out crystals that is kept for validation; if
    these are more than evaluation.validation, of a random choice of them.

    Args:
        run: with the path of the crystals, their split and limits, and the measurement.

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
    labels = selection.labels[chosen]
    if run.measurement.is_recorded:
        key = validation_key(settings.seed)
        patterns, masks = record_structures(key, structures, run.measurement)
        return Labelled(patterns, labels, masks)
    size = spread_of(run.measurement.specimens.size_nm)
    sizes_nm = generator.uniform(size.low, size.high, len(chosen)).astype(np.float32)
    patterns = patterns_of_structures(structures, run.measurement, sizes_nm)
    return Labelled(patterns, labels)


def make_validation(run: Run, make_patterns: Callable[[], Labelled]) -> Validate:
    """The accuracy on patterns that are made once, when they are first needed.

    Args:
        run: with the network, whose parameters are not used.
        make_patterns: makes the patterns.
    """
    patterns_once = functools.cache(make_patterns)

    def validate(params: Any) -> float:
        patterns, rows, masks = patterns_once()
        local = jax.tree.map(lambda leaf: leaf.addressable_data(0), params)
        trained = dataclasses.replace(run, params=local)
        probabilities = classify_patterns(
            trained, patterns, run.evaluation.batch_size, masks=masks
        )
        return float((probabilities.argmax(-1) == rows).mean())

    return validate


def standard_validation(run: Run, source: Source | None = None) -> Validate | None:
    """Validation on known crystals where some are named and held out, else synthetic.

    Args:
        run: a run, whose parameters are not used.
        source: of synthetic patterns; by default of the run's synthetic crystals.

    Returns:
        None if the run asks for no validation.
    """
    if not run.evaluation.validation:
        return None
    if run.evaluation.crystals and run.provenance.get("held_out"):
        return make_validation(run, lambda: known_patterns(run))

    def make_synthetic() -> Labelled:
        synthetic = source or synthetic_source(run.config, run.statistics)
        return synthetic_patterns(run, synthetic)

    return make_validation(run, make_synthetic)
