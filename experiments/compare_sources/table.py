"""The table of a comparison of sources, in Markdown."""

from collections.abc import Mapping, Sequence

from xrdjax.evaluation.markdown import percent
from xrdjax.evaluation.markdown import table as markdown_table

NAMES = {"resnet10": "ResNet-10", "resnet50": "ResNet-50", "park": "Park et al."}
_LEGEND = (
    "Top-1 / top-5 accuracy in per cent, in brackets the 95 % Wilson interval of top-1, "
    "of the checkpoint of each run that is best on the held-out crystals for validation, "
    "which the tests leave out. "
    "Unseen types: known crystals of structure types that neither statistics nor "
    "training has seen. Random split: known crystals that were held out one by one, in "
    "the runs of that split. Synthetic: fresh synthetic crystals, in the runs of the "
    "split by type."
)
_HEADER = (
    "trained on",
    "model",
    "patterns seen",
    "top-1 / top-5 on unseen types",
    "random split",
    "synthetic",
)


def accuracy(score: Mapping | None) -> str:
    """For example "61.0 (59.7-62.3) / 88.1", in per cent."""
    if score is None:
        return "-"
    return f"{percent(score['top1'])} / {percent(score['top5'], interval=False)}"


def _row(
    source: str, model: str, by_type: Mapping | None, at_random: Mapping | None
) -> list[str]:
    seen = {result["patterns_seen"] for result in (by_type, at_random) if result}
    return [
        source,
        NAMES.get(model, model),
        " and ".join(f"{count:,}" for count in sorted(seen)),
        accuracy(by_type and by_type["crystals"]),
        accuracy(at_random and at_random["crystals"]),
        accuracy(by_type and by_type["synthetic"]),
    ]


def table(results: Sequence[Mapping]) -> str:
    """A row for each source and network, in Markdown; "-" for unfinished runs.

    Args:
        results: as from `results.collect`.
    """
    by_job = {(r["source"], r["model"], r["split"]): r for r in results}
    models = [*NAMES, *sorted({r["model"] for r in results} - set(NAMES))]
    pairs = {(r["source"], r["model"]) for r in results}
    rows = [
        _row(*pair, by_job.get((*pair, "type")), by_job.get((*pair, "random")))
        for pair in sorted(pairs, key=lambda pair: (pair[0], models.index(pair[1])))
    ]
    return f"{markdown_table(_HEADER, rows)}\n\n{_LEGEND}\n"
