"""Which figures a report has, and where they lie."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from xrdjax.evaluation import plots as figures
from xrdjax.evaluation.answers import Answers
from xrdjax.evaluation.predict import grid_deg
from xrdjax.run import Run

# Points of the training curve: a run may write more lines than a figure has pixels.
_CURVE_POINTS = 200


def training_curve(
    path: str | Path,
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]] | None:
    """Steps and accuracies (0 to 1) in a run's metrics.jsonl, None if it has none.

    Neighbours are averaged where there are more lines than a figure can show.
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


def draw_report_figures(
    run: Run,
    history: Path,
    sets: Mapping[str, Mapping],
    answers: Mapping[str, Answers],
    folder: Path,
) -> dict[str, str]:
    """Draws accuracy over training, confusions, groups and example patterns.

    Args:
        run: the network.
        history: metrics.jsonl of its training; need not exist.
        sets: by name, the report's sets with `title` and `score`.
        answers: by the same names, what the network said.
        folder: for the PNG files; made if absent.

    Returns:
        For each figure's title its path, from the folder that holds `folder`.
    """
    folder.mkdir(exist_ok=True)
    drawn: dict[str, str] = {}

    def file(title: str, name: str) -> Path:
        drawn[title] = f"{folder.name}/{name}"
        return folder / name

    scored = {name: part for name, part in sets.items() if part["score"] is not None}
    curve = training_curve(history)
    if curve is not None:
        ends = {part["title"]: part["score"]["top1"] for part in scored.values()}
        path = file("Accuracy over training", "training.png")
        figures.draw_training(*curve, run.step, ends, path)
    for name, part in scored.items():
        title = part["title"].capitalize()
        counts = part["score"]["confusion_by_crystal_system"]["counts"]
        path = file(f"{title}: confusion of crystal systems", f"confusion_{name}.png")
        figures.draw_confusion(counts, title, path)
        path = file(f"{title}: accuracy by space group", f"groups_{name}.png")
        figures.draw_space_groups(part["score"]["by_space_group"], title, path)

    # The most frequent group that has examples of both kinds.
    if "synthetic" in answers:
        real = answers["crystals" if "crystals" in scored else "gallery"].examples
        synthetic = answers["synthetic"].examples
        frequencies = np.asarray(run.statistics.frequencies)
        common = sorted(real.keys() & synthetic.keys(), key=lambda k: -frequencies[k])
        for row in common[:1]:
            number = int(run.space_groups[row])
            patterns = [pattern for _, pattern in synthetic[row]]
            path = file("Real and synthetic diffractograms", "examples.png")
            figures.draw_examples(grid_deg(run), real[row], patterns, number, path)
    return drawn
