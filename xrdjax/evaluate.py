"""How good a trained network is, on random crystals and on known ones.

    python -m xrdjax.evaluate --workdir=DIR --crystals=PATH

writes report.json, report.md and figures; --pretrained, in place of --workdir, takes
the network that comes with the program.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import jax
from jax.sharding import Mesh

from xrdjax import devices
from xrdjax.checkpoints.writer import STATISTICS, Run
from xrdjax.crystals.cif import Reading
from xrdjax.crystals.textbook import gallery_structures
from xrdjax.errors import InputError, exit_on_input_error
from xrdjax.evaluation import report
from xrdjax.evaluation.answers import (
    Answers,
    Draw,
    Simulate,
    answer_crystals,
    answer_synthetic,
    generators,
)
from xrdjax.evaluation.report_figures import draw_report_figures
from xrdjax.known.analyses import AnalysedCrystals, known_crystals
from xrdjax.known.selection import (
    SPLITS,
    about_crystals,
    choose_split,
    select_crystals,
)
from xrdjax.known.splits import Split
from xrdjax.patterns.sources import crystal_limits
from xrdjax.prior.file import read_provenance
from xrdjax.run import (
    PRETRAINED,
    add_checkpoint_flag,
    add_network_flags,
    is_weights,
    load_network,
)


def _crystal_set(
    run: Run,
    mesh: Mesh,
    crystals: Reading | AnalysedCrystals,
    split: Split | None,
    part: str,
    simulate: Simulate,
    progress: bool,
) -> tuple[dict, Answers]:
    """Counts, failures and figures of merit of known crystals."""
    selection = select_crystals(
        crystals,
        run.space_groups,
        split=split,
        part=part,
        **crystal_limits(run.config),
        progress=progress,
    )
    answers = answer_crystals(run, mesh, selection, simulate, progress)
    result = {
        "counts": selection.counts,
        "failures": [vars(failure) for failure in selection.failures],
        "score": answers.score(selection.type_keys),
    }
    return result, answers


def _read_gallery() -> Reading:
    return Reading(tuple(gallery_structures().values()), ())


def _about_run(run: Run, workdir: Path, checkpoint: str, provenance: dict) -> dict:
    config = run.config.to_dict()
    canonical = json.dumps(config, sort_keys=True).encode()
    return {
        "workdir": str(workdir),
        "step": int(run.step),
        "checkpoint": checkpoint,
        "config": config,
        "config_sha256": hashlib.sha256(canonical).hexdigest(),
        "space_groups": [int(number) for number in run.space_groups],
        "statistics": provenance,
    }


def _notes(run: Run, workdir: Path, about: dict | None, provenance: dict) -> list[str]:
    """What the reader of the results must know about them."""
    notes = []
    symprec = provenance.get("symprec", run.config.symprec)
    if about is None:
        notes.append(
            "No known crystals were named: do so with --config.crystals=PATH in "
            f"training or `python -m xrdjax.evaluate --workdir={workdir} "
            "--crystals=PATH`."
        )
    elif about["split"] != "all" and symprec != run.config.symprec:
        notes.append(
            f"The statistics were made with a symmetry tolerance of {symprec:g} "
            f"angstrom, these crystals were analysed with {run.config.symprec:g}: a "
            "few types may be taken for held out that were not."
        )
    return notes


def _check_out(out: Path, overwrite: bool) -> None:
    folder = out.parent
    if out.suffix != ".json" or not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise InputError(
            f"cannot write the report to {str(out)!r}: name a file that ends in .json "
            "in a folder that exists and that you may write to"
        )
    for path in (out, out.with_suffix(".md")):
        report.require_absent(path, overwrite)


def evaluate_run(
    workdir: str | Path,
    crystals: str | Path | None = None,
    *,
    checkpoint: str = "newest",
    split: str | None = None,
    synthetic: int | None = None,
    out: str | Path | None = None,
    overwrite: bool = True,
    draw: Draw | None = None,
    simulate: Simulate | None = None,
    progress: bool = True,
) -> dict | None:
    """Evaluates a checkpoint of a run, writes the report, prints a summary.

    Args:
        workdir: work directory of the run, or a folder of weights.
        crystals: CIF file, folder or zip of known crystals, or the .npz file of
            their analyses; by default what the run's configuration names, if anything.
        checkpoint: "newest", or "best" by validation accuracy.
        split: "held_out" takes only crystals of the structure types kept out of the
            statistics, "validation" a fifth of these, "test" the rest of them, "all"
            takes every crystal. By default held_out if the statistics name such
            types, but test for the best checkpoint of a run that names crystals.
        synthetic: number of fresh random crystals; by default as configured.
        out: JSON file to write, with a page (.md) and a folder of figures of the
            same name beside it; by default report.json in the work directory, for
            the pretrained weights in the current one.
        overwrite: whether an earlier report may be replaced.
        draw: generator of diffractograms; by default of random crystals.
        simulate: diffractograms of given structures; by default those of the
            training's diffractometer.
        progress: whether to show bars.

    Returns:
        The report, as written to JSON; None in all processes but the first.

    Raises:
        InputError: there is no such run, crystals or split, or the report exists and
            may not be replaced.
    """
    began = time.perf_counter()
    workdir = Path(workdir)
    folder = Path() if workdir == PRETRAINED else workdir  # which is not ours to fill
    out = folder / "report.json" if out is None else Path(out)
    _check_out(out, overwrite)
    mesh = devices.local_mesh()
    run = load_network(workdir, checkpoint)
    run = dataclasses.replace(run, params=devices.replicate(run.params, mesh))
    provenance = read_provenance(workdir / STATISTICS)
    validated = bool(run.config.crystals and run.config.evaluation.validation)
    # weights do not tell which crystals chose them
    validated = is_weights(workdir) or (validated and checkpoint == "best")
    chosen = choose_split(split, provenance, validated)
    crystals = crystals or run.config.crystals
    known = (
        known_crystals(crystals, run.config.symprec, progress=progress)
        if crystals
        else None
    )
    count = run.config.evaluation.synthetic if synthetic is None else synthetic
    drawn, simulate = generators(run, mesh, draw, simulate)

    sets, answers = {}, {}
    if count:
        answers["synthetic"], generator = answer_synthetic(
            run, mesh, drawn, count, progress
        )
        sets["synthetic"] = {
            "title": "synthetic crystals",
            "description": "Fresh random crystals, drawn from the run's statistics.",
            "counts": {"evaluated": count},
            "generator": generator,
            "score": answers["synthetic"].score(),
        }
    about = None
    if known is not None:
        about = about_crystals(str(crystals), *chosen)
        part, answers["crystals"] = _crystal_set(
            run, mesh, known, *chosen, simulate, progress
        )
        sets["crystals"] = about | part
    part, answers["gallery"] = _crystal_set(
        run, mesh, _read_gallery(), None, "held_out", simulate, progress=False
    )
    sets["gallery"] = {
        "title": "gallery",
        "description": "The crystals that come with the program, whatever their type.",
    } | part

    if not devices.is_first():
        return None
    result = {
        "run": _about_run(run, workdir, checkpoint, provenance),
        "time_utc": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
        "seconds": time.perf_counter() - began,
        "device": f"{jax.device_count()} {jax.devices()[0].device_kind}",
        "versions": report.versions(),
        "notes": _notes(run, workdir, about, provenance),
        "sets": sets,
        "figures": draw_report_figures(
            run,
            workdir / "metrics.jsonl",
            sets,
            answers,
            out.with_name(f"{out.stem}_figures"),
        ),
    }
    page = out.with_suffix(".md")
    report.write_text(page, report.to_markdown(result))
    report.write_text(out, report.to_json(result))
    print(
        f"\nstep {run.step} of {workdir}\n\n{report.summary(result)}\n\nreport: {page}"
    )
    return result


def _whole_number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number, 0 or above")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluates a run as the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m xrdjax.evaluate",
        description="Measures a trained network on random and on known crystals.",
        epilog="Held out are the structure types that the run's statistics were not "
        "made from; their file names the fraction and the seed.",
    )
    add_network_flags(parser)
    parser.add_argument(
        "--crystals",
        type=Path,
        help="CIF file, folder or zip of CIFs, or the .npz file of their analyses "
        "(default: as configured in training)",
    )
    add_checkpoint_flag(parser)
    parser.add_argument(
        "--split",
        choices=SPLITS,
        help="which of these crystals; held_out are those for validation and for the "
        "test (default: held_out, if the statistics hold out structure types; test "
        "for the best checkpoint, if known crystals chose it)",
    )
    parser.add_argument(
        "--synthetic",
        type=_whole_number,
        help="number of fresh random crystals (default: as configured in training)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="JSON file for the report; a page and figures go beside it (default: "
        "report.json in the work directory; in the current one with --pretrained)",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier report"
    )
    given = vars(parser.parse_args(arguments))
    with exit_on_input_error():
        evaluate_run(given.pop("workdir"), given.pop("crystals"), **given)


if __name__ == "__main__":
    main()
