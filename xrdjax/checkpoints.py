"""Checkpoints of a run, and how to get a trained network back.

A work directory holds `config.json`, a copy of the statistics that the crystals are
drawn from, `checkpoints/` (orbax, one folder a step) and `checksums.json`. Orbax reads
some damaged files without complaint, so each checkpoint is compared with the checksum
that was taken when it was written.
"""

import hashlib
import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import ml_collections
import numpy as np
import orbax.checkpoint as ocp
from flax import linen as nn
from jaxtyping import Int

from xrdjax.config import make_model, read_config
from xrdjax.crystals.statistics import Statistics, load_statistics
from xrdjax.errors import InputError
from xrdjax.models.resnet import init_params

CHECKPOINTS = "checkpoints"
CHECKSUMS = "checksums.json"
STATISTICS = "statistics.npz"


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


def _manager(workdir: Path, kept: int | None = None) -> ocp.CheckpointManager:
    options = ocp.CheckpointManagerOptions(
        max_to_keep=kept, enable_async_checkpointing=False
    )
    return ocp.CheckpointManager((workdir / CHECKPOINTS).resolve(), options=options)


def _checksum(folder: Path) -> str:
    """SHA-256 over the names and contents of all files in a folder."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()} {digest}\n".encode())
    return total.hexdigest()


def _read_checksums(workdir: Path) -> dict[str, str]:
    try:
        return json.loads((workdir / CHECKSUMS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # then no checkpoint passes, and each is named


def save(workdir: Path, step: int, items: dict[str, Any], kept: int) -> None:
    """Writes a checkpoint, takes its checksum, and removes the oldest.

    Args:
        workdir: work directory of the run.
        step: number of updates done.
        items: pytrees of arrays, by name; each can be restored by itself.
        kept: how many checkpoints to keep, this one included.
    """
    saves = {name: ocp.args.StandardSave(tree) for name, tree in items.items()}
    with _manager(workdir, kept) as manager:
        manager.save(step, args=ocp.args.Composite(**saves))
        steps = manager.all_steps()
    checksums = _read_checksums(workdir)
    checksums[str(step)] = _checksum(workdir / CHECKPOINTS / str(step))
    checksums = {name: checksums[name] for name in map(str, steps) if name in checksums}
    partial = workdir / (CHECKSUMS + ".partial")
    partial.write_text(json.dumps(checksums, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, workdir / CHECKSUMS)


def restore(
    workdir: Path, targets: dict[str, Any], remove_damaged: bool = False
) -> tuple[int, dict[str, Any]] | None:
    """Reads the newest checkpoint that is whole.

    Args:
        workdir: work directory of the run.
        targets: pytrees like those to read, by name: arrays, or
            `jax.ShapeDtypeStruct` with a sharding.
        remove_damaged: delete what is newer than the checkpoint that is read, as a
            run must that is to write these steps again.

    Returns:
        Step and pytrees, or None if there is no checkpoint at all. A damaged
        checkpoint is passed over with a warning that names it.

    Raises:
        InputError: if there are checkpoints and all are damaged.
    """
    if not (workdir / CHECKPOINTS).is_dir():
        return None
    checksums = _read_checksums(workdir)
    damaged = []
    with _manager(workdir) as manager:
        for step in sorted(manager.all_steps(), reverse=True):
            folder = workdir / CHECKPOINTS / str(step)
            if checksums.get(str(step)) == _checksum(folder):
                break
            damaged.append(step)
        else:
            if damaged:
                raise InputError(
                    f"every checkpoint in {str(workdir / CHECKPOINTS)!r} is truncated "
                    "or corrupt: remove the work directory, or name another, to train "
                    "from the beginning"
                )
            return None
        for broken in damaged:
            warnings.warn(
                f"the checkpoint {str(workdir / CHECKPOINTS / str(broken))!r} is "
                f"truncated or corrupt; the one of step {step} is used instead",
                stacklevel=2,
            )
            if remove_damaged:
                manager.delete(broken)
        shapes = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding),
            targets,
        )
        reads = {name: ocp.args.StandardRestore(tree) for name, tree in shapes.items()}
        restored = manager.restore(step, args=ocp.args.Composite(**reads))
    return step, {name: restored[name] for name in targets}


def load_run(workdir: str | Path) -> Run:
    """The network of a work directory, at its newest checkpoint.

    Raises:
        InputError: if there is no run, or none of its checkpoints is whole.
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
    found = restore(workdir, {"params": params})
    if found is None:
        raise InputError(
            f"{str(workdir)!r} has no checkpoint yet: let the run go on until "
            f"checkpoint_every, {config.checkpoint_every} steps, are done"
        )
    step, restored = found
    return Run(config, model, restored["params"], statistics, step, space_groups)
