"""The work directory of a run: started, or checked to hold the same run."""

from pathlib import Path

import jax
import ml_collections

from xrdjax.checkpoints.reader import restore
from xrdjax.checkpoints.records import read_records
from xrdjax.config import CONFIG_FILE, check_same_run, read_config, write_config
from xrdjax.errors import InputError, report_full_disk
from xrdjax.prior.file import load_statistics, read_provenance, save_statistics
from xrdjax.run import STATISTICS, Run, make_run
from xrdjax.training.state import TrainState, from_items, to_items


def prepare_workdir(config: ml_collections.ConfigDict, workdir: Path) -> None:
    """Starts a work directory, or makes sure that it holds the same run.

    Raises:
        InputError: it cannot be written to, or holds another run.
    """
    try:
        if (workdir / CONFIG_FILE).exists():
            old = read_config(workdir)
            check_same_run(old, config, workdir)
            check_decay(old, config, max(read_records(workdir), default=0))
        else:
            workdir.mkdir(parents=True, exist_ok=True)
            _keep_statistics(config, workdir)
        write_config(workdir, config)
    except OSError as error:
        raise InputError(
            f"cannot write to the work directory {str(workdir)!r} ({error.strerror}): "
            "give --workdir a folder that you may write to"
        ) from error


def check_decay(
    old: ml_collections.ConfigDict, new: ml_collections.ConfigDict, step: int
) -> None:
    """Refuses to move the decay of a "stable_decay" learning rate once it has begun.

    Args:
        old, new: configurations of one run.
        step: of its newest checkpoint.

    Raises:
        InputError: it has begun; names the steps.
    """
    if new.optimizer.schedule != "stable_decay":
        return
    (was, old_end), (now, new_end) = (
        (config.steps - config.optimizer.decay_steps, config.steps)
        for config in (old, new)
    )
    if (was, old_end) != (now, new_end) and step > min(was, now):
        raise InputError(
            f"the learning rate was to fall from step {was} to {old_end} and is now to "
            f"fall from {now} to {new_end}, but the newest checkpoint is of step {step}: "
            "choose steps and optimizer.decay_steps so that it falls later, or take the "
            "run up in another work directory, with --config.init=DIR of this one and "
            "--config.init_optimizer=kept"
        )


def _keep_statistics(config: ml_collections.ConfigDict, workdir: Path) -> None:
    """Copies the statistics of a run's groups to its work directory."""
    path = config.statistics or None
    save_statistics(
        workdir / STATISTICS,
        load_statistics(path, min_crystals=config.min_crystals),
        read_provenance(path),
        overwrite=True,
    )


def open_run(config: ml_collections.ConfigDict, workdir: Path) -> Run:
    """The run of a work directory that process 0 has prepared, without parameters.

    Raises:
        InputError: this process does not see the files of process 0.
    """
    path = workdir / STATISTICS
    if not path.exists():
        raise InputError(
            f"process {jax.process_index()} does not see the files of process 0 in "
            f"{str(workdir)!r}: give --workdir a folder that all machines share"
        )
    return make_run(config, load_statistics(path), read_provenance(path))


def restore_state(workdir: Path, initial: TrainState) -> TrainState:
    """The state of the newest complete checkpoint; without any, the initial state.

    Raises:
        InputError: all checkpoints are damaged, or damaged ones cannot be removed.
    """
    with report_full_disk(workdir):
        found = restore(workdir, to_items(initial), remove_damaged=True)
    return initial if found is None else from_items(found[1])
