"""A network's answers to synthetic and known crystals, one batch at a time.

Patterns are discarded once classified, so that memory does not grow with the number of
crystals.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Float, Int, Key
from tqdm import tqdm

from xrdjax.crystals.crystal import Structure
from xrdjax.crystals.lattices import parameters_from_lattice
from xrdjax.devices import (
    AXIS,
    gather_shares,
    is_first,
    per_device,
    share_of_process,
)
from xrdjax.evaluation.predict import Outputs, network_outputs
from xrdjax.instrument.ranges import spread_of
from xrdjax.known.selection import Selection
from xrdjax.patterns.batch import Batch, Source
from xrdjax.patterns.streams import evaluation_generator, evaluation_key
from xrdjax.patterns.structures import record_structures
from xrdjax.run import Run

# (structures, crystallite sizes [n] in nm) -> patterns [n, T].
Simulate = Callable[
    [Sequence[Structure], Float[np.ndarray, " n"]], Float[np.ndarray, "n T"]
]
# Some (name, pattern [T]) for the row of each space group.
Examples = dict[int, list[tuple[str, Float[np.ndarray, " T"]]]]

# Patterns of each group that are kept for a figure.
_EXAMPLES = 3
_NO_CELLS = np.zeros((0, 6), np.float32)
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class Answers:
    """A network's answers to one set of patterns.

    Attributes:
        probabilities: [n, K] of each space group.
        labels: [n] row of each pattern's space group among the run's.
        examples: the first few patterns of each group, from this process.
        cells: [n, L, 6] the cells of `predict.Outputs`, if the network gives any.
        true_cells: [n, 6] a, b, c (angstrom), alpha, beta, gamma (radians) in the
            reference settings, if the network gives cells and they are known.
    """

    probabilities: Float[np.ndarray, "n K"]
    labels: Int[np.ndarray, " n"]
    examples: Examples
    cells: Float[np.ndarray, "n L 6"] | None = None
    true_cells: Float[np.ndarray, "n 6"] | None = None


@dataclass(frozen=True)
class _Labelled:
    """Patterns [B, T], rows [B] of their groups, B names for a figure, masks [B, T].

    And their cells [B, 6] (angstrom, radians) in the reference settings.
    """

    patterns: Float[np.ndarray, "B T"]
    labels: Int[np.ndarray, " B"]
    names: Sequence[str]
    masks: Bool[np.ndarray, "B T"] | None = None
    cells: Float[np.ndarray, "B 6"] | None = None


def _classify_all(
    run: Run, mesh: Mesh, batches: Iterable[_Labelled], count: int, unit: int = 1
) -> Answers:
    """Classifies the batches of this process, and gathers those of all processes.

    Args:
        run: the network, its parameters on the devices of the mesh.
        mesh: devices of this process.
        batches: the patterns of `share_of_process(count, unit)`.
        count: patterns of all processes.
        unit: as in `share_of_process`.
    """
    # a process without a share contributes empty arrays of these shapes and types
    nothing = np.zeros((0, run.measurement.grid.points), np.float32)
    none = _Labelled(nothing, np.zeros(0, np.int32), (), None, _NO_CELLS)
    parts = [_arrays(network_outputs(run, nothing), none)]
    examples: Examples = {}
    for batch in batches:
        outputs = network_outputs(
            run, batch.patterns, run.evaluation.batch_size, mesh, batch.masks
        )
        parts.append(_arrays(outputs, batch))
        _keep_examples(examples, batch)
    arrays = {
        name: np.concatenate([part[name] for part in parts]) for name in parts[-1]
    }
    if count:
        arrays = {name: gather_shares(x, count, unit) for name, x in arrays.items()}
    return Answers(**arrays, examples=examples)


def _arrays(outputs: Outputs, batch: _Labelled) -> dict[str, np.ndarray]:
    """The fields of `Answers` to one batch that are arrays."""
    arrays = {
        "probabilities": outputs.probabilities,
        "labels": batch.labels.astype(np.int32),
    }
    if outputs.cells is None or batch.cells is None:
        return arrays
    return arrays | {"cells": outputs.cells, "true_cells": batch.cells}


def _keep_examples(examples: Examples, batch: _Labelled) -> None:
    for pattern, label, name in zip(
        batch.patterns, batch.labels.tolist(), batch.names, strict=True
    ):
        kept = examples.setdefault(label, [])
        if len(kept) < _EXAMPLES:
            kept.append((name, pattern.copy()))


def _starts(rows: range, size: int, title: str, progress: bool) -> Iterable[int]:
    """First row of each batch, with a progress bar in the first process if wanted."""
    hidden = not (progress and is_first())
    return tqdm(rows[::size], title, unit="batch", disable=hidden)


@functools.partial(jax.jit, static_argnames=("batch_size", "mesh"))
def _sample_batches(
    source: Source, key: Key[Array, ""], first: int | Array, batch_size: int, mesh: Mesh
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

    Each batch has its own key; each process and device classifies its own batches.

    Args:
        run: the network, its parameters on the devices of the mesh.
        mesh: devices of this process.
        source: of the patterns, replicated on the mesh.
        count: number of crystals in all processes together.
        progress: whether to show a bar.

    Returns:
        Answers, and the source's own counts, summed over the batches.
    """
    size = run.evaluation.batch_size
    key = evaluation_key(run.evaluation.seed)
    sample = functools.partial(_sample_batches, batch_size=size, mesh=mesh)
    rows = share_of_process(count, size)
    totals = dict.fromkeys(jax.eval_shape(sample, source, key, 0).counts, 0)

    def batches() -> Iterator[_Labelled]:
        for start in _starts(rows, size * mesh.size, "synthetic crystals", progress):
            batch = sample(source, key, start // size)
            # crystals sampled beyond the count are discarded
            used = min(size * mesh.size, rows.stop - start)
            for name, counts in batch.counts.items():
                totals[name] += int(np.sum(np.asarray(counts)[: -(-used // size)]))
            yield _Labelled(
                np.asarray(batch.patterns)[:used],
                np.asarray(batch.targets.group_rows)[:used],
                ["synthetic"] * used,
                *(
                    None if leaf is None else np.asarray(leaf)[:used]
                    for leaf in (batch.mask, batch.targets.unit_cells)
                ),
            )

    answers = _classify_all(run, mesh, batches(), count, size)
    own = np.array([list(totals.values())], np.int32)
    everybodys = gather_shares(own, jax.process_count()).sum(axis=0)
    return answers, dict(zip(totals, everybodys.tolist(), strict=True))


def _cells_of(structures: Sequence[Structure]) -> Float[np.ndarray, "B 6"]:
    """Cells of structures in their settings, angstrom and radians."""
    cells = [parameters_from_lattice(one.lattice) for one in structures]
    return np.array(cells, np.float32).reshape(-1, 6)


def _name(structure: Structure) -> str:
    """Formula and name, such as "ClNa (halite)"."""
    formula = structure.formula.translate(_SUBSCRIPTS)
    return f"{formula} ({structure.name.removesuffix('.cif')})"


def answer_known(
    run: Run,
    mesh: Mesh,
    selection: Selection,
    simulate: Simulate,
    progress: bool = False,
) -> Answers:
    """Classifies known crystals, of crystallite sizes sampled as in training.

    Args:
        run: the network, its parameters on the devices of the mesh.
        mesh: devices of this process.
        selection: the crystals, the same in all processes.
        simulate: returns their patterns.
        progress: whether to show a bar.
    """
    count = len(selection.structures)
    size = run.evaluation.batch_size * mesh.size
    size_nm = spread_of(run.measurement.specimens.size_nm)
    generator = evaluation_generator(run.evaluation.seed)
    sizes_nm = generator.uniform(size_nm.low, size_nm.high, count).astype(np.float32)
    rows = share_of_process(count)

    def batches() -> Iterator[_Labelled]:
        for start in _starts(rows, size, "known crystals", progress):
            batch = slice(start, min(start + size, rows.stop))
            structures = selection.structures[batch]
            masks = None
            if run.measurement.is_recorded:
                key = jax.random.fold_in(evaluation_key(run.evaluation.seed), start)
                patterns, masks = record_structures(
                    key, structures, run.measurement, mesh
                )
            else:
                patterns = np.asarray(simulate(structures, sizes_nm[batch]))
            yield _Labelled(
                patterns,
                selection.labels[batch],
                list(map(_name, structures)),
                masks,
                _cells_of(structures),
            )

    return _classify_all(run, mesh, batches(), count)
