"""Evaluates a run on all of its sets, and writes the report."""

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

from xrdjax import devices
from xrdjax.errors import InputError
from xrdjax.evaluation import report
from xrdjax.evaluation.answers import Simulate
from xrdjax.evaluation.report_figures import draw_report_figures
from xrdjax.evaluation.sets import EvaluationSet, Evaluator
from xrdjax.files import write_text
from xrdjax.known.analyses import AnalysedCrystals
from xrdjax.known.collection import known_crystals
from xrdjax.known.selection import choose_split
from xrdjax.known.splits import Split
from xrdjax.patterns.batch import Source
from xrdjax.run import PRETRAINED, Run, is_weights, load_network


@dataclasses.dataclass(frozen=True)
class Request:
    """What is to be evaluated, and where the report goes.

    Attributes:
        workdir: work directory of the run, or a folder of weights.
        crystals: CIF file, folder or zip of known crystals, or the .npz file of
            their analyses; by default what the run's configuration names, if anything.
        checkpoint: "newest", or "best" by validation accuracy.
        split: "held_out" takes only crystals of the structure types kept out of the
            statistics, "validation" a fifth of these, "test" the rest of them, "all"
            takes every crystal. By default held_out if the statistics name such
            types, but test for the best checkpoint of a run that names crystals.
        synthetic: number of fresh synthetic crystals; by default as configured.
        out: JSON file to write, with a page (.md) and a folder of figures of the
            same name beside it; by default report.json in the work directory, for
            the bundled weights in the current one.
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
        # the package's folder is not ours to fill
        is_bundled = Path(self.workdir) == PRETRAINED
        return (Path() if is_bundled else Path(self.workdir)) / "report.json"


@dataclasses.dataclass(frozen=True)
class _KnownCrystals:
    """Known crystals that a run is evaluated on, and which part of them."""

    path: str
    crystals: AnalysedCrystals
    split: Split | None
    part: str


def _check_out(request: Request) -> None:
    out = request.report_path
    folder = out.parent
    if out.suffix != ".json" or not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise InputError(
            f"cannot write the report to {str(out)!r}: name a file that ends in .json "
            "in a folder that exists and that you may write to"
        )
    for path in (out, out.with_suffix(".md")):
        report.require_absent(path, request.overwrite)


def _find_crystals(request: Request, run: Run) -> _KnownCrystals | None:
    """The known crystals that are asked for, or that the run names; None for none."""
    settings = run.evaluation
    # weights do not state which crystals chose them
    chosen_by_crystals = is_weights(Path(request.workdir)) or bool(
        settings.crystals and settings.validation and request.checkpoint == "best"
    )
    split, part = choose_split(request.split, run.provenance, chosen_by_crystals)
    path = request.crystals or settings.crystals
    if not path:
        return None
    crystals = known_crystals(path, settings.symprec, progress=request.progress)
    return _KnownCrystals(str(path), crystals, split, part)


def _evaluate_sets(
    evaluator: Evaluator, count: int, known: _KnownCrystals | None
) -> list[EvaluationSet]:
    """All sets, in the order of the report."""
    sets = [evaluator.synthetic(count)] if count else []
    if known is not None:
        sets.append(
            evaluator.known(known.path, known.crystals, known.split, known.part)
        )
    return [*sets, evaluator.gallery()]


def _notes(request: Request, run: Run, known: _KnownCrystals | None) -> list[str]:
    """What the reader of the results must know about them."""
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
            "a few types may count as held out that were not."
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
        InputError: there is no such run, crystals or split, or the report exists and
            may not be replaced.
    """
    began = time.perf_counter()
    _check_out(request)
    mesh = devices.local_mesh()
    run = load_network(request.workdir, request.checkpoint)
    known = _find_crystals(request, run)
    on_mesh = dataclasses.replace(run, params=devices.replicate(run.params, mesh))
    evaluator = Evaluator(on_mesh, mesh, source, simulate, request.progress)
    count = run.evaluation.synthetic if request.synthetic is None else request.synthetic
    sets = _evaluate_sets(evaluator, count, known)
    if not devices.is_first():
        return None
    workdir, out = Path(request.workdir), request.report_path
    sections = {one.name: one.section() for one in sets}
    result = {
        "run": report.about_run(run, workdir, request.checkpoint),
        **report.circumstances(time.perf_counter() - began),
        "notes": _notes(request, run, known),
        "sets": sections,
        "figures": draw_report_figures(
            run,
            workdir / "metrics.jsonl",
            sections,
            {one.name: one.answers for one in sets},
            out.with_name(f"{out.stem}_figures"),
        ),
    }
    page = out.with_suffix(".md")
    write_text(page, report.to_markdown(result))
    write_text(out, report.to_json(result))
    print(
        f"\nstep {run.step} of {workdir}\n\n{report.summary(result)}\n\nreport: {page}"
    )
    return result
