"""Patterns that state their space group, and a network that reads it.

Point k of a pattern is 1 if its space group is the k-th of the run, and 0 otherwise.
"""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from flax import struct
from tiny_run import tiny_config

from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.crystal import Structure
from xrdjax.patterns.batch import Batch, Targets
from xrdjax.prior.file import load_statistics
from xrdjax.run import Run, make_run

POINTS = 200
STATISTICS = load_statistics(min_crystals=50)
GROUPS = np.asarray(STATISTICS.space_groups)
PROVENANCE = {"held_out": 0.5, "seed": 1, "symprec": 0.01}


def row_of(number: int) -> int:
    """Row of a space group among the run's."""
    return GROUPS.tolist().index(number)


def code(rows: Sequence[int] | np.ndarray) -> np.ndarray:
    """Patterns [n, T] that state these rows [n]."""
    return np.eye(len(GROUPS), POINTS, dtype=np.float32)[np.asarray(rows, int)]


class Reader:
    """Stands in for a network: the height of point k is the logit of class k.

    Attributes:
        shapes: of the inputs that it was compiled for.
    """

    def __init__(self):
        self.shapes = []

    def apply(self, variables, inputs):
        self.shapes.append(inputs.shape)
        return variables["params"] * inputs[:, : len(GROUPS)]


# one, so that it compiles once
_READER = Reader()


@struct.dataclass
class CodedSource:
    """A `Source` of these space groups in turn."""

    rows: np.ndarray

    def sample(self, key, size):
        """Counts one crystal more than the batch has."""
        del key
        rows = jnp.resize(self.rows, (size,))
        patterns = jnp.zeros((size, POINTS)).at[jnp.arange(size), rows].set(1)
        return Batch(patterns, Targets(rows), {"drawn": jnp.int32(size + 1)})


SOURCE = CodedSource(np.array([row_of(n) for n in (221, 225, 229)], np.int32))


class Simulator:
    """Codes structures by their space group; remembers what it was asked for."""

    def __init__(self):
        self.sizes, self.batches = [], []

    def __call__(self, structures, sizes_nm):
        self.sizes.extend(sizes_nm.tolist())
        self.batches.append(len(structures))
        return code([row_of(structure.space_group) for structure in structures])


def reading_run(provenance: dict | None = None, **changes) -> Run:
    """A run whose network is a `Reader`, with batches of two; group 225 is frequent."""
    frequencies = np.full(len(GROUPS), 0.1 / len(GROUPS), np.float32)
    frequencies[row_of(225)] += np.float32(0.9)
    config = tiny_config(
        **{
            "points": POINTS,
            "seed": 3,
            "evaluation.batch_size": 2,
            "evaluation.synthetic": 7,
        }
        | changes
    )
    statistics = dataclasses.replace(STATISTICS, frequencies=frequencies)
    run = make_run(config, statistics, PROVENANCE if provenance is None else provenance)
    return dataclasses.replace(run, model=_READER, params=jnp.float32(20), step=40)


def cubic(name: str, number: int, a: float, **sites: tuple[float, ...]) -> Structure:
    """A cubic crystal from its elements' positions."""
    cell = (a, a, a, 90, 90, 90)
    return structure_from_sites(name, number, cell, list(sites), list(sites.values()))


CRYSTALS = (
    cubic("chloride", 221, 4.0, Cs=(0, 0, 0), Cl=(0.5, 0.5, 0.5)),
    cubic("salt", 225, 5.6, Na=(0, 0, 0), Cl=(0.5, 0.5, 0.5)),
    cubic("copper", 225, 4.0, Cu=(0, 0, 0)),
    cubic("iron", 229, 3.0, Fe=(0, 0, 0)),
    cubic("sulvanite", 215, 5.4, V=(0, 0, 0), Cu=(0.5, 0, 0), S=(0.24, 0.24, 0.24)),
)
"""One of each of five structure types, the last of a group that the run lacks."""
