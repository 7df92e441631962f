"""Reads the checkpoints of a run, and only complete ones.

Orbax reads some damaged files without complaint, so each checkpoint is compared with
the checksum that was taken when it was written; one without a checksum was never
finished.
"""

import warnings
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from xrdjax import devices
from xrdjax.checkpoints.records import (
    CHECKPOINTS,
    Records,
    by_accuracy,
    checksum,
    list_steps,
    read_records,
    remove_leftovers,
)
from xrdjax.errors import InputError

CHOICES = ("newest", "best")


@dataclass(frozen=True)
class _Found:
    """The first complete checkpoint in order of preference.

    Attributes:
        step: its step; 0 if there is none.
        damaged: steps of the damaged checkpoints that precede it.
    """

    step: int
    damaged: tuple[int, ...]


def _candidates(workdir: Path, records: Records, checkpoint: str) -> list[int]:
    """Steps in order of preference.

    Raises:
        InputError: the best is asked for and no accuracy is known.
    """
    steps = list_steps(workdir / CHECKPOINTS)
    if checkpoint == "newest" or not steps:
        return steps
    best = by_accuracy(records)
    if not best:
        raise InputError(
            f"no checkpoint in {str(workdir)!r} has a validation accuracy: take "
            "the newest, or train with evaluation.validation above 0"
        )
    return best


def _find(workdir: Path, checkpoint: str) -> _Found:
    """The checkpoint to read.

    Raises:
        InputError: there are checkpoints and all are damaged, or the best is asked for
            and no accuracy is known.
    """
    records = read_records(workdir)
    steps = _candidates(workdir, records, checkpoint)
    damaged: list[int] = []
    for step in steps:
        recorded = records.get(step, {}).get("sha256")
        if recorded == checksum(workdir / CHECKPOINTS / str(step)):
            return _Found(step, tuple(damaged))
        damaged.append(step)
    # a run that was killed may leave its first checkpoint without a checksum
    if len(steps) > 1 or any(step in records for step in steps):
        raise InputError(
            f"every checkpoint in {str(workdir / CHECKPOINTS)!r} is truncated "
            "or corrupt: remove the work directory, or name another, to train "
            "from the beginning"
        )
    return _Found(0, tuple(damaged))


def _warn_of_damage(workdir: Path, found: _Found) -> None:
    instead = "there is no other"
    if found.step:
        instead = f"the one of step {found.step} is used instead"
    for step in found.damaged:
        warnings.warn(
            f"the checkpoint {str(workdir / CHECKPOINTS / str(step))!r} is truncated "
            f"or corrupt; {instead}",
            stacklevel=3,
        )


def _read(folder: Path, targets: dict[str, Any]) -> dict[str, Any]:
    """Pytrees like the targets, by name, on the same devices."""
    import orbax.checkpoint as ocp  # takes long, and bundled weights need none of it

    shapes = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding),
        targets,
    )
    reads = {name: ocp.args.StandardRestore(tree) for name, tree in shapes.items()}
    with closing(ocp.Checkpointer(ocp.CompositeCheckpointHandler())) as checkpointer:
        restored = checkpointer.restore(folder, args=ocp.args.Composite(**reads))
    return {name: restored[name] for name in targets}


def restore(
    workdir: Path,
    targets: dict[str, Any],
    checkpoint: str = "newest",
    remove_damaged: bool = False,
) -> tuple[int, dict[str, Any]] | None:
    """Reads the newest checkpoint that is complete, or the best.

    Args:
        workdir: work directory of the run.
        targets: pytrees like those to read, by name: arrays, or
            `jax.ShapeDtypeStruct` with a sharding.
        checkpoint: "newest", or "best" by validation accuracy.
        remove_damaged: delete what is newer than the checkpoint that is read; a run
            that will write these steps again must do so.

    Returns:
        Step and pytrees, or None if there is no checkpoint at all. Each damaged
        checkpoint that is passed over is named in a warning.

    Raises:
        InputError: there are checkpoints and all are damaged, or the best is asked for
            and no accuracy is known.
    """
    if checkpoint not in CHOICES:
        raise InputError(
            f"the checkpoint is {checkpoint!r}, expected {' or '.join(CHOICES)}"
        )
    folder = (workdir / CHECKPOINTS).resolve()
    if not folder.is_dir():
        return None
    found = _find(workdir, checkpoint)
    # none may be deleted that another process still compares
    devices.barrier("checkpoints compared")
    _warn_of_damage(workdir, found)
    if remove_damaged and devices.is_first():
        remove_leftovers(workdir, newest=found.step)
    devices.barrier("checkpoints removed")
    if found.step == 0:
        return None
    return found.step, _read(folder / str(found.step), targets)
