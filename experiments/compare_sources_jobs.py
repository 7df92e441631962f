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
        for split, (model, _), (source, _) in itertools.product(
            config.splits, config.models, config.sources
        )
    ]


def chosen_jobs(config: ml_collections.ConfigDict, names: Sequence[str]) -> list[Job]:
    """The runs of these names, or all of them if there are none.

    Raises:
        InputError: some name is not that of a run.
    """
    jobs = {job.name: job for job in jobs_of(config)}
    for name in names:
        if name not in jobs:
            raise InputError(f"there is no run {name!r}: choose of {', '.join(jobs)}")
    return [job for name, job in jobs.items() if not names or name in names]


def flags_of(
    job: Job, config: ml_collections.ConfigDict, flags: Sequence[str]
) -> list[str]:
    """The flags of `xrdjax.main` that tell what a run is; a later one counts."""
    network = dict(config.models)[job.model]
    return [*network, *dict(config.sources)[job.source], *config.all_runs, *flags]


def settings_of(
    job: Job, config: ml_collections.ConfigDict, flags: Sequence[str]
) -> dict[str, str]:
    """The configuration's fields that a comparison sets in a run, and their values."""
    prefix = "--config."
    return dict(
        flag.removeprefix(prefix).split("=", 1)
        for flag in flags_of(job, config, flags)
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
