"""The sets of patterns that a network is evaluated on, as sections of its report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Int

from xrdjax.crystals.cif import Reading
from xrdjax.crystals.crystal import Structure
from xrdjax.crystals.textbook import gallery_structures
from xrdjax.diffraction.line_count import line_count
from xrdjax.evaluation.answers import (
    Answers,
    Examples,
    Simulate,
    answer_known,
    answer_synthetic,
)
from xrdjax.evaluation.cells import score_cells
from xrdjax.evaluation.errors import (
    explain_errors,
    positions_ceiling,
    summed_accuracies,
)
from xrdjax.evaluation.metrics import score, top1_and_top5
from xrdjax.known.analyses import AnalysedCrystals
from xrdjax.known.selection import describe_crystals, select_crystals
from xrdjax.known.splits import Split
from xrdjax.patterns.batch import Source
from xrdjax.prior.file import crystals_of_groups
from xrdjax.run import Run

# Known crystals of a group whose accuracy is also counted as the paper does, which
# leaves rarer groups out.
_COMMON = 50


@dataclass(frozen=True)
class EvaluationSet:
    """Results of a network on one set of patterns.

    Attributes:
        name: key in the report.
        section: of the report: title, description, counts and the score, which is None
            if there are no patterns.
        examples: some of the patterns, for a figure.
    """

    name: str
    section: dict[str, Any]
    examples: Examples


@dataclass(frozen=True)
class KnownCrystals:
    """Known crystals to evaluate on.

    Attributes:
        name: key of their set in the report.
        about: title, description and others, for the report.
        crystals: all of them.
        split: into crystals of the statistics and held-out ones; None takes all.
        part: part of the split to evaluate on.
    """

    name: str
    about: dict[str, Any]
    crystals: AnalysedCrystals | Reading
    split: Split | None = None
    part: str = "held_out"


def collected(
    path: str, crystals: AnalysedCrystals, split: Split | None, part: str
) -> KnownCrystals:
    """Crystals of a path; arguments as for `select_crystals`."""
    about = describe_crystals(path, split, part)
    return KnownCrystals("crystals", about, crystals, split, part)


def textbook() -> KnownCrystals:
    """The gallery of the package, of any structure type."""
    about = {
        "title": "gallery",
        "description": "The textbook crystals of the package, whether or not the "
        "statistics were made from their structure type.",
    }
    reading = Reading(tuple(gallery_structures().values()), ())
    return KnownCrystals("gallery", about, reading)


def full_score(
    run: Run,
    answers: Answers,
    type_keys: tuple[str, ...] = (),
    line_counts: Int[np.ndarray, " n"] | None = None,
) -> dict[str, Any] | None:
    """All figures of merit and an analysis of errors; None if there are no answers.

    Args:
        run: the network that answered.
        answers: to n patterns.
        type_keys: structure type of each pattern, if known.
        line_counts: [n] lines of each pattern, if known.
    """
    if not len(answers.labels):
        return None
    given = answers.probabilities, answers.labels, run.space_groups
    frequencies = np.asarray(run.statistics.frequencies)
    result = {
        **score(*given, frequencies, type_keys),
        "by_summed_probabilities": summed_accuracies(*given),
        "ceiling_of_positions": positions_ceiling(*given[1:], frequencies),
        "why_it_errs": explain_errors(*given, line_counts),
    }
    crystals = crystals_of_groups(run.statistics, run.provenance)
    if np.any(common := crystals >= _COMMON) and not np.all(common):
        result["common_groups"] = {
            "min_crystals": _COMMON,
            "space_groups": int(common.sum()),
            **top1_and_top5(*(x[common[answers.labels]] for x in given[:2])),
        }
    if answers.cells is None or answers.true_cells is None:
        return result
    cells = score_cells(*given, answers.cells, answers.true_cells)
    return result | {"unit_cells": cells}


def _line_counts(run: Run, structures: Sequence[Structure]) -> Int[np.ndarray, " n"]:
    """Number of lines of each crystal in the angular range of the run's network."""
    wavelength = float(run.measurement.instruments.wavelengths[0])
    low, high = (u / wavelength for u in run.measurement.grid.u_range)
    counts = [line_count(structure, (low, high)) for structure in structures]
    return np.array(counts, dtype=np.int64)


def synthetic_set(
    run: Run, mesh: Mesh, source: Source, count: int, progress: bool = False
) -> EvaluationSet:
    """Fresh synthetic crystals; arguments as for `answer_synthetic`."""
    answers, counts = answer_synthetic(run, mesh, source, count, progress)
    section = {
        "title": "synthetic crystals",
        "description": "Fresh synthetic crystals, sampled from the run's statistics.",
        "counts": {"evaluated": count},
        "generator": counts,
        "score": full_score(run, answers),
    }
    return EvaluationSet("synthetic", section, answers.examples)


def known_set(
    run: Run,
    mesh: Mesh,
    known: KnownCrystals,
    simulate: Simulate,
    progress: bool = False,
) -> EvaluationSet:
    """Known crystals of space groups that the run can recognise.

    Args:
        run: the network, its parameters on the devices of the mesh.
        mesh: devices of this process.
        known: the crystals; those of other groups or beyond the run's limits are left
            out.
        simulate: returns their patterns.
        progress: whether to show bars.
    """
    selection = select_crystals(
        known.crystals,
        run.space_groups.tolist(),
        split=known.split,
        part=known.part,
        progress=progress,
        **run.evaluation.crystal_limits,
    )
    answers = answer_known(run, mesh, selection, simulate, progress)
    section = known.about | {
        "counts": selection.counts,
        "failures": [vars(failure) for failure in selection.failures],
        "score": full_score(
            run,
            answers,
            selection.type_keys,
            _line_counts(run, selection.structures),
        ),
    }
    return EvaluationSet(known.name, section, answers.examples)
