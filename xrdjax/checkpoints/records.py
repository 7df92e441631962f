"""The records of a run's checkpoints: which are complete, and how good they are.

`checksums.json` lists the complete checkpoints. It is replaced atomically, after a
checkpoint is on the disk and before older ones are removed.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from xrdjax.files import write_text

CHECKPOINTS = "checkpoints"
CHECKSUMS = "checksums.json"

# Of each complete checkpoint, by its step: "sha256", and "validation_accuracy" or None.
Records = dict[int, dict[str, Any]]


def checksum(folder: Path) -> str:
    """SHA-256 over the names and contents of all files in a folder."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()} {digest}\n".encode())
    return total.hexdigest()


def read_records(workdir: Path) -> Records:
    """The records of a work directory; empty where the file is absent or damaged."""
    try:
        text = (workdir / CHECKSUMS).read_text(encoding="utf-8")
        return {int(step): dict(record) for step, record in json.loads(text).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # then every checkpoint counts as damaged, and is named


def write_records(workdir: Path, records: Records) -> None:
    """Replaces the records of a work directory."""
    write_text(workdir / CHECKSUMS, json.dumps(records, indent=2) + "\n")


def list_steps(folder: Path) -> list[int]:
    """Steps of the checkpoints in a folder, newest first, complete or not."""
    return sorted(
        (int(path.name) for path in folder.iterdir() if path.name.isdecimal()),
        reverse=True,
    )


def recorded_steps(workdir: Path) -> list[int]:
    """Steps of the checkpoints that were recorded and are still there, newest first."""
    folder, records = workdir / CHECKPOINTS, read_records(workdir)
    if not folder.is_dir():
        return []
    return [step for step in list_steps(folder) if step in records]


def by_accuracy(records: Records) -> list[int]:
    """Steps of known validation accuracy, best first; of equals, the newest first."""
    known = {
        step: record["validation_accuracy"]
        for step, record in records.items()
        if record.get("validation_accuracy") is not None
    }
    return sorted(known, key=lambda step: (known[step], step), reverse=True)


def remove_leftovers(workdir: Path, newest: int) -> None:
    """Removes checkpoints newer than a step, and those a killed run was writing."""
    folder = workdir / CHECKPOINTS
    for path in folder.iterdir():
        newer = path.name.isdecimal() and int(path.name) > newest
        if newer or ".orbax-checkpoint-tmp" in path.name:
            shutil.rmtree(path)
    records = read_records(workdir)
    write_records(workdir, {s: r for s, r in records.items() if s <= newest})
