"""Checkpoints of a run, and how to get a trained network back.

A work directory holds `config.json`, a copy of the statistics that the crystals are
drawn from, `checkpoints/` (orbax, one folder a step) and `checksums.json`. Orbax reads
some damaged files without complaint, so each checkpoint is compared with the checksum
that was taken when it was written; one without a checksum was never finished.
"""

import shutil
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import ml_collections
import numpy as np
import orbax.checkpoint as ocp
from flax import linen as nn
from jaxtyping import Int

from xrdjax import devices
from xrdjax.checkpoints.records import (
    CHECKPOINTS,
    by_accuracy,
    checksum,
    list_steps,
    read_records,
    remove_leftovers,
    write_records,
)
from xrdjax.config import make_model, read_config
from xrdjax.errors import InputError, report_full_disk
from xrdjax.models.resnet import init_params
from xrdjax.prior.tables import Statistics, load_statistics

STATISTICS = "statistics.npz"
CHOICES = ("newest", "best")


@dataclass(frozen=True)
class Run:
    """A trained network and what is needed to use it.

    Attributes:
        config: the run's configuration.
        model: the network; `model.apply({"params": params}, preprocess(patterns))`
            gives logits [B, K].
        params: its parameters at `step`.
        statistics: what the run's crystals were drawn from.
        step: number of updates that the parameters have seen.
        space_groups: [K] number of each class's space group.
    """

    config: ml_collections.ConfigDict
    model: nn.Module
    params: dict[str, Any]
    statistics: Statistics
    step: int
    space_groups: Int[np.ndarray, " K"]


