"""Training: the loop around the compiled steps, checkpoints and metrics.

A run that was stopped resumes as if it had not been.
"""

import dataclasses
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import jax
import ml_collections
import numpy as np
from jaxtyping import Bool
from tqdm import tqdm

from xrdjax import devices
from xrdjax.build import (
    Schedule,
    check_buildable,
    make_optimizer,
    make_source,
    schedule_of,
)
from xrdjax.checkpoints.reader import restore
from xrdjax.checkpoints.writer import CheckpointWriter
from xrdjax.config import (
    CONFIG_FILE,
    check_config,
    check_same_run,
    read_config,
    write_config,
)
from xrdjax.errors import InputError, report_full_disk
from xrdjax.patterns.batch import Source
from xrdjax.prior.file import load_statistics, read_provenance, save_statistics
from xrdjax.run import STATISTICS, Run, make_run
from xrdjax.training.log import MetricsLog, NoLog
from xrdjax.training.state import TrainState, from_items, init_state, to_items
from xrdjax.training.step import CallSize, Learner, make_train_steps
from xrdjax.training.stopping import note_sigterm
from xrdjax.training.validation import Validate, standard_validation


def _prepare_workdir(config: ml_collections.ConfigDict, workdir: Path) -> None:
    """Starts a work directory, or makes sure that it holds the same run."""
    try:
        if (workdir / CONFIG_FILE).exists():
            check_same_run(read_config(workdir), config, workdir)
        else:
            workdir.mkdir(parents=True, exist_ok=True)
            source = config.statistics or None
            save_statistics(
                workdir / STATISTICS,
                load_statistics(source),
                read_provenance(source),
                overwrite=True,
            )
        write_config(workdir, config)
    except OSError as error:
        raise InputError(
            f"cannot write to the work directory {str(workdir)!r} ({error.strerror}): "
            "give --workdir a folder that you may write to"
        ) from error


def _open_run(config: ml_collections.ConfigDict, workdir: Path) -> Run:
    """The run of a work directory, by the statistics that process 0 has put there."""
    path = workdir / STATISTICS
    if not path.exists():
        raise InputError(
            f"process {jax.process_index()} does not see the files of process 0 in "
            f"{str(workdir)!r}: give --workdir a folder that all machines share"
        )
    return make_run(config, load_statistics(path), read_provenance(path))


def _restore_state(workdir: Path, state: TrainState) -> TrainState:
    """The state of the newest complete checkpoint, or the one given."""
    with report_full_disk(workdir):
        found = restore(workdir, to_items(state), remove_damaged=True)
    return state if found is None else from_items(found[1])


@dataclasses.dataclass
class _SkippedSteps:
    """Counts steps in a row whose loss or gradient was not finite.

    A run that is resumed begins to count anew.

    Attributes:
        schedule: how many are too many, and which steps share a key.
        in_a_row: so far.
    """

    schedule: Schedule
    in_a_row: int = 0

    def add(self, skipped: Bool[np.ndarray, " steps"], first: int, key: Any) -> None:
        """Counts the steps of one call.

        Args:
            skipped: [steps] which steps were skipped.
            first: number of the call's first step.
            key: [2] data of the run's key.

        Raises:
            InputError: too many were in a row; names a step and key that do it again.
        """
        most = self.schedule.max_skipped_steps
        for step, was_skipped in enumerate(skipped, start=first):
            self.in_a_row = self.in_a_row + 1 if was_skipped else 0
            if self.in_a_row == most:
                begin = step - most + 1
                sampled = begin - begin % self.schedule.steps_per_draw
                data = np.asarray(key).tolist()
                raise InputError(
                    f"loss or gradient was not finite in {most} steps in a row, from "
                    f"step {begin} on, whose key is jax.random.fold_in("
                    f"jax.random.wrap_key_data(jax.numpy.uint32({data})), {sampled}), "
                    "folded with each device's number: lower optimizer.learning_rate "
                    "in another work directory, or raise max_skipped_steps to resume "
                    "from the last checkpoint"
                )


def _to_metrics(measured: dict[str, Any], speed: float) -> dict[str, float]:
    """What one call measured, as numbers; `skipped` becomes a count."""
    counts = {name: value.item() for name, value in measured.items() if not value.ndim}
    return {
        "loss": counts.pop("loss"),
        "accuracy": counts.pop("accuracy"),
        "patterns_per_second": speed,
        "skipped_steps": int(measured["skipped"].sum()),
    } | counts


class _Progress:
    """The bar on the terminal of the first process."""

    def __init__(self, step: int, schedule: Schedule):
        self._bar = tqdm(
            total=schedule.steps,
            initial=step,
            unit="step",
            disable=not devices.is_first(),
        )

    def show(self, steps: int, metrics: dict[str, float]) -> None:
        """Moves on by so many steps."""
        self._bar.set_postfix_str(
            f"loss {metrics['loss']:.3f}, accuracy {metrics['accuracy']:.1%}, "
            f"{metrics['patterns_per_second']:,.0f} patterns/s",
            refresh=False,
        )
        self._bar.update(steps)

    def close(self) -> None:
        """Leaves the bar as it is."""
        self._bar.close()


