"""Where a run's diffractograms come from: random crystals, known ones, or both."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from jaxtyping import Array

from xrdjax.config import make_generator, make_simulation
from xrdjax.diffraction.reflections import INDEX_LIMIT
from xrdjax.errors import InputError
from xrdjax.instrument.profiles import ProfileGrid, profile_grid
from xrdjax.known.analyses import known_crystals
from xrdjax.known.selection import Selection, select_crystals, split_of
from xrdjax.known.variations import Variation
from xrdjax.patterns.crystal_source import (
    CrystalTable,
    crystal_patterns,
    crystal_table,
    room_for,
)
from xrdjax.prior.tables import Statistics
from xrdjax.training.step import Draw


def check_source(config: ml_collections.ConfigDict) -> None:
    """Refuses to train on known crystals when none are named.

    Raises:
        InputError: source is not "synthetic" and crystals is empty.
    """
    if config.source != "synthetic" and not config.crystals:
        raise InputError(
            f"source is {config.source!r}, but crystals is empty: name them with "
            "--config.crystals=PATH, the same that the statistics were made from"
        )


def crystal_limits(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """What known crystals may be at most, as `select_crystals` takes it."""
    s_max = make_simulation(config).diffractometer.s_range[1]
    return {
        "symprec": config.symprec,
        "max_volume": config.max_volume,
        "max_sites": config.max_sites,
        "max_edge": 0.99 * INDEX_LIMIT / s_max,  # more has no Miller indices here
    }


def training_crystals(
    config: ml_collections.ConfigDict, statistics: Statistics, provenance: Mapping
) -> Selection:
    """Known crystals of the statistics' side, in its groups, within the run's limits.

    Args:
        config: names the crystals and the limits.
        statistics: of the run.
        provenance: of the statistics, which tells the split.
    """
    return select_crystals(
        known_crystals(config.crystals, config.symprec, progress=True),
        np.asarray(statistics.space_groups).tolist(),
        split=split_of(provenance) if provenance.get("held_out") else None,
        part="statistics",
        **crystal_limits(config),
    )


def _known_source(
    config: ml_collections.ConfigDict, statistics: Statistics, provenance: Mapping
) -> tuple[Draw, tuple[CrystalTable, ProfileGrid]]:
    """The generator that draws the `training_crystals`, and its tables."""
    selection = training_crystals(config, statistics, provenance)
    table = crystal_table(selection.structures, selection.labels)
    simulation, max_atoms = room_for(table, make_simulation(config))
    variation = Variation(strain=config.known.strain, exchange=config.known.exchange)

    def draw(key: Array, tables: tuple[CrystalTable, ProfileGrid], batch_size: int):
        return crystal_patterns(
            key, *tables, batch_size, simulation, max_atoms, variation
        )

    grid = profile_grid(simulation.diffractometer, *simulation.sizes_nm)
    return draw, (table, grid)


def mix(first: Draw, second: Draw, share: float) -> Draw:
    """A generator of both generators' patterns, in random order.

    Args:
        first, second: generators; the tables of the mixture are a pair of theirs.
        share: of the second one's patterns among those drawn together, in (0, 1), to
            the nearest pattern; at least one is of each.

    Returns:
        Generator of two patterns or more; its counts are the sums of theirs.
    """

    def draw(key: Array, tables: tuple[Any, Any], batch_size: int):
        of_second = min(max(1, round(share * batch_size)), batch_size - 1)
        first_key, second_key, order_key = jax.random.split(key, 3)
        patterns, labels, counts = first(first_key, tables[0], batch_size - of_second)
        more, labels_of_more, more_counts = second(second_key, tables[1], of_second)
        order = jax.random.permutation(order_key, batch_size)
        totals = {
            name: counts.get(name, 0) + more_counts.get(name, 0)
            for name in (*counts, *more_counts)
        }
        return (
            jnp.concatenate([patterns, more])[order],
            jnp.concatenate([labels, labels_of_more])[order],
            totals,
        )

    return draw


def make_source(
    config: ml_collections.ConfigDict, statistics: Statistics, provenance: Mapping
) -> tuple[Draw, Any]:
    """The generator of training patterns that a configuration asks for, and its tables.

    Random crystals by default; with `source` "crystals", the `training_crystals`, as
    often as it takes, of fresh crystallite sizes each time; with "mixed", both.

    Raises:
        InputError: the crystals cannot be read, or none can be trained on.
    """
    if config.source == "synthetic":
        return make_generator(config, statistics)
    known, known_tables = _known_source(config, statistics, provenance)
    if config.source == "crystals":
        return known, known_tables
    random, random_tables = make_generator(config, statistics)
    return mix(random, known, config.known.share), (random_tables, known_tables)
