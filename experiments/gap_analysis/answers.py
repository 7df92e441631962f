"""A network's answers to given structures, and to synthetic crystals of given groups."""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key
from tqdm import tqdm

from xrdjax.crystals.crystal import Structure
from xrdjax.evaluation.predict import classify_patterns
from xrdjax.patterns.structures import patterns_of_structures
from xrdjax.patterns.synthetic import SyntheticSource
from xrdjax.prior.sampling import sample_crystals
from xrdjax.run import Run

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
        title: of the progress bar.
    """
    answers = []
    for start in tqdm(range(0, len(structures), _BATCH), title, disable=None):
        batch = slice(start, start + _BATCH)
        patterns = patterns_of_structures(
            structures[batch], run.measurement, sizes_nm[batch]
        )
        answers.append(classify_patterns(run, patterns, run.evaluation.batch_size))
    return np.concatenate(answers)


@jax.jit
def _patterns_of_groups(
    key: Key[Array, ""], source: SyntheticSource, group_rows: Int[Array, " B"]
) -> Float[Array, "B T"]:
    crystal_key, measurement_key = jax.random.split(key)
    sites, _ = sample_crystals(crystal_key, source.prior, group_rows, source.limits)
    return source.measure(measurement_key, sites).patterns


def answer_groups(
    key: Key[Array, ""],
    run: Run,
    source: SyntheticSource,
    group_rows: Int[np.ndarray, " n"],
    title: str,
) -> Float[np.ndarray, "n K"]:
    """The network's answers to synthetic crystals of given groups.

    Args:
        key: random key.
        run: the network.
        source: of the crystals.
        group_rows: [n] rows of the groups in the statistics.
        title: of the progress bar.
    """
    size, count = run.evaluation.batch_size, len(group_rows)
    answers = []
    for i in tqdm(range(-(-count // size)), title, disable=None):
        rows = np.arange(i * size, (i + 1) * size) % count  # the last batch is padded
        batch_key = jax.random.fold_in(key, i)
        patterns = _patterns_of_groups(batch_key, source, group_rows[rows])
        answers.append(classify_patterns(run, np.asarray(patterns), size))
    return np.concatenate(answers)[:count]
