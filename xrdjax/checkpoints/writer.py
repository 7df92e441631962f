"""Writes the checkpoints of a run while it trains.

A work directory holds `checkpoints/` (orbax, one folder a step) and `checksums.json`.
"""

import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp

from xrdjax import devices
from xrdjax.checkpoints.records import (
    CHECKPOINTS,
    by_accuracy,
    checksum,
    list_steps,
    read_records,
    write_records,
)
from xrdjax.errors import report_full_disk


class CheckpointWriter:
    """Writes the checkpoints of a run in the background.

    The newest are kept, and the one of the best validation accuracy. An older one is
    removed only when the newer one is on the disk and its checksum recorded. All
    processes of a run take part; process 0 keeps the records.
    """

    def __init__(self, workdir: Path, kept: int):
        """Writes to a work directory, and keeps the `kept` newest checkpoints."""
        self._workdir, self._kept = workdir, kept
        self._folder = (workdir / CHECKPOINTS).resolve()
        self._checkpointer = ocp.AsyncCheckpointer(ocp.CompositeCheckpointHandler())
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._writing: Future[None] | None = None

    def save(
        self, step: int, items: dict[str, Any], accuracy: float | None = None
    ) -> None:
        """Starts to write a checkpoint, after the previous one is written.

        Args:
            step: number of updates done.
            items: pytrees of arrays, by name; each can be restored by itself. They
                are copied before this returns, so that they may be donated.
            accuracy: on the validation patterns, if it was measured.

        Raises:
            InputError: this checkpoint or the previous one could not be written.
        """
        self.finish()
        saves = {name: ocp.args.StandardSave(tree) for name, tree in items.items()}
        with report_full_disk(self._workdir):
            self._checkpointer.save(
                self._folder / str(step), args=ocp.args.Composite(**saves)
            )
        self._writing = self._thread.submit(self._record, step, accuracy)

    def _record(self, step: int, accuracy: float | None) -> None:
        """Records a checkpoint once it is written, and removes what is not kept."""
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
        """Reports a failure to write the last checkpoint, without waiting for it.

        Raises:
            InputError: it could not be written.
        """
        if self._writing is not None and self._writing.done():
            self.finish()

    def finish(self) -> None:
        """Waits until the last checkpoint is written.

        Raises:
            InputError: it could not be written.
        """
        if self._writing is not None:
            writing, self._writing = self._writing, None
            with report_full_disk(self._workdir):
                writing.result()

    def close(self) -> None:
        """Finishes, and stops the threads."""
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
    """Writes one checkpoint, as `CheckpointWriter.save` does, and waits for it."""
    with closing(CheckpointWriter(workdir, kept)) as writer:
        writer.save(step, items, accuracy)
