"""What a network says about random and about known crystals, batch by batch.

Patterns are thrown away once they are classified, so that memory does not grow with
the number of crystals.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jax.tree_util import Partial
from jaxtyping import Float, Int
from tqdm import tqdm

from xrdjax.checkpoints.writer import Run
from xrdjax.config import make_generator, make_simulation
from xrdjax.crystals.crystal import Structure
from xrdjax.devices import (
    AXIS,
    gather_shares,
    is_first,
    per_device,
    replicate,
    share_of_process,
)
from xrdjax.evaluation.metrics import mean_over_types, score, top_k_hits
from xrdjax.evaluation.predict import classify_patterns
from xrdjax.known.selection import Selection
from xrdjax.patterns.pipeline import patterns_of_structures

# (key, batch size B) -> patterns [B, T], labels [B], counts.
Draw = Callable[[jax.Array, int], tuple[Any, Any, Mapping[str, Any]]]
# (structures, crystallite sizes [n] in nm) -> patterns [n, T].
Simulate = Callable[
    [Sequence[Structure], Float[np.ndarray, " n"]], Float[np.ndarray, "n T"]
]

# Patterns of each group that are kept for a figure.
_EXAMPLES = 3
# Folded into the seed: the keys used in training lie in another stream.
_TEST_STREAM = 2**31


@dataclass
class Answers:
    """The network's answers to one set of patterns.

    Attributes:
        run: the network.
        mesh: devices of this process, which share its part of the patterns.
        probabilities: one [B, K] a batch.
        labels: one [B] a batch, rows of the run's space groups.
        examples: for some rows, up to three (name, pattern [T]).
    """

    run: Run
    mesh: Mesh
    probabilities: list[Float[np.ndarray, "B K"]] = field(default_factory=list)
    labels: list[Int[np.ndarray, " B"]] = field(default_factory=list)
    examples: dict[int, list[tuple[str, Float[np.ndarray, " T"]]]] = field(
        default_factory=dict
    )

    def add(
        self,
        patterns: Float[np.ndarray, "B T"],
        labels: Int[np.ndarray, " B"],
        name_of: Callable[[int], str],
    ) -> None:
        """Classifies one batch; `name_of(i)` names its pattern i for a figure."""
        batch_size = self.run.config.evaluation.batch_size
        self.probabilities.append(
            classify_patterns(self.run, patterns, batch_size, self.mesh)
        )
        self.labels.append(labels)
        for i, label in enumerate(labels):
            kept = self.examples.setdefault(int(label), [])
            if len(kept) < _EXAMPLES:
                kept.append((name_of(i), patterns[i].copy()))

    def gather(self, count: int, unit: int = 1) -> None:
        """Adds the answers of the other processes, of `count` patterns in all."""
        if count == 0:
            return
        # a process may have none, and has these shapes all the same
        none = np.zeros((0, len(self.run.space_groups)), np.float32)
        probabilities = np.concatenate([none, *self.probabilities])
        labels = np.concatenate([np.zeros(0, np.int32), *self.labels])
        self.probabilities = [gather_shares(probabilities, count, unit)]
        self.labels = [gather_shares(labels, count, unit)]

    def score(self, type_keys: Sequence[str] = ()) -> dict | None:
        """Figures of merit, as `metrics.score`; None without any pattern.

        Args:
            type_keys: structure type of each pattern, if known, for the mean over
                types.
        """
        if not self.labels:
            return None
        probabilities = np.concatenate(self.probabilities)
        labels = np.concatenate(self.labels)
        frequencies = np.asarray(self.run.statistics.frequencies)
        result = score(probabilities, labels, self.run.space_groups, frequencies)
        if type_keys:
            hits = top_k_hits(probabilities, labels, 1)
            mean, count = mean_over_types(hits, type_keys)
            result["by_structure_type"] = {"types": count, "top1_mean": mean}
        return result


def generators(
    run: Run, mesh: Mesh, draw: Draw | None, simulate: Simulate | None
) -> tuple[Partial, Simulate]:
    """Simulators of random and of given crystals: these, or the standard ones."""
    if draw is not None and simulate is not None:
        return Partial(draw), simulate
    standard_draw, tables = make_generator(run.config, run.statistics)
    simulation = make_simulation(run.config)

    def standard_simulate(structures, sizes_nm):
        return patterns_of_structures(structures, simulation, sizes_nm, mesh)

    # its tables are seen, and become arguments of what is compiled
    standard = Partial(standard_draw, tables=replicate(tables, mesh))
    return Partial(draw) if draw else standard, simulate or standard_simulate


@functools.partial(jax.jit, static_argnames=("batch_size", "mesh"))
def _draw_batches(draw: Partial, stream: jax.Array, first, batch_size: int, mesh: Mesh):
    """One batch on each device; that of device d has the number first + d."""

    def share(draw, stream, first):
        key = jax.random.fold_in(stream, first + jax.lax.axis_index(AXIS))
        patterns, labels, counts = draw(key, batch_size=batch_size)
        return patterns, labels, jax.tree.map(lambda count: jnp.array([count]), counts)

    return per_device(share, mesh, PartitionSpec(), PartitionSpec(AXIS))(
        draw, stream, first
    )


def answer_synthetic(
    run: Run, mesh: Mesh, draw: Partial, count: int, progress: bool = False
) -> tuple[Answers, dict[str, int]]:
    """Classifies fresh random crystals, the same ones on any number of devices.

    Each batch has its own key, and each process and device its own batches.

    Args:
        run: the network, its parameters on the devices of the mesh.
        mesh: devices of this process.
        draw: a `Draw`, with arrays that are arguments of the compiled program.
        count: crystals of all processes.
        progress: whether to show a bar.

    Returns:
        Answers, and the generator's own counts, summed over the batches.
    """
    answers = Answers(run, mesh)
    batch_size = run.config.evaluation.batch_size
    stream = jax.random.fold_in(jax.random.key(run.config.seed), _TEST_STREAM)
    rows = share_of_process(count, batch_size)
    names = sorted(
        jax.eval_shape(functools.partial(draw, batch_size=batch_size), stream)[2]
    )
    totals = np.zeros((1, len(names)), np.int32)
    for start in tqdm(
        rows[:: batch_size * mesh.size],
        "synthetic crystals",
        unit="batch",
        disable=not (progress and is_first()),
    ):
        patterns, labels, counts = _draw_batches(
            draw, stream, start // batch_size, batch_size, mesh
        )
        # what is drawn beyond the end is thrown away
        used = min(batch_size * mesh.size, rows.stop - start)
        patterns, labels = np.asarray(patterns)[:used], np.asarray(labels)[:used]
        answers.add(patterns, labels, lambda i: "synthetic")
        totals += [
            np.asarray(counts[name])[: -(-used // batch_size)].sum() for name in names
        ]
    answers.gather(count, batch_size)
    totals = gather_shares(totals, jax.process_count()).sum(axis=0)
    return answers, dict(zip(names, totals.tolist(), strict=True))


def answer_crystals(
    run: Run,
    mesh: Mesh,
    selection: Selection,
    simulate: Simulate,
    progress: bool = False,
) -> Answers:
    """Classifies known crystals, of crystallite sizes drawn as in training."""
    answers = Answers(run, mesh)
    batch_size = run.config.evaluation.batch_size * mesh.size
    rng = np.random.default_rng([run.config.seed, _TEST_STREAM])
    smallest, largest = run.config.crystallite_size_nm
    count = len(selection.structures)
    sizes = rng.uniform(smallest, largest, count).astype(np.float32)
    rows = share_of_process(count)

    def simulate_and_add(batch: slice) -> None:
        structures = selection.structures[batch]
        patterns = np.asarray(simulate(structures, sizes[batch]))

        def name_of(i: int) -> str:
            structure = structures[i]
            return f"{structure.formula} ({structure.name.removesuffix('.cif')})"

        answers.add(patterns, selection.labels[batch], name_of)

    for start in tqdm(
        rows[::batch_size],
        "known crystals",
        unit="batch",
        disable=not (progress and is_first()),
    ):
        simulate_and_add(slice(start, min(start + batch_size, rows.stop)))
    answers.gather(count)
    return answers