@dataclasses.dataclass
class _Loop:
    """The loop over calls of the compiled program, and what it does in between."""

    workdir: Path
    schedule: Schedule
    compiled: Any
    source: Source
    validate: Validate | None

    def run(self, state: TrainState, asked_to_stop: Any) -> tuple[TrainState, bool]:
        """Trains to the last step; the state, and whether a signal stopped it early."""
        step = int(state.step)
        log = MetricsLog(self.workdir, step) if devices.is_first() else NoLog()
        writer = CheckpointWriter(self.workdir, self.schedule.checkpoints_kept)
        skipped = _SkippedSteps(self.schedule)
        with (
            closing(log),
            closing(writer),
            closing(_Progress(step, self.schedule)) as bar,
        ):
            stopping = devices.any_process(asked_to_stop())
            while step < self.schedule.steps and not stopping:
                first, step = step, step + self.schedule.steps_per_call
                state, measured, metrics = self._call(state)
                due = (
                    step % self.schedule.checkpoint_every == 0
                    or step == self.schedule.steps
                )
                accuracy = None
                if self.validate and due:
                    accuracy = self.validate(state.params)
                    metrics["validation_accuracy"] = accuracy
                log.write(step, metrics)
                bar.show(step - first, metrics)
                skipped.add(measured["skipped"], first, state.key)
                stopping = devices.any_process(asked_to_stop())
                if due or stopping:
                    writer.save(step, to_items(state), accuracy)
                writer.check()
        return state, stopping

    def _call(
        self, state: TrainState
    ) -> tuple[TrainState, dict[str, Any], dict[str, float]]:
        """One call of the compiled program, and what it measured."""
        began = time.perf_counter()
        state, measured = self.compiled(state, self.source)
        measured = jax.device_get(measured)
        patterns = self.schedule.batch_size * self.schedule.steps_per_call
        speed = patterns / (time.perf_counter() - began)
        return state, measured, _to_metrics(measured, speed)


def train(
    config: ml_collections.ConfigDict,
    workdir: str | Path,
    source: Source | None = None,
    validate: Validate | None = None,
) -> TrainState:
    """Trains a network, from the newest checkpoint of the work directory if any.

    On SIGTERM it finishes the call of the compiled program, saves, and ends the
    process with status 0.

    Args:
        config: as from configs/resnet.py.
        workdir: gets configuration, checkpoints, metrics.jsonl, TensorBoard events.
        source: of the training patterns; by default the one that the configuration
            describes.
        validate: accuracy of parameters, by which the best checkpoint is known; by
            default on known crystals of the validation part, where crystals are named
            and some are held out, else on synthetic crystals of a key of their own.

    Raises:
        InputError: for a bad value, a directory that cannot be written to or holds
            another run, if no checkpoint in it is complete, if the disk is full, or if
            too many steps in a row were not finite.
    """
    check_config(config)
    check_buildable(config)
    workdir, mesh = Path(workdir), devices.global_mesh()
    schedule_of(config, groups=1, devices=mesh.size)  # refuses before it writes
    devices.on_first(lambda: _prepare_workdir(config, workdir))
    if config.compilation_cache:
        jax.config.update("jax_compilation_cache_dir", config.compilation_cache)
    run = _open_run(config, workdir)
    schedule = schedule_of(config, len(run.space_groups), mesh.size)
    learner = Learner(run.model, make_optimizer(config))
    points = run.measurement.grid.points
    state = init_state(config.seed, learner.model, learner.optimizer, points, mesh)
    state = _restore_state(workdir, state)
    if int(state.step) >= schedule.steps:
        return state
    validate = validate or standard_validation(run, source)
    source = source or make_source(config, run.statistics, run.provenance)
    source = devices.replicate(source, mesh)
    size = CallSize(
        schedule.batch_size, schedule.steps_per_call, schedule.steps_per_draw
    )
    with note_sigterm() as asked_to_stop:
        if devices.is_first():
            print("compiling the training program ...", file=sys.stderr, flush=True)
        program = make_train_steps(learner, mesh, size)
        compiled = program.lower(state, source).compile()
        loop = _Loop(workdir, schedule, compiled, source, validate)
        state, stopped = loop.run(state, asked_to_stop)
    # the others must not look for a checkpoint that process 0 is still recording
    devices.barrier("checkpoints written")
    if stopped:
        if devices.is_first():
            print(
                f"stopped at step {int(state.step)} of {schedule.steps} on SIGTERM: the "
                "same command resumes from there",
                file=sys.stderr,
            )
        sys.exit(0)
    return state
