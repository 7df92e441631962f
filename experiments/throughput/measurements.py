"""The cost of the effects of a measurement: the generator with and without them."""

import runpy
from pathlib import Path
from typing import Any

import jax
import ml_collections

from experiments.throughput.stages import Bench, synthetic_patterns
from experiments.throughput.stopwatch import measure, pin
from xrdjax.build import measurement_of
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.measurement import Measurement, make_measurement
from xrdjax.patterns.synthetic import make_synthetic_source

# Points of the network's input in both.
_POINTS = 2126


def _config() -> ml_collections.ConfigDict:
    path = Path(__file__).parents[2] / "configs" / "measured.py"
    return runpy.run_path(str(path))["get_config"]()


def measurements() -> dict[str, Measurement]:
    """The paper's measurement on few points, and that of configs/measured.py.

    The latter once on equally few points, and once on the steps of a diffractometer.
    """
    config = _config()
    few = config.copy_and_resolve_references()
    with few.unlocked():
        few.points = _POINTS
    return {
        f"paper, {_POINTS} points": make_measurement(TwoThetaGrid(points=_POINTS)),
        f"measured, {_POINTS} points": measurement_of(few),
        f"measured, {config.points} points": measurement_of(config),
    }


def time_measurements(bench: Bench) -> dict[str, Any]:
    """Samples and simulates a batch by each measurement, on one core.

    To be called in a process of its own, which has not used JAX yet.
    """
    if jax.default_backend() == "cpu":
        pin(1)
    rows = {}
    for name, measurement in measurements().items():
        source = jax.device_put(make_synthetic_source(measurement=measurement))
        timing = measure(
            lambda key, source: synthetic_patterns(key, source, bench.batch).patterns,
            [(key, source) for key in bench.random_keys()],
            bench.repeats,
        )
        rows[name] = timing.as_dict(bench.batch)
    return rows
