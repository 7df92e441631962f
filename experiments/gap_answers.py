"""What a network says about given structures, and about random ones of given groups."""

import functools
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key
from tqdm import tqdm
from xrdjax.instrument.profiles import ProfileGrid, profile_grid
from xrdjax.patterns.pipeline import patterns_of_structures, simulate_sites

from xrdjax.checkpoints.writer import Run
from xrdjax.config import make_simulation
from xrdjax.crystals.crystal import Structure
from xrdjax.diffraction.kernel import Simulation
from xrdjax.evaluation.predict import classify_patterns
from xrdjax.prior.prior import Limits, Prior
from xrdjax.prior.sampling import sample_crystals

# Known crystals simulated at once: they are sorted by size among themselves.
_BATCH = 1024


def answer_structures(
    run: Run,
    structures: Sequence[Structure],
    sizes_nm: Float[np.ndarray, " n"],
    title: str,
) -> Float[np.ndarray, "n K"]:
    """The network's answers to given structures.

    Args:
        run: the network.
        structures: n crystals.
        sizes_nm: [n] crystallite sizes, nanometres.
        title: of the bar.
    """
    simulation = make_simulation(run.config)
    answers = []
    for start in tqdm(range(0, len(structures), _BATCH), title, disable=None):
        batch = slice(start, start + _BATCH)
        patterns = patterns_of_structures(
            structures[batch], simulation, sizes_nm[batch]
        )
        answers.append(
            classify_patterns(run, patterns, run.config.evaluation.batch_size)
        )
    return np.concatenate(answers)


@functools.partial(jax.jit, static_argnames=("simulation", "limits"))
def _patterns_of_groups(
    key: Key[Array, ""],
    prior: Prior,
    grid: ProfileGrid,
    groups: Int[Array, " B"],
    sizes_nm: Float[Array, " B"],
    simulation: Simulation,
    limits: Limits,
) -> Float[Array, "B T"]:
    sites, _ = sample_crystals(key, prior, groups, limits)
    return simulate_sites(sites, sizes_nm, prior, grid, simulation, limits)[0]


def answer_groups(
    key: Key[Array, ""],
    run: Run,
    prior: Prior,
    groups: Int[np.ndarray, " n"],
    sizes_nm: Float[np.ndarray, " n"],
    title: str,
) -> Float[np.ndarray, "n K"]:
    """The network's answers to random crystals of given groups.

    Args:
        key: random key.
        run: the network.
        prior: statistics and tables.
        groups: [n] rows of the groups in the statistics.
        sizes_nm: [n] crystallite sizes, nanometres.
        title: of the bar.
    """
    simulation = make_simulation(run.config)
    limits = Limits(max_volume=run.config.max_volume, max_sites=run.config.max_sites)
    grid = profile_grid(simulation.diffractometer, *simulation.sizes_nm)
    size = run.config.evaluation.batch_size
    answers = []
    for i in tqdm(range(-(-len(groups) // size)), title, disable=None):
        rows = np.arange(i * size, (i + 1) * size) % len(groups)  # the last, filled up
        patterns = _patterns_of_groups(
            jax.random.fold_in(key, i),
            prior,
            grid,
            groups[rows],
            sizes_nm[rows],
            simulation,
            limits,
        )
        answers.append(classify_patterns(run, np.asarray(patterns), size))
    return np.concatenate(answers)[: len(groups)]
