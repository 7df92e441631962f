"""What a network says about random and about known crystals, batch by batch.

Patterns are thrown away once they are classified, so that memory does not grow with
the number of crystals.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int
from tqdm import tqdm

from xrdjax.checkpoints import Run
from xrdjax.classify import classify
from xrdjax.crystals.crystal import Structure
from xrdjax.metrics import mean_over_types, score, top_k_hits
from xrdjax.real_crystals import Selection

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
        probabilities: one [B, K] a batch.
        labels: one [B] a batch, rows of the run's space groups.
        examples: for some rows, up to three (name, pattern [T]).
    """

    run: Run
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
        self.probabilities.append(classify(self.run, patterns, batch_size))
        self.labels.append(labels)
        for i, label in enumerate(labels):
            kept = self.examples.setdefault(int(label), [])
            if len(kept) < _EXAMPLES:
                kept.append((name_of(i), patterns[i].copy()))

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


def answer_synthetic(
    run: Run, draw: Draw, count: int, progress: bool = False
) -> tuple[Answers, dict[str, float]]:
    """Classifies fresh random crystals.

    Returns:
        Answers, and the generator's own counts, summed over the batches.
    """
    answers = Answers(run)
    totals: dict[str, float] = {}
    batch_size = run.config.evaluation.batch_size
    stream = jax.random.fold_in(jax.random.key(run.config.seed), _TEST_STREAM)
    starts = range(0, count, batch_size)
    for i, start in enumerate(
        tqdm(starts, "synthetic crystals", unit="batch", disable=not progress)
    ):
        key = jax.random.fold_in(stream, i)
        patterns, labels, counts = draw(key, batch_size)
        for name, value in counts.items():
            totals[name] = totals.get(name, 0.0) + float(value)
        used = min(batch_size, count - start)
        patterns, labels = np.asarray(patterns)[:used], np.asarray(labels)[:used]
        answers.add(patterns, labels, lambda i: "synthetic")
    return answers, totals


def answer_crystals(
    run: Run, selection: Selection, simulate: Simulate, progress: bool = False
) -> Answers:
    """Classifies known crystals, of crystallite sizes drawn as in training."""
    answers = Answers(run)
    batch_size = run.config.evaluation.batch_size
    rng = np.random.default_rng([run.config.seed, _TEST_STREAM])
    smallest, largest = run.config.crystallite_size_nm
    sizes = rng.uniform(smallest, largest, len(selection.structures))

    def simulate_and_add(batch: slice) -> None:
        structures = selection.structures[batch]
        patterns = np.asarray(simulate(structures, sizes[batch].astype(np.float32)))

        def name_of(i: int) -> str:
            structure = structures[i]
            return f"{structure.formula} ({structure.name.removesuffix('.cif')})"

        answers.add(patterns, selection.labels[batch], name_of)

    starts = range(0, len(selection.structures), batch_size)
    for start in tqdm(starts, "known crystals", unit="batch", disable=not progress):
        simulate_and_add(slice(start, start + batch_size))
    return answers
