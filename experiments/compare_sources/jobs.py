"""The runs of a comparison of sources, and a check of those already in a folder."""

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


@dataclass(frozen=True)
class Comparison:
    """What is compared, and where.

    Attributes:
        config: as from configs/compare_sources.py.
        crystals: CIFs, or the .npz file of their analyses.
        out: folder for everything.
        flags: of `xrdjax.main`, for all runs.
    """

    config: ml_collections.ConfigDict
    crystals: Path
    out: Path
    flags: tuple[str, ...] = ()

    @property
    def jobs(self) -> list[Job]:
        """All runs; those of the split by type come first."""
        return [
            Job(source, model, split)
            for split, (model, _), (source, _) in itertools.product(
                self.config.splits, self.config.models, self.config.sources
            )
        ]

    def choose_jobs(self, names: Sequence[str]) -> list[Job]:
        """The runs of these names, or all of them if there are none.

        Raises:
            InputError: some name is not that of a run.
        """
        jobs = {job.name: job for job in self.jobs}
        for name in names:
            if name not in jobs:
                raise InputError(
                    f"there is no run {name!r}: choose from {', '.join(jobs)}"
                )
        return [job for name, job in jobs.items() if not names or name in names]

    def flags_of(self, job: Job) -> list[str]:
        """The flags of `xrdjax.main` that define a run; of two values the last counts."""
        network = dict(self.config.models)[job.model]
        source = dict(self.config.sources)[job.source]
        return [*network, *source, *self.config.all_runs, *self.flags]

    def settings_of(self, job: Job) -> dict[str, str]:
        """The fields of a run's configuration that are set here, and their values."""
        prefix = "--config."
        return dict(
            flag.removeprefix(prefix).split("=", 1)
            for flag in self.flags_of(job)
            if flag.startswith(prefix)
        )


def _value(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def check_settings(workdir: Path, settings: Mapping[str, str]) -> None:
    """Refuses an existing run, finished or not, that has other settings.

    Raises:
        InputError: a setting differs from the run's stored configuration.
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
        if was != json.loads(json.dumps(_value(text))):  # JSON stores a tuple as a list
            differences.append(f"{name} (there {was!r}, asked for {text})")
    if differences:
        raise InputError(
            f"the run {str(workdir)!r} has other settings: {', '.join(differences)}: "
            "give the same ones, or another folder with --out"
        )
