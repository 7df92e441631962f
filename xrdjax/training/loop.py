"""Training: the loop around the compiled steps, checkpoints and metrics.

A run that was stopped resumes as if it had not been.
"""

import dataclasses
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import jax
import ml_collections

from xrdjax.build import (
    Schedule,
    cell_loss_of,
    check_buildable,
    frozen_layers,
    make_optimizer,
    make_source,
    schedule_of,
)
from xrdjax.checkpoints.writer import CheckpointWriter
from xrdjax.config import check_config
from xrdjax.devices import (
    any_process,
    barrier,
    global_mesh,
    is_first,
    on_first,
    replicate,
)
from xrdjax.patterns.batch import Source
from xrdjax.run import write_origin
from xrdjax.training.exhausted import ExhaustedCrystals
from xrdjax.training.log import MetricsLog, NoLog, Progress
from xrdjax.training.origin import describe, origin_of
from xrdjax.training.skipped import SkippedSteps
from xrdjax.training.state import TrainState, init_state, to_items
from xrdjax.training.step import CallSize, Learner, make_train_steps
from xrdjax.training.stopping import note_signals
from xrdjax.training.validation import Validate, standard_validation
from xrdjax.training.warm_start import open_start, warm_state
from xrdjax.training.workdir import open_run, prepare_workdir, restore_state


def _print(message: str) -> None:
    """Prints a message beside the progress bar, once for all processes."""
    if is_first():
        print(message, file=sys.stderr, flush=True)


def _to_metrics(measured: dict[str, Any], speed: float) -> dict[str, float]:
    """What one call measured, as numbers; `skipped` becomes a count."""
    numbers = {name: value.item() for name, value in measured.items() if not value.ndim}
    return {
        "loss": numbers.pop("loss"),
        "accuracy": numbers.pop("accuracy"),
        "patterns_per_second": speed,
        "skipped_steps": int(measured["skipped"].sum()),
    } | numbers


@dataclasses.dataclass(frozen=True)
class _Loop:
    """The loop over calls of the compiled program, and what happens between them.

    Attributes:
        workdir: gets checkpoints and metrics.
        schedule: how long it is.
        program: (state, source) -> (state, metrics), of `make_train_steps`.
        source: of the training patterns, on all devices.
        validate: accuracy of parameters, or None.
        asked_to_stop: whether a signal asked this process to stop.
    """

    workdir: Path
    schedule: Schedule
    program: Callable[[TrainState, Source], tuple[TrainState, dict[str, Any]]]
    source: Source
    validate: Validate | None
    asked_to_stop: Callable[[], bool]

    def run(self, state: TrainState) -> tuple[TrainState, bool]:
        """Trains to the last step; the state, and whether a signal came before."""
        schedule, step, first_process = self.schedule, int(state.step), is_first()
        skipped, exhausted = SkippedSteps(schedule), ExhaustedCrystals()
        with (
            closing(
                MetricsLog(self.workdir, step) if first_process else NoLog()
            ) as log,
            closing(
                CheckpointWriter(self.workdir, schedule.checkpoints_kept)
            ) as writer,
            closing(Progress(step, schedule.steps, visible=first_process)) as progress,
        ):
            stopping = any_process(self.asked_to_stop())
            while step < schedule.steps and not stopping:
                first, step = step, step + schedule.steps_per_call
                state, measured, metrics = self._call(state)
                due = step % schedule.checkpoint_every == 0 or step == schedule.steps
                accuracy = (
                    self.validate(state.params) if self.validate and due else None
                )
                if accuracy is not None:
                    metrics["validation_accuracy"] = accuracy
                log.write(step, metrics)
                progress.show(step, metrics)
                skipped.add(measured["skipped"], first, state.key)
                exhausted.add((step - first) * schedule.batch_size, metrics)
                stopping = any_process(self.asked_to_stop())
                if due or stopping:
                    writer.save(step, to_items(state), accuracy)
                writer.check()
        return state, stopping

    def _call(
        self, state: TrainState
    ) -> tuple[TrainState, dict[str, Any], dict[str, float]]:
        """One call of the program: the state after it, its results, and as metrics."""
        began = time.perf_counter()
        state, measured = self.program(state, self.source)
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

    On SIGTERM and Ctrl-C it finishes the call of the compiled program, saves, and ends
    the process with status 0 and 130.

    Args:
        config: as from configs/resnet.py.
        workdir: gets configuration, checkpoints, metrics.jsonl, TensorBoard events.
        source: of the training patterns; by default the one that the configuration
            describes.
        validate: accuracy of parameters, by which the best checkpoint is known; by
            default on known crystals of the validation part, where crystals are named
            and some are held out, else on synthetic crystals with a key of their own.

    Raises:
        InputError: a bad value, a directory that cannot be written to or holds another
            run or only damaged checkpoints, weights to start from that do not fit, a
            full disk, or too many steps in a row that were not finite.
    """
    workdir, mesh = Path(workdir), global_mesh()
    check_config(config)
    check_buildable(config, mesh.size)
    start = open_start(config, workdir)
    on_first(lambda: prepare_workdir(config, workdir))
    if config.compilation_cache:
        jax.config.update("jax_compilation_cache_dir", config.compilation_cache)
    run = open_run(config, workdir)
    schedule = schedule_of(config, len(run.space_groups), mesh.size)
    learner = Learner(
        run.model,
        make_optimizer(config),
        run.network_input,
        frozen_layers(config),
        cell_loss_of(config, run.space_groups.tolist()),
    )
    shape = run.network_input.shape
    state = init_state(config.seed, learner.model, learner.optimizer, shape, mesh)
    state = restore_state(workdir, state)
    if start is not None:
        state = warm_state(start, run, state, mesh)
    if int(state.step) >= schedule.steps:
        return state
    validate = validate or standard_validation(run, source)
    if start is not None:
        accuracy = validate(state.params) if validate else None
        origin = origin_of(start, run, learner.frozen, accuracy)
        on_first(lambda: write_origin(workdir, origin))
        _print(describe(origin))
    source = source or make_source(config, run.statistics, run.provenance)
    source = replicate(source, mesh)
    size = CallSize(
        schedule.batch_size, schedule.steps_per_call, schedule.steps_per_draw
    )
    with note_signals() as request:
        _print("compiling the training program ...")
        program = make_train_steps(learner, mesh, size).lower(state, source).compile()
        loop = _Loop(workdir, schedule, program, source, validate, request)
        state, stopped = loop.run(state)
    # the others must not look for a checkpoint that process 0 is still recording
    barrier("checkpoints written")
    if stopped:
        _print(
            f"stopped by {request.name} at step {int(state.step)} of {schedule.steps}: the "
            "same command resumes from there"
        )
        sys.exit(request.exit_status)
    return state
