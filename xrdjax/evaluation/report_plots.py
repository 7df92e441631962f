"""The figures of a report, and their paths."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from xrdjax.evaluation.accuracy_plots import (
    plot_confusion,
    plot_space_groups,
    plot_training,
)
from xrdjax.evaluation.plots import plot_examples
from xrdjax.evaluation.predict import grid_deg
from xrdjax.evaluation.sets import EvaluationSet
from xrdjax.run import Run

# Points of the training curve: a run may log more steps than a figure has pixels.
_CURVE_POINTS = 200


def training_curve(
    path: str | Path,
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]] | None:
    """Steps and accuracies (0 to 1) in a run's metrics.jsonl, None if it has none.

    Neighbouring steps are averaged where there are more than a figure can show.
    """
    path = Path(path)
    if not path.exists():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    points = [(r["step"], r["accuracy"]) for r in rows if r.get("accuracy") is not None]
    if not points:
        return None
    bins = np.array_split(np.array(points, float), min(len(points), _CURVE_POINTS))
    steps, accuracies = np.array([part.mean(axis=0) for part in bins]).T
    return steps, accuracies


def plot_report(
    run: Run, history: Path, sets: Sequence[EvaluationSet], folder: Path
) -> dict[str, str]:
    """Plots training, confusion matrices, space groups and example patterns.

    Args:
        run: the network.
        history: metrics.jsonl of its training; need not exist.
        sets: of the report.
        folder: for the PNG files; created if absent.

    Returns:
        The path of each figure by its title, relative to the parent of `folder`.
    """
    folder.mkdir(exist_ok=True)
    scored = [one for one in sets if one.section["score"] is not None]
    files = _plot_training(run, history, scored, folder)
    for one in scored:
        files |= _plot_set(one, folder)
    files |= _plot_examples(run, scored, folder)
    return {title: f"{folder.name}/{file}" for title, file in files.items()}


def _plot_training(
    run: Run, history: Path, scored: Sequence[EvaluationSet], folder: Path
) -> dict[str, str]:
    curve = training_curve(history)
    if curve is None:
        return {}
    final = {one.section["title"]: one.section["score"]["top1"] for one in scored}
    plot_training(*curve, run.step, final, folder / "training.png")
    return {"Accuracy over training": "training.png"}


def _plot_set(one: EvaluationSet, folder: Path) -> dict[str, str]:
    title, score = one.section["title"].capitalize(), one.section["score"]
    confusion, groups = f"confusion_{one.name}.png", f"groups_{one.name}.png"
    counts = score["confusion_by_crystal_system"]["counts"]
    plot_confusion(counts, title, folder / confusion)
    plot_space_groups(score["by_space_group"], title, folder / groups)
    return {
        f"{title}: confusion of crystal systems": confusion,
        f"{title}: accuracy by space group": groups,
    }


def _plot_examples(
    run: Run, scored: Sequence[EvaluationSet], folder: Path
) -> dict[str, str]:
    """Patterns of the most frequent group that both kinds of crystals have."""
    examples = {one.name: one.examples for one in scored}
    synthetic = examples.get("synthetic", {})
    known = examples.get("crystals", examples.get("gallery", {}))
    common = sorted(known.keys() & synthetic.keys())
    if not common:
        return {}
    row = max(common, key=lambda row: run.statistics.frequencies[row])
    plot_examples(
        grid_deg(run),
        known[row],
        [pattern for _, pattern in synthetic[row]],
        int(run.space_groups[row]),
        folder / "examples.png",
    )
    return {"Known and synthetic patterns": "examples.png"}
