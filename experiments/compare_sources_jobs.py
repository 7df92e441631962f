"""The runs of the comparison of sources, and whether those in a folder are the same."""

import ast
import functools
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ml_collections

from xrdjax.config import CONFIG_FILE
from xrdjax.errors import InputError


@dataclass(frozen=True)
class Job:
    """One run of the comparison: a source, a network and a split."""

    source: str
    model: str
    split: str

    @property
    def name(self) -> str:
        return f"{self.source}_{self.model}_{self.split}"


def jobs_of(config: ml_collections.ConfigDict) -> list[Job]:
    """All runs of a comparison; those of the split by type come first."""
    return [
        Job(source, model, split)
        for split, (model, _), source in itertools.product(
            config.splits, config.models, config.sources
        )
    ]


def settings_of(
    job: Job, config: ml_collections.ConfigDict, flags: Sequence[str]
) -> dict[str, str]:
    """The configuration's fields that a comparison sets in a run, and their values."""
    every = (*dict(config.models)[job.model], *config.all_runs, *flags)
    prefix = "--config."
    return dict(
        flag.removeprefix(prefix).split("=", 1)
        for flag in every
        if flag.startswith(prefix)
    )


def _value(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def check_budget(workdir: Path, settings: Mapping[str, str]) -> None:
    """Refuses to take a run for done, or to go on with it, if it has other settings.

    Raises:
        InputError: names what differs from the configuration that the run has kept.
    """
    path = workdir / CONFIG_FILE
    if not path.exists():
        return
    kept = json.loads(path.read_text(encoding="utf-8"))
    differences = []
    for name, text in settings.items():
        was = functools.reduce(
            lambda part, key: part.get(key, {}), name.split("."), kept
        )
        if was != json.loads(json.dumps(_value(text))):  # a tuple is kept as a list
            differences.append(f"{name} (there {was!r}, asked for {text})")
    if differences:
        raise InputError(
            f"the run {str(workdir)!r} has other settings: {', '.join(differences)}: "
            "give the same ones, or another folder with --out"
        )
