"""Accuracy on known crystals, the same ones randomised, and synthetic ones."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from experiments.gap_analysis.answers import answer_groups, answer_structures
from experiments.gap_analysis.randomised import Kind, Randomised, Randomiser
from xrdjax.build import synthetic_source
from xrdjax.errors import InputError
from xrdjax.evaluation.metrics import mean_over_types, proportion, top_k_hits
from xrdjax.instrument.ranges import spread_of
from xrdjax.known.collection import known_crystals
from xrdjax.known.selection import Selection, select_crystals, split_of
from xrdjax.prior.prior import Prior
from xrdjax.prior.sampling import sample_group_rows
from xrdjax.run import Run

TITLES = {
    "unchanged": "held-out crystals, unchanged",
    "coordinates": "coordinates randomised",
    "cell": "cell shape randomised",
    "both": "coordinates and cell shape randomised",
    "same_groups": "synthetic, in the same groups",
    "synthetic": "synthetic, groups by frequency",
}
KINDS = {
    "coordinates": Kind(coordinates=True, cell=False),
    "cell": Kind(coordinates=False, cell=True),
    "both": Kind(coordinates=True, cell=True),
}


def held_out_crystals(
    run: Run,
    path: str | Path,
    limit: int | None = None,
    seed: int = 0,
    part: str = "held_out",
) -> Selection:
    """Known crystals of the structure types that the run's statistics leave out.

    Args:
        run: the network.
        path: CIF file, folder or zip, or the .npz file of their analyses.
        limit: number of crystals, chosen at random; all by default.
        seed: of that choice.
        part: of them, as in `select_crystals`; "test" leaves out those for validation.

    Raises:
        InputError: there are none.
    """
    selection = select_crystals(
        known_crystals(path, run.evaluation.symprec, progress=True),
        run.space_groups.tolist(),
        split=split_of(run.provenance),
        part=part,
        **run.evaluation.crystal_limits,
    )
    count = len(selection.structures)
    if not count:
        raise InputError(
            f"none of the {selection.counts['found']} crystals of {str(path)!r} is of a "
            "held-out structure type and a trained space group: give more crystals"
        )
    if limit is not None and limit < count:
        rng = np.random.default_rng(seed)
        rows = np.sort(rng.choice(count, limit, replace=False))
        selection = subset(selection, rows)
    return selection


def subset(selection: Selection, rows: Int[np.ndarray, " m"]) -> Selection:
    """Some of the crystals, with the counts of all."""
    return dataclasses.replace(
        selection,
        structures=tuple(selection.structures[i] for i in rows),
        labels=selection.labels[rows],
        type_keys=tuple(selection.type_keys[i] for i in rows),
    )


def gain(
    hits: Bool[np.ndarray, " n"], before: Bool[np.ndarray, " n"]
) -> dict[str, float]:
    """Mean difference between paired hits, with its 95 % interval.

    d +- 1.96 s / sqrt(n), s the standard deviation of the n differences.
    """
    differences = hits.astype(float) - before.astype(float)
    mean = float(differences.mean())
    spread = 1.96 * float(differences.std()) / np.sqrt(len(differences))
    return {"mean": mean, "low": mean - spread, "high": mean + spread}


def _accuracy(
    name: str, answers: Float[np.ndarray, "n K"], labels: Int[np.ndarray, " n"]
) -> dict:
    top1, top5 = (proportion(top_k_hits(answers, labels, k)) for k in (1, 5))
    return {"title": TITLES[name], "top1": top1._asdict(), "top5": top5._asdict()}


def _accuracy_over_types(hits: Bool[np.ndarray, " n"], known: Selection) -> dict:
    mean, types = mean_over_types(hits, known.type_keys)
    return {"types": types, "top1_over_types": mean}


def _randomise(
    keys: Key[Array, " kinds"], run: Run, prior: Prior, selection: Selection
) -> dict[str, Randomised]:
    """The crystals with each kind of randomisation."""
    limits = run.evaluation.crystal_limits
    randomised = {}
    for key, (name, kind) in zip(keys, KINDS.items(), strict=True):
        randomiser = Randomiser(
            prior, kind, limits["symprec"], limits["max_edge"], progress=True
        )
        randomised[name] = randomiser(key, selection)
    return randomised


def _rows_of_all(randomised: Mapping[str, Randomised]) -> Int[np.ndarray, " m"]:
    """Rows of the crystals for which every randomisation succeeded.

    Raises:
        InputError: there are none.
    """
    columns = list(zip(*(r.structures for r in randomised.values()), strict=True))
    rows = np.flatnonzero([None not in column for column in columns])
    if not len(rows):
        raise InputError(
            f"none of the {len(columns)} crystals could be randomised with the symmetry "
            "of its label: give more crystals"
        )
    return rows


def _answer_known(
    run: Run,
    known: Selection,
    randomised: Mapping[str, Randomised],
    rows: Int[np.ndarray, " n"],
    sizes_nm: Float[np.ndarray, " n"],
) -> dict[str, dict]:
    """Accuracy on the given rows of known crystals, unchanged and randomised."""
    labels = known.labels
    name = "unchanged"
    answers = answer_structures(run, known.structures, sizes_nm, TITLES[name])
    before = top_k_hits(answers, labels, 1)
    sets = {
        name: _accuracy(name, answers, labels) | _accuracy_over_types(before, known)
    }
    for name, crystals in randomised.items():
        structures = [s for i in rows if (s := crystals.structures[i]) is not None]
        answers = answer_structures(run, structures, sizes_nm, TITLES[name])
        hits = top_k_hits(answers, labels, 1)
        sets[name] = _accuracy(name, answers, labels)
        sets[name] |= _accuracy_over_types(hits, known)
        sets[name] |= {
            "changed": int(crystals.changed[rows].sum()),
            "drawn": crystals.drawn,
            "rejected": crystals.rejected,
            "gain": gain(hits, before),
        }
    return sets


def analyse_gap(run: Run, selection: Selection, seed: int) -> dict:
    """Accuracy on known crystals, the same ones randomised, and synthetic ones.

    Crystals for which any randomisation fails are left out of all sets, so that all
    sets consist of the same crystals.

    Args:
        run: the network.
        selection: known crystals.
        seed: of all random numbers.

    Returns:
        For JSON: "sets" by name, and the number of crystals "abandoned".
    """
    source = jax.device_put(synthetic_source(run.config, run.statistics))
    keys = jax.random.split(jax.random.key(seed), len(TITLES))
    randomised = _randomise(keys[: len(KINDS)], run, source.prior, selection)
    rows = _rows_of_all(randomised)
    known = subset(selection, rows)
    size_nm = spread_of(run.measurement.specimens.size_nm)
    low, high = size_nm.low, size_nm.high
    rng = np.random.default_rng(seed)
    sizes_nm = rng.uniform(low, high, len(rows)).astype(np.float32)
    sets = _answer_known(run, known, randomised, rows, sizes_nm)
    rows_key, *synthetic_keys = keys[len(KINDS) :]
    by_frequency = np.asarray(sample_group_rows(rows_key, source.prior, len(rows)))
    labels = {"same_groups": known.labels, "synthetic": by_frequency}
    for key, (name, groups) in zip(synthetic_keys, labels.items(), strict=True):
        groups = groups.astype(np.int32)
        answers = answer_groups(key, run, source, groups, TITLES[name])
        sets[name] = _accuracy(name, answers, groups)
    return {"sets": sets, "abandoned": len(selection.structures) - len(rows)}
