"""The figures of one run of the comparison of sources, and the table of all."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

NAMES = {"resnet10": "ResNet-10", "resnet50": "ResNet-50", "park": "Park et al."}
_LEGEND = (
    "Top-1 / top-5 accuracy in per cent, in brackets the 95 % Wilson interval of top-1, "
    "of each run's checkpoint that is best on the held-out crystals for validation, "
    "which the tests leave out. "
    "Unseen types: known crystals of structure types that neither statistics nor "
    "training has seen. Random split: known crystals that were held out one by one, by "
    "runs that were trained so. Synthetic: fresh random crystals, by the runs of the "
    "split by type."
)


def _score(part: Mapping | None) -> dict | None:
    if part is None or part["score"] is None:
        return None
    return {name: part["score"][name] for name in ("top1", "top5")}


def one_result(workdir: Path) -> dict:
    """What a run has seen, how long it took, and how good it is.

    Args:
        workdir: of the run, with metrics.jsonl and test.json.

    Returns:
        Among others "curve": at each checkpoint the patterns seen, the accuracy on
        those of the last call, and that on the known crystals for validation.
    """
    report = json.loads((workdir / "test.json").read_text(encoding="utf-8"))
    config = report["run"]["config"]
    batch_size = config["batch_size"] or len(report["run"]["space_groups"])
    lines = (workdir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    calls = [json.loads(line) for line in lines]
    speeds = [call["diffractograms_per_second"] for call in calls]
    of_call = batch_size * config["steps_per_call"]
    return {
        "patterns_seen": config["steps"] * batch_size,
        "best_step": report["run"]["step"],
        "training_hours": sum(of_call / speed for speed in speeds) / 3600,
        "curve": [
            {
                "patterns": call["step"] * batch_size,
                "training": call["accuracy"],
                "validation": call["validation_accuracy"],
            }
            for call in calls
            if "validation_accuracy" in call
        ],
        "device": report["device"],
        "versions": report["versions"],
        "crystals": _score(report["sets"].get("crystals")),
        "synthetic": _score(report["sets"].get("synthetic")),
    }


def accuracy(score: Mapping | None) -> str:
    """For example "61.0 (59.7-62.3) / 88.1", in per cent."""
    if score is None:
        return "-"
    top1, top5 = score["top1"], score["top5"]
    return (
        f"{100 * top1['fraction']:.1f} ({100 * top1['low']:.1f}-{100 * top1['high']:.1f})"
        f" / {100 * top5['fraction']:.1f}"
    )


def table(results: Sequence[Mapping]) -> str:
    """A row for each source and network, in Markdown; "-" for what is not done."""
    header = ["trained on", "model", "patterns seen", "top-1 / top-5 on unseen types"]
    lines = [[*header, "random split", "synthetic"], ["---", "---", *["---:"] * 4]]
    by_job = {(r["source"], r["model"], r["split"]): r for r in results}
    models = [*NAMES, *sorted({r["model"] for r in results} - set(NAMES))]
    pairs = {(r["source"], r["model"]) for r in results}
    for source, model in sorted(pairs, key=lambda p: (p[0], models.index(p[1]))):
        by_type = by_job.get((source, model, "type"))
        at_random = by_job.get((source, model, "random"))
        seen = {r["patterns_seen"] for r in (by_type, at_random) if r}
        lines.append(
            [
                source,
                NAMES.get(model, model),
                " and ".join(f"{count:,}" for count in sorted(seen)),
                accuracy(by_type and by_type["crystals"]),
                accuracy(at_random and at_random["crystals"]),
                accuracy(by_type and by_type["synthetic"]),
            ]
        )
    rows = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{rows}\n\n{_LEGEND}\n"
