"""The sets of patterns that a network is evaluated on, one after the other."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jax.sharding import Mesh

from xrdjax.build import synthetic_source
from xrdjax.crystals.cif import Reading
from xrdjax.crystals.textbook import gallery_structures
from xrdjax.devices import replicate
from xrdjax.evaluation.answers import (
    Answers,
    Simulate,
    answer_crystals,
    answer_synthetic,
)
from xrdjax.known.analyses import AnalysedCrystals
from xrdjax.known.selection import describe_crystals, select_crystals
from xrdjax.known.splits import Split
from xrdjax.patterns.batch import Source
from xrdjax.patterns.structures import patterns_of_structures
from xrdjax.run import Run


@dataclass(frozen=True)
class EvaluationSet:
    """What a network answered on one set of patterns.

    Attributes:
        name: key in the report.
        about: title, description, counts and failures, for the report.
        answers: of the network.
        type_keys: structure type of each pattern, if known.
    """

    name: str
    about: dict[str, Any]
    answers: Answers
    type_keys: tuple[str, ...] = ()

    def section(self) -> dict[str, Any]:
        """The set in the report, with its figures of merit."""
        return self.about | {"score": self.answers.score(self.type_keys)}


@dataclass(frozen=True)
class Evaluator:
    """A network on its devices, and the simulators that question it.

    Attributes:
        run: the network, its parameters on the devices of the mesh.
        mesh: devices of this process.
        source: of synthetic crystals' patterns; by default the run's.
        simulate: patterns of given structures; by default by the run's measurement.
        progress: whether to show bars.
    """

    run: Run
    mesh: Mesh
    source: Source | None = None
    simulate: Simulate | None = None
    progress: bool = True

    def synthetic(self, count: int) -> EvaluationSet:
        """Fresh synthetic crystals."""
        run = self.run
        source = self.source or synthetic_source(run.config, run.statistics)
        source = replicate(source, self.mesh)
        answers, counts = answer_synthetic(run, self.mesh, source, count, self.progress)
        about = {
            "title": "synthetic crystals",
            "description": "Fresh synthetic crystals, sampled from the run's "
            "statistics.",
            "counts": {"evaluated": count},
            "generator": counts,
        }
        return EvaluationSet("synthetic", about, answers)

    def known(
        self,
        path: str,
        crystals: AnalysedCrystals | Reading,
        split: Split | None,
        part: str,
    ) -> EvaluationSet:
        """Known crystals of a path, or of one part of it."""
        about = describe_crystals(path, split, part)
        return self._crystals("crystals", about, crystals, split, part)

    def gallery(self) -> EvaluationSet:
        """The textbook crystals of the package, whatever their structure type."""
        about = {
            "title": "gallery",
            "description": "The textbook crystals of the package, whatever their type.",
        }
        reading = Reading(tuple(gallery_structures().values()), ())
        return self._crystals("gallery", about, reading, None, "held_out")

    def _crystals(
        self,
        name: str,
        about: dict[str, Any],
        crystals: AnalysedCrystals | Reading,
        split: Split | None,
        part: str,
    ) -> EvaluationSet:
        selection = select_crystals(
            crystals,
            self.run.space_groups.tolist(),
            split=split,
            part=part,
            progress=self.progress,
            **self.run.evaluation.crystal_limits,
        )
        answers = answer_crystals(
            self.run,
            self.mesh,
            selection,
            self.simulate or self._patterns,
            self.progress and name != "gallery",
        )
        found = {
            "counts": selection.counts,
            "failures": [vars(failure) for failure in selection.failures],
        }
        return EvaluationSet(name, about | found, answers, selection.type_keys)

    def _patterns(self, structures, sizes_nm: np.ndarray) -> np.ndarray:
        return patterns_of_structures(
            structures, self.run.measurement, sizes_nm, self.mesh
        )
