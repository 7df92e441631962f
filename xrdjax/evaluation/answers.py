"""What a network says about random and about known crystals, batch by batch.

Patterns are thrown away once they are classified, so that memory does not grow with
the number of crystals.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Float, Int
from tqdm import tqdm

from xrdjax.crystals.crystal import Structure
from xrdjax.devices import (
    AXIS,
    gather_shares,
    is_first,
    per_device,
    share_of_process,
)
from xrdjax.evaluation.metrics import mean_over_types, score, top_k_hits
from xrdjax.evaluation.predict import classify_patterns
from xrdjax.known.selection import Selection
from xrdjax.patterns.batch import Batch, Source
from xrdjax.patterns.streams import evaluation_generator, evaluation_key
from xrdjax.run import Run

# (structures, crystallite sizes [n] in nm) -> patterns [n, T].
Simulate = Callable[
    [Sequence[Structure], Float[np.ndarray, " n"]], Float[np.ndarray, "n T"]
]

# Patterns of each group that are kept for a figure.
_EXAMPLES = 3


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
        batch_size = self.run.evaluation.batch_size
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


@functools.partial(jax.jit, static_argnames=("batch_size", "mesh"))
def _sample_batches(
    source: Source, key: jax.Array, first: int, batch_size: int, mesh: Mesh
) -> Batch:
    """One batch on each device; that of device d has the number first + d."""

    def share(source, key, first):
        number = first + jax.lax.axis_index(AXIS)
        batch = source.sample(jax.random.fold_in(key, number), batch_size)
        counts = jax.tree.map(lambda count: jnp.array([count]), batch.counts)
        return batch.replace(counts=counts)

    return per_device(share, mesh, PartitionSpec(), PartitionSpec(AXIS))(
        source, key, first
    )


def answer_synthetic(
    run: Run, mesh: Mesh, source: Source, count: int, progress: bool = False
) -> tuple[Answers, dict[str, int]]:
    """Classifies fresh synthetic crystals, the same ones on any number of devices.

    Each batch has its own key, and each process and device its own batches.

    Args:
        run: the network, its parameters on the devices of the mesh.
        mesh: devices of this process.
        source: of the patterns, replicated on the mesh.
        count: crystals of all processes.
        progress: whether to show a bar.

    Returns:
        Answers, and the source's own counts, summed over the batches.
    """
    answers = Answers(run, mesh)
    batch_size = run.evaluation.batch_size
    key = evaluation_key(run.evaluation.seed)
    rows = share_of_process(count, batch_size)
    counts = jax.eval_shape(lambda key: source.sample(key, batch_size), key).counts
    names = sorted(counts)
    totals = np.zeros((1, len(names)), np.int32)
    for start in tqdm(
        rows[:: batch_size * mesh.size],
        "synthetic crystals",
        unit="batch",
        disable=not (progress and is_first()),
    ):
        batch = _sample_batches(source, key, start // batch_size, batch_size, mesh)
        # what is sampled beyond the end is thrown away
        used = min(batch_size * mesh.size, rows.stop - start)
        answers.add(
            np.asarray(batch.patterns)[:used],
            np.asarray(batch.targets.group_rows)[:used],
            lambda i: "synthetic",
        )
        batches = -(-used // batch_size)
        totals += [np.asarray(batch.counts[name])[:batches].sum() for name in names]
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
    batch_size = run.evaluation.batch_size * mesh.size
    generator = evaluation_generator(run.evaluation.seed)
    low, high = run.measurement.specimens.size_nm
    count = len(selection.structures)
    sizes = generator.uniform(low, high, count).astype(np.float32)
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
