"""An evaluation as JSON, as a page of Markdown and as a short table."""

import hashlib
import importlib.metadata
import json
import platform
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from xrdjax.errors import InputError
from xrdjax.run import Run
from xrdjax.symmetry.space_groups import space_group

_LEGEND = (
    "In brackets: 95 % Wilson interval of a binomial proportion. By frequency: always "
    "answering with the groups that are most frequent in the statistics. Enantiomorphs "
    "as one: the 11 pairs of mirror-image groups, which powder patterns cannot tell "
    "apart, each count as one class. Crystal system: that of the most probable group."
)
# A reason that many files share is listed once, and only so many reasons are.
_MOST_REASONS = 20


def versions() -> dict[str, str]:
    """Versions of this program and of what its results depend on."""
    found = {"python": platform.python_version()}
    for name in ("xrdjax", "jax", "flax", "numpy", "gemmi", "spglib"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # run from a checkout
            found[name] = "not installed"
    return found


def about_run(run: Run, workdir: Path, checkpoint: str) -> dict[str, Any]:
    """Which network was evaluated, and what it was trained with."""
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
    }


def circumstances(seconds: float) -> dict[str, Any]:
    """When, on what and with which versions an evaluation was done."""
    return {
        "time_utc": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
        "seconds": seconds,
        "device": f"{jax.device_count()} {jax.devices()[0].device_kind}",
        "versions": versions(),
    }


def to_json(report: Mapping) -> str:
    """The whole report; fails on NaN, which is not JSON."""
    return json.dumps(report, indent=1, allow_nan=False, sort_keys=False) + "\n"


def require_absent(path: str | Path, overwrite: bool) -> None:
    """Raises InputError if a file is there that must not be overwritten."""
    if Path(path).exists() and not overwrite:
        raise InputError(
            f"{str(path)!r} exists: name another file with --out, or give --overwrite"
        )


def percent(part: Mapping, interval: bool = True) -> str:
    """A proportion in per cent, with its 95 % interval: "79.9 (78.9-80.8)"."""
    text = f"{100 * part['fraction']:.1f}"
    if interval:
        text += f" ({100 * part['low']:.1f}-{100 * part['high']:.1f})"
    return text


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [header, ["---", *("---:" for _ in header[1:])], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def summary(report: Mapping) -> str:
    """The main figures as a table for a terminal."""
    header = ["accuracy / %", "patterns", "top-1", "top-5", "by frequency (1 / 5)"]
    rows = [header]
    for part in report["sets"].values():
        score = part["score"]
        if score is None:
            rows.append([part["title"], "0", "-", "-", "-"])
            continue
        baseline = score["frequency_baseline"]
        chance = " / ".join(percent(baseline[k], False) for k in ("top1", "top5"))
        rows.append(
            [
                part["title"],
                str(score["top1"]["count"]),
                percent(score["top1"]),
                percent(score["top5"]),
                chance,
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0])]
            + [
                cell.rjust(width)
                for cell, width in zip(row[1:], widths[1:], strict=True)
            ]
        )
        for row in rows
    ]
    lines.insert(1, "-" * len(lines[0]))
    for note in report["notes"]:
        lines += ["", note]
    return "\n".join(lines)


def _set_section(part: Mapping) -> list[str]:
    """Counts, crystal systems and groups of one set of patterns."""
    lines = [f"## {part['title'].capitalize()}", "", part["description"], ""]
    counts = [[name.replace("_", " "), n] for name, n in part["counts"].items()]
    lines += [table(["crystals", "number"], counts), ""]
    if part.get("failures"):
        reasons = Counter(failure["reason"] for failure in part["failures"])
        listed = reasons.most_common(_MOST_REASONS)
        lines += [table(["why not read or analysed", "number"], listed), ""]
        if len(reasons) > len(listed):
            lines += [f"and {len(reasons) - len(listed)} more reasons.", ""]
    score = part["score"]
    if score is None:
        return [*lines, "Nothing was left to classify.", ""]
    if "by_structure_type" in score:
        types = score["by_structure_type"]
        mean = f"{100 * types['top1_mean']:.1f} % over {types['types']}"
        lines += [f"Mean top-1 accuracy of structure types, weighed alike: {mean}.", ""]
    rows = [
        [name, p["top1"]["count"], percent(p["top1"]), percent(p["top5"])]
        for name, p in score["by_crystal_system"].items()
    ]
    lines += [table(["crystal system", "patterns", "top-1 / %", "top-5 / %"], rows)]
    rows = [
        [
            f"{p['space_group']} {space_group(p['space_group']).hermann_mauguin}",
            p["top1"]["count"],
            percent(p["top1"]),
            percent(p["top5"]),
        ]
        for p in score["by_space_group"]
    ]
    header = ["space group", "patterns", "top-1 / %", "top-5 / %"]
    return [*lines, "", table(header, rows), ""]


def to_markdown(report: Mapping) -> str:
    """A page that says what was measured, on what, and against what."""
    run = report["run"]
    lines = [
        f"# Evaluation at step {run['step']}",
        "",
        f"Run `{run['workdir']}`, configuration {run['config_sha256'][:12]}, "
        f"{len(run['space_groups'])} space groups. Evaluated {report['time_utc']} on "
        f"{report['device']} in {report['seconds']:.0f} s with "
        + ", ".join(f"{name} {v}" for name, v in report["versions"].items())
        + ".",
        "",
    ]
    rows = []
    for part in report["sets"].values():
        score = part["score"]
        if score is None:
            continue
        rows.append(
            [
                part["title"],
                score["top1"]["count"],
                percent(score["top1"]),
                percent(score["top5"]),
                percent(score["top1_enantiomorphs_as_one"]),
                percent(score["crystal_system_of_top1"]),
                percent(score["frequency_baseline"]["top1"], False),
                percent(score["frequency_baseline"]["top5"], False),
            ]
        )
    header = [
        "accuracy / %",
        "patterns",
        "top-1",
        "top-5",
        "top-1, enantiomorphs as one",
        "crystal system",
        "top-1 by frequency",
        "top-5 by frequency",
    ]
    lines += [
        table(header, rows),
        "",
        _LEGEND,
        "",
    ]
    lines += [line for note in report["notes"] for line in (note, "")]
    for title, file in report["figures"].items():
        lines += [f"![{title}]({file})", ""]
    for part in report["sets"].values():
        lines += _set_section(part)
    return "\n".join(lines)
