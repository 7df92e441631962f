"""An evaluation as JSON, as a page of Markdown and as a short table."""

import hashlib
import importlib.metadata
import json
import platform
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import jax

from xrdjax.evaluation.cells import cells_page
from xrdjax.evaluation.error_tables import LEGEND as ERRORS_LEGEND
from xrdjax.evaluation.error_tables import why_it_errs
from xrdjax.evaluation.markdown import percent, table
from xrdjax.run import Run
from xrdjax.symmetry.space_groups import space_group

_LEGEND = (
    "In brackets: 95 % Wilson interval of a binomial proportion. Baseline: every pattern "
    "is answered with the groups that are most frequent in the statistics. Enantiomorphs "
    "as one: the two groups of each of the 11 enantiomorphic pairs, whose powder patterns "
    "are the same, count as one class. Crystal system: that of the most probable group."
)
# Number of reasons that are listed; a reason that many files share is listed once.
_MOST_REASONS = 20
_TOP = ("top1", "top5")


def versions() -> dict[str, str]:
    """Versions of this package and of those that its results depend on."""
    found = {"python": platform.python_version()}
    for name in ("xrdjax", "jax", "flax", "numpy", "gemmi", "spglib"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # imported from a checkout
            found[name] = "not installed"
    return found


def about_run(run: Run, workdir: Path, checkpoint: str) -> dict[str, Any]:
    """Which network was evaluated, and how it was trained."""
    config = run.config.to_dict()
    canonical = json.dumps(config, sort_keys=True).encode()
    return {
        "workdir": str(workdir),
        "step": int(run.step),
        "checkpoint": checkpoint,
        "config": config,
        "config_sha256": hashlib.sha256(canonical).hexdigest(),
        "space_groups": [int(number) for number in run.space_groups],
        "statistics": run.provenance,
        "origin": run.origin,
    }


def circumstances(seconds: float) -> dict[str, Any]:
    """Time, device and versions of an evaluation."""
    return {
        "time_utc": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
        "seconds": seconds,
        "device": f"{jax.device_count()} {jax.devices()[0].device_kind}",
        "versions": versions(),
    }


def to_json(report: Mapping) -> str:
    """The whole report as JSON, which excludes NaN."""
    return json.dumps(report, indent=1, allow_nan=False, sort_keys=False) + "\n"


def summary(report: Mapping) -> str:
    """The main figures of merit as a table for a terminal, and the notes."""
    header = ("accuracy / %", "patterns", "top-1", "top-5", "baseline (1 / 5)")
    rows = [header, *map(_summary_row, report["sets"].values())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
        for row in rows
    ]
    lines.insert(1, "-" * len(lines[0]))
    for note in report["notes"]:
        lines += ["", note]
    return "\n".join(lines)


def _summary_row(section: Mapping) -> tuple[str, ...]:
    score = section["score"]
    if score is None:
        return (section["title"], "0", "-", "-", "-")
    baseline = [percent(score["frequency_baseline"][k], False) for k in _TOP]
    return (
        section["title"],
        str(score["top1"]["count"]),
        *(percent(score[k]) for k in _TOP),
        " / ".join(baseline),
    )


def to_markdown(report: Mapping) -> str:
    """A page that states what was measured, on what, and against what baseline."""
    run = report["run"]
    versions = ", ".join(f"{name} {v}" for name, v in report["versions"].items())
    about = (
        f"Run `{run['workdir']}`, configuration {run['config_sha256'][:12]}, "
        f"{len(run['space_groups'])} space groups. Evaluated {report['time_utc']} on "
        f"{report['device']} in {report['seconds']:.0f} s with {versions}."
    )
    if origin := run.get("origin"):
        shared = len(origin["carried_over"])
        about += (
            f" The run started from `{origin['init']}` at step {origin['step']} "
            f"(SHA-256 {origin['sha256'][:12]}), {shared} of "
            f"{len(run['space_groups'])} space groups carried over."
        )
    lines = [
        f"# Evaluation at step {run['step']}",
        "",
        about,
        "",
        _table_of_sets(report["sets"].values()),
        "",
        _LEGEND,
        "",
        ERRORS_LEGEND,
        "",
    ]
    lines += [line for note in report["notes"] for line in (note, "")]
    for title, file in report["figures"].items():
        lines += [f"![{title}]({file})", ""]
    for section in report["sets"].values():
        lines += _page_section(section)
    return "\n".join(lines)


def _table_of_sets(sections: Iterable[Mapping]) -> str:
    """The main figures of merit, a row for each set that has patterns."""
    header = [
        "accuracy / %",
        "patterns",
        "top-1",
        "top-5",
        "top-1, enantiomorphs as one",
        "crystal system",
        "baseline top-1",
        "baseline top-5",
    ]
    scores = [(s["title"], s["score"]) for s in sections if s["score"] is not None]
    rows = [
        [
            title,
            score["top1"]["count"],
            *(percent(score[k]) for k in _TOP),
            percent(score["top1_enantiomorphs_as_one"]),
            percent(score["crystal_system_of_top1"]),
            *(percent(score["frequency_baseline"][k], False) for k in _TOP),
        ]
        for title, score in scores
    ]
    return table(header, rows)


def _page_section(section: Mapping) -> list[str]:
    """Counts, crystal systems and space groups of one set of patterns."""
    counts = [[name.replace("_", " "), n] for name, n in section["counts"].items()]
    lines = [
        f"## {section['title'].capitalize()}",
        "",
        section["description"],
        "",
        table(["crystals", "number"], counts),
        "",
        *_reasons(section.get("failures", ())),
    ]
    if exhausted := section.get("generator", {}).get("exhausted"):
        lines += [
            f"{exhausted} of them exceeded the limits; their groups may be wrong.",
            "",
        ]
    score = section["score"]
    if score is None:
        return [*lines, "No pattern was left to classify.", ""]
    if "by_structure_type" in score:
        types = score["by_structure_type"]
        mean = f"{100 * types['top1_mean']:.1f} % over {types['types']} types"
        lines += [f"Top-1 accuracy averaged over structure types: {mean}.", ""]
    if common := score.get("common_groups"):
        lines += [_of_common_groups(common), ""]
    lines += why_it_errs(score)
    if "unit_cells" in score:
        lines += cells_page(score["unit_cells"])
    systems = score["by_crystal_system"].items()
    groups = [
        (f"{p['space_group']} {space_group(p['space_group']).hermann_mauguin}", p)
        for p in score["by_space_group"]
    ]
    lines += [_table_of_classes("crystal system", systems), ""]
    return [*lines, _table_of_classes("space group", groups), ""]


def _of_common_groups(common: Mapping) -> str:
    """Accuracy in the groups that are not left out as too rare."""
    top1, top5 = (percent(common[name], False) for name in _TOP)
    return (
        f"In the {common['space_groups']} space groups of at least "
        f"{common['min_crystals']} known crystals: {top1} % top-1 and {top5} % top-5 of "
        f"{common['top1']['count']:,} patterns."
    )


def _reasons(failures: Collection[Mapping]) -> list[str]:
    """Why crystals could not be read or analysed, the most frequent reasons first."""
    if not failures:
        return []
    reasons = Counter(failure["reason"] for failure in failures)
    listed = reasons.most_common(_MOST_REASONS)
    lines = [table(["why not read or analysed", "number"], listed), ""]
    if len(reasons) > len(listed):
        lines += [f"and {len(reasons) - len(listed)} more reasons.", ""]
    return lines


def _table_of_classes(kind: str, scores: Iterable[tuple[str, Mapping]]) -> str:
    rows = [
        [name, score["top1"]["count"], *(percent(score[k]) for k in _TOP)]
        for name, score in scores
    ]
    return table([kind, "patterns", "top-1 / %", "top-5 / %"], rows)
