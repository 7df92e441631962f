"""Evaluates a run on all of its sets of patterns, and writes the report."""

import dataclasses
import functools
import time
from pathlib import Path
from typing import Any

import numpy as np
from jax.sharding import Mesh

from xrdjax import devices
from xrdjax.build import synthetic_source
from xrdjax.errors import InputError
from xrdjax.evaluation import report
from xrdjax.evaluation.answers import Simulate
from xrdjax.evaluation.report_plots import plot_report
from xrdjax.evaluation.sets import (
    EvaluationSet,
    KnownCrystals,
    collected,
    known_set,
    synthetic_set,
    textbook,
)
from xrdjax.files import require_writable, write_text
from xrdjax.known.collection import known_crystals
from xrdjax.known.selection import choose_split
from xrdjax.patterns.batch import Source
from xrdjax.patterns.structures import patterns_of_structures
from xrdjax.run import MEASURED, PRETRAINED, Run, is_weights, load_network


@dataclasses.dataclass(frozen=True)
class Request:
    """What is to be evaluated, and where the report is written.

    Attributes:
        workdir: work directory of the run, or a folder of weights.
        crystals: CIF file, folder or zip of known crystals, or the .npz file of
            their analyses; by default those that the run's configuration names, if any.
        checkpoint: "newest", or "best" by validation accuracy.
        split: "held_out" takes only crystals of the structure types held out of the
            statistics, "validation" a fifth of these, "test" the rest of them, "all"
            every crystal. The default is held_out if the statistics hold out any
            types, but test for the best checkpoint of a run that names crystals.
        synthetic: number of fresh synthetic crystals; by default as configured.
        out: JSON file to write, with a page (.md) and a folder of figures of the
            same name beside it; by default report.json in the work directory, or in
            the current directory for the bundled weights.
        overwrite: whether an earlier report may be replaced.
        progress: whether to show bars.
    """

    workdir: str | Path
    crystals: str | Path | None = None
    checkpoint: str = "newest"
    split: str | None = None
    synthetic: int | None = None
    out: str | Path | None = None
    overwrite: bool = True
    progress: bool = True

    @property
    def report_path(self) -> Path:
        """The JSON file that is written."""
        if self.out is not None:
            return Path(self.out)
        # nothing is written into the package's own folder
        is_bundled = Path(self.workdir) in (PRETRAINED, MEASURED)
        return (Path() if is_bundled else Path(self.workdir)) / "report.json"

    @property
    def page_path(self) -> Path:
        """The page in Markdown beside it."""
        return self.report_path.with_suffix(".md")

    @property
    def figures_path(self) -> Path:
        """The folder of figures beside it."""
        return self.report_path.with_name(f"{self.report_path.stem}_figures")


def _check_out(request: Request) -> None:
    if request.report_path.suffix != ".json":
        raise InputError(
            f"cannot write the report to {str(request.report_path)!r}: name a file "
            "that ends in .json"
        )
    for path in (request.report_path, request.page_path):
        require_writable(path, overwrite=request.overwrite)
    if request.figures_path.is_file():
        raise InputError(
            f"cannot write the figures to {str(request.figures_path)!r}: it is a file, "
            "remove it or name another report with --out"
        )


def _find_crystals(request: Request, run: Run) -> KnownCrystals | None:
    """The known crystals of the request, or else those of the run, if any."""
    settings = run.evaluation
    # a folder of weights does not state which crystals its checkpoint was chosen by
    chosen_by_crystals = is_weights(Path(request.workdir)) or bool(
        settings.crystals and settings.validation and request.checkpoint == "best"
    )
    split, part = choose_split(request.split, run.provenance, chosen_by_crystals)
    path = request.crystals or settings.crystals
    if not path:
        return None
    crystals = known_crystals(path, settings.symprec, progress=request.progress)
    return collected(str(path), crystals, split, part)


def _evaluate_sets(
    request: Request,
    run: Run,
    known: KnownCrystals | None,
    source: Source | None,
    simulate: Simulate | None,
) -> list[EvaluationSet]:
    """All sets, in the order of the report."""
    mesh = devices.local_mesh()
    run = dataclasses.replace(run, params=devices.replicate(run.params, mesh))
    simulate = simulate or functools.partial(_patterns, run, mesh)
    count = run.evaluation.synthetic if request.synthetic is None else request.synthetic
    sets = []
    if count:
        source = source or synthetic_source(run.config, run.statistics)
        source = devices.replicate(source, mesh)
        sets.append(synthetic_set(run, mesh, source, count, request.progress))
    if known is not None:
        sets.append(known_set(run, mesh, known, simulate, request.progress))
    return [*sets, known_set(run, mesh, textbook(), simulate)]


def _patterns(run: Run, mesh: Mesh, structures, sizes_nm: np.ndarray) -> np.ndarray:
    return patterns_of_structures(structures, run.measurement, sizes_nm, mesh)


def _notes(request: Request, run: Run, known: KnownCrystals | None) -> list[str]:
    """Notes that the reader needs to judge the results."""
    symprec = run.provenance.get("symprec", run.evaluation.symprec)
    if known is None:
        note = (
            "No known crystals were named: do so with --config.crystals=PATH in "
            f"training or `python -m xrdjax.evaluate --workdir={request.workdir} "
            "--crystals=PATH`."
        )
        return [note]
    if known.split is not None and symprec != run.evaluation.symprec:
        note = (
            f"The statistics were made with a symmetry tolerance of {symprec:g} "
            f"angstrom, these crystals were analysed with {run.evaluation.symprec:g}: "
            "a few types may count as held out although they were not."
        )
        return [note]
    return []


def evaluate_run(
    request: Request,
    *,
    source: Source | None = None,
    simulate: Simulate | None = None,
) -> dict[str, Any] | None:
    """Evaluates a checkpoint of a run, writes the report, prints a summary.

    Args:
        request: what is to be evaluated.
        source: of the synthetic patterns; by default of the run's synthetic crystals.
        simulate: patterns of given structures; by default by the run's measurement.

    Returns:
        The report, as written to JSON; None in all processes but the first.

    Raises:
        InputError: there is no such run, crystals or split, or the report cannot be
            written.
    """
    began = time.perf_counter()
    _check_out(request)
    run = load_network(request.workdir, request.checkpoint)
    known = _find_crystals(request, run)
    sets = _evaluate_sets(request, run, known, source, simulate)
    if not devices.is_first():
        return None
    workdir = Path(request.workdir)
    result = {
        "run": report.about_run(run, workdir, request.checkpoint),
        **report.circumstances(time.perf_counter() - began),
        "notes": _notes(request, run, known),
        "sets": {s.name: s.section for s in sets},
        "figures": plot_report(
            run, workdir / "metrics.jsonl", sets, request.figures_path
        ),
    }
    write_text(request.page_path, report.to_markdown(result))
    write_text(request.report_path, report.to_json(result))
    print(f"\nstep {run.step} of {workdir}\n")
    print(f"{report.summary(result)}\n\nreport: {request.page_path}")
    return result