class CheckpointWriter:
    """Writes the checkpoints of a run while the run goes on.

    The newest are kept, and the one of the best validation accuracy. An older one is
    removed only when the newer one is on the disk and has its checksum. All processes
    of a run take part; the first one keeps the records.
    """

    def __init__(self, workdir: Path, kept: int):
        """For a work directory; `kept` newest checkpoints are to stay."""
        self._workdir, self._kept = workdir, kept
        self._folder = (workdir / CHECKPOINTS).resolve()
        self._checkpointer = ocp.AsyncCheckpointer(ocp.CompositeCheckpointHandler())
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._writing: Future[None] | None = None

    def save(
        self, step: int, items: dict[str, Any], accuracy: float | None = None
    ) -> None:
        """Begins to write a checkpoint, once the one before is written.

        Args:
            step: number of updates done.
            items: pytrees of arrays, by name; each can be restored by itself. They
                are copied before this returns, so that they may be given up.
            accuracy: on the validation patterns, if it was measured.

        Raises:
            InputError: the disk did not take this checkpoint or the one before.
        """
        self.finish()
        saves = {name: ocp.args.StandardSave(tree) for name, tree in items.items()}
        with report_full_disk(self._workdir):
            self._checkpointer.save(
                self._folder / str(step), args=ocp.args.Composite(**saves)
            )
        self._writing = self._thread.submit(self._finish_step, step, accuracy)

    def _finish_step(self, step: int, accuracy: float | None) -> None:
        self._checkpointer.wait_until_finished()
        if not devices.is_first():
            return
        records = read_records(self._workdir)
        records[step] = {
            "sha256": checksum(self._folder / str(step)),
            "validation_accuracy": accuracy,
        }
        kept = sorted(records)[-self._kept :] + by_accuracy(records)[:1]
        write_records(self._workdir, {s: records[s] for s in sorted(set(kept))})
        for old in set(list_steps(self._folder)) - set(kept):
            shutil.rmtree(self._folder / str(old))

    def check(self) -> None:
        """Raises InputError if the last checkpoint could not be written; no waiting."""
        if self._writing is not None and self._writing.done():
            self.finish()

    def finish(self) -> None:
        """Waits until the last checkpoint is written; raises InputError if it is not."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            with report_full_disk(self._workdir):
                writing.result()

    def close(self) -> None:
        """Finishes, and ends the threads."""
        try:
            self.finish()
        finally:
            self._thread.shutdown()
            self._checkpointer.close()


def save(
    workdir: Path,
    step: int,
    items: dict[str, Any],
    kept: int,
    accuracy: float | None = None,
) -> None:
    """Writes one checkpoint, as `CheckpointWriter` does, and waits for it."""
    with closing(CheckpointWriter(workdir, kept)) as writer:
        writer.save(step, items, accuracy)


def restore(
    workdir: Path,
    targets: dict[str, Any],
    checkpoint: str = "newest",
    remove_damaged: bool = False,
) -> tuple[int, dict[str, Any]] | None:
    """Reads the newest checkpoint that is whole, or the best.

    Args:
        workdir: work directory of the run.
        targets: pytrees like those to read, by name: arrays, or
            `jax.ShapeDtypeStruct` with a sharding.
        checkpoint: "newest", or "best" by validation accuracy.
        remove_damaged: delete what is newer than the checkpoint that is read, as a
            run must that is to write these steps again.

    Returns:
        Step and pytrees, or None if there is no checkpoint at all. A damaged
        checkpoint is passed over with a warning that names it.

    Raises:
        InputError: if there are checkpoints and all are damaged, or if the best is
            asked for and no accuracy is known.
    """
    if checkpoint not in CHOICES:
        raise InputError(
            f"the checkpoint is {checkpoint!r}, expected {' or '.join(CHOICES)}"
        )
    folder = (workdir / CHECKPOINTS).resolve()
    if not folder.is_dir():
        return None
    records = read_records(workdir)
    steps = list_steps(folder)
    if checkpoint == "best" and steps:
        steps = by_accuracy(records)
        if not steps:
            raise InputError(
                f"no checkpoint in {str(workdir)!r} has a validation accuracy: take "
                "the newest, or train with evaluation.validation above 0"
            )
    damaged = []
    for step in steps:
        path = folder / str(step)
        if records.get(step, {}).get("sha256") == checksum(path):
            break
        damaged.append(step)
    else:
        # A run that was killed may leave its first checkpoint without a checksum.
        if len(steps) > 1 or any(step in records for step in steps):
            raise InputError(
                f"every checkpoint in {str(workdir / CHECKPOINTS)!r} is truncated "
                "or corrupt: remove the work directory, or name another, to train "
                "from the beginning"
            )
        step = 0
    # None may be deleted that another process still compares.
    devices.barrier("checkpoints compared")
    instead = f"the one of step {step} is used instead" if step else "there is no other"
    for broken in damaged:
        warnings.warn(
            f"the checkpoint {str(workdir / CHECKPOINTS / str(broken))!r} is "
            f"truncated or corrupt; {instead}",
            stacklevel=2,
        )
    if remove_damaged and devices.is_first():
        remove_leftovers(workdir, newest=step)
    devices.barrier("checkpoints removed")
    if step == 0:
        return None
    shapes = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding),
        targets,
    )
    reads = {name: ocp.args.StandardRestore(tree) for name, tree in shapes.items()}
    with closing(ocp.Checkpointer(ocp.CompositeCheckpointHandler())) as checkpointer:
        restored = checkpointer.restore(path, args=ocp.args.Composite(**reads))
    return step, {name: restored[name] for name in targets}


def load_run(workdir: str | Path, checkpoint: str = "newest") -> Run:
    """The network of a work directory, at its newest checkpoint or at its best.

    Args:
        workdir: work directory of the run.
        checkpoint: "newest", or "best" by validation accuracy.

    Raises:
        InputError: if there is no run, none of its checkpoints is whole, or the best
            is not known.
    """
    workdir = Path(workdir)
    config = read_config(workdir)
    statistics = load_statistics(workdir / STATISTICS)
    space_groups = np.asarray(statistics.space_groups)
    model = make_model(config, outputs=len(space_groups))
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    shapes = jax.eval_shape(
        lambda key: init_params(key, model, config.points), jax.random.key(0)
    )
    params = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=device),
        shapes,
    )
    found = restore(workdir, {"params": params}, checkpoint)
    if found is None:
        raise InputError(
            f"{str(workdir)!r} has no checkpoint yet: let the run go on until "
            f"checkpoint_every, {config.checkpoint_every} steps, are done"
        )
    step, restored = found
    return Run(config, model, restored["params"], statistics, step, space_groups)
