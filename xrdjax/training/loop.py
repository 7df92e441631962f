"""Training: the loop around the compiled steps, checkpoints and metrics.

A run that was stopped goes on as if it had not been.
"""

import math
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import jax
import ml_collections
import numpy as np
from jaxtyping import Bool
from tqdm import tqdm

from xrdjax import devices
from xrdjax.checkpoints import writer as checkpoints
from xrdjax.checkpoints.writer import CheckpointWriter
from xrdjax.config import (
    CONFIG_FILE,
    check_config,
    check_same_run,
    make_generator,
    make_model,
    read_config,
    write_config,
)
from xrdjax.errors import InputError, report_full_disk
from xrdjax.evaluate import evaluate_run
from xrdjax.patterns.sources import check_source, make_source
from xrdjax.prior.file import load_statistics, read_provenance, save_statistics
from xrdjax.prior.tables import Statistics
from xrdjax.training.log import MetricsLog, NoLog
from xrdjax.training.step import (
    Draw,
    TrainState,
    init_state,
    make_optimizer,
    make_train_steps,
)
from xrdjax.training.stopping import note_sigterm
from xrdjax.training.validation import (
    Validate,
    draw_patterns,
    known_patterns,
    make_validation,
)


def _prepare(config: ml_collections.ConfigDict, workdir: Path) -> None:
    """Starts or takes up again a work directory."""
    try:
        if (workdir / CONFIG_FILE).exists():
            check_same_run(read_config(workdir), config, workdir)
        else:
            workdir.mkdir(parents=True, exist_ok=True)
            source = config.statistics or None
            save_statistics(
                workdir / checkpoints.STATISTICS,
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


def _statistics_of(workdir: Path) -> Statistics:
    """What the crystals of a run are drawn from, as process 0 has put it there."""
    if not (workdir / checkpoints.STATISTICS).exists():
        raise InputError(
            f"process {jax.process_index()} does not see the files of process 0 in "
            f"{str(workdir)!r}: give --workdir a folder that all machines share"
        )
    return load_statistics(workdir / checkpoints.STATISTICS)


def _batch_size(asked: int, groups: int, devices: int) -> int:
    return asked or devices * math.ceil(groups / devices)


def _check_batch(config: ml_collections.ConfigDict, devices: int) -> None:
    """Refuses a batch that cannot be shared among devices, or among two sources."""
    size = config.batch_size
    if size % devices:
        raise InputError(
            f"batch_size is {size}, which {devices} devices cannot share equally: "
            f"choose a multiple of {devices}"
        )
    if config.source == "mixed" and size * config.steps_per_draw == devices:
        raise InputError(
            f"batch_size is {size}, which leaves a device one crystal to draw, random "
            f"or known: choose {2 * devices} or more"
        )


def _items(state: TrainState) -> dict[str, Any]:
    """What a checkpoint holds; the parameters can be read by themselves."""
    training = {
        "step": state.step,
        "key": state.key,
        "opt_state": state.opt_state,
    }
    return {"params": state.params, "training": training}


def _stop_if_stuck(
    skipped: Bool[np.ndarray, " steps"],
    before: int,
    first: int,
    key: Any,
    most: int,
    steps_per_draw: int,
) -> int:
    """Counts skipped steps in a row, over the calls of the compiled program.

    Args:
        skipped: [steps] which steps of a call were skipped.
        before: how many were in a row as the call began.
        first: number of the call's first step.
        key: [2] data of the run's key.
        most: in a row.
        steps_per_draw: steps whose crystals come from the key of the first of them.

    Returns:
        How many are in a row as the call ends.

    Raises:
        InputError: `most` were in a row; names a step and key that do it again.
    """
    # a run that is taken up again begins to count anew
    in_a_row = before
    for step, was_skipped in enumerate(skipped, start=first):
        in_a_row = in_a_row + 1 if was_skipped else 0
        if in_a_row == most:
            begin = step - most + 1
            drawn = begin - begin % steps_per_draw
            data = np.asarray(key).tolist()
            raise InputError(
                f"loss or gradient was not finite in {most} steps in a row, from step "
                f"{begin} on, whose key is jax.random.fold_in(jax.random.wrap_key_data("
                f"jax.numpy.uint32({data})), {drawn}), folded with each device's "
                "number: lower optimizer.learning_rate in another work directory, or "
                "raise max_skipped_steps to go on from the last checkpoint"
            )
    return in_a_row


def _standard_validation(
    run: checkpoints.Run, provenance: Mapping, draw: Draw | None
) -> Validate:
    """On known crystals, where some are named and held out; else on random ones."""
    config = run.config
    if config.crystals and provenance.get("held_out"):
        return make_validation(run, lambda: known_patterns(run, provenance))
    count, batch = config.evaluation.validation, config.evaluation.batch_size
    standard_draw, tables = make_generator(config, run.statistics)
    random = draw or standard_draw
    placed = jax.device_put(tables, jax.local_devices()[0])
    return make_validation(
        run, lambda: draw_patterns(config.seed, random, placed, count, batch)
    )


def train(
    config: ml_collections.ConfigDict,
    workdir: str | Path,
    draw: Draw | None = None,
    validate: Validate | None = None,
) -> TrainState:
    """Trains a network, from the newest checkpoint of the work directory if any.

    On SIGTERM it finishes the call of the compiled program, saves, and ends the
    process with status 0.

    Args:
        config: as from configs/resnet.py.
        workdir: gets configuration, checkpoints, metrics.jsonl, TensorBoard events.
        draw: another generator of diffractograms, which gets the tables of the
            standard one.
        validate: accuracy of parameters, by which the best checkpoint is known; by
            default on known crystals of the validation part, where crystals are named
            and some are held out, else on random crystals of a key of their own.

    Raises:
        InputError: for a bad value, a directory that cannot be written to or holds
            another run, if no checkpoint in it is whole, if the disk is full, or if
            too many steps in a row were not finite.
    """
    check_config(config)
    check_source(config)
    mesh = devices.global_mesh()
    _check_batch(config, mesh.size)
    workdir = Path(workdir)
    devices.on_first(lambda: _prepare(config, workdir))
    statistics = _statistics_of(workdir)
    if config.compilation_cache:
        jax.config.update("jax_compilation_cache_dir", config.compilation_cache)
    groups = len(statistics.space_groups)
    batch_size = _batch_size(config.batch_size, groups, mesh.size)

    model = make_model(config, outputs=groups)
    optimizer = make_optimizer(**config.optimizer, steps=config.steps)
    state = init_state(config.seed, model, optimizer, config.points, mesh)
    with report_full_disk(workdir):
        found = checkpoints.restore(workdir, _items(state), remove_damaged=True)
    step = 0
    if found is not None:
        step, items = found
        state = TrainState(params=items["params"], **items["training"])
    if step >= config.steps:
        return state

    provenance = read_provenance(workdir / checkpoints.STATISTICS)
    standard_draw, tables = make_source(config, statistics, provenance)
    tables = devices.replicate(tables, mesh)
    if validate is None and config.evaluation.validation:
        numbers = np.asarray(statistics.space_groups)
        run = checkpoints.Run(config, model, {}, statistics, step, numbers)
        validate = _standard_validation(run, provenance, draw)
    train_steps = make_train_steps(
        model,
        optimizer,
        draw or standard_draw,
        mesh,
        batch_size,
        config.steps_per_call,
        config.steps_per_draw,
    )
    with note_sigterm() as asked_to_stop:
        first_process = devices.is_first()
        if first_process:
            print("compiling the training program ...", file=sys.stderr, flush=True)
        compiled_steps = train_steps.lower(state, tables).compile()
        with (
            closing(MetricsLog(workdir, step) if first_process else NoLog()) as log,
            closing(CheckpointWriter(workdir, config.checkpoints_kept)) as writer,
            tqdm(
                total=config.steps,
                initial=step,
                unit="step",
                disable=not first_process,
            ) as bar,
        ):
            skipped_in_a_row = 0
            stopping = devices.any_process(asked_to_stop())
            while step < config.steps and not stopping:
                began = time.perf_counter()
                state, measured = compiled_steps(state, tables)
                measured = jax.device_get(measured)
                seconds = time.perf_counter() - began
                speed = batch_size * config.steps_per_call / seconds
                skipped = measured.pop("skipped")
                metrics = {
                    "loss": measured.pop("loss").item(),
                    "accuracy": measured.pop("accuracy").item(),
                    "diffractograms_per_second": speed,
                    "skipped_steps": int(skipped.sum()),
                } | {name: value.item() for name, value in measured.items()}
                first, step = step, step + config.steps_per_call
                due = step % config.checkpoint_every == 0 or step == config.steps
                accuracy = validate(state.params) if validate and due else None
                if accuracy is not None:
                    metrics["validation_accuracy"] = accuracy
                log.write(step, metrics)
                bar.set_postfix_str(
                    f"loss {metrics['loss']:.3f}, accuracy {metrics['accuracy']:.1%}, "
                    f"{speed:,.0f} diffractograms/s",
                    refresh=False,
                )
                bar.update(config.steps_per_call)
                skipped_in_a_row = _stop_if_stuck(
                    skipped,
                    skipped_in_a_row,
                    first,
                    state.key,
                    config.max_skipped_steps,
                    config.steps_per_draw,
                )
                stopping = devices.any_process(asked_to_stop())
                if due or stopping:
                    writer.save(step, _items(state), accuracy)
                writer.check()
    # the others must not look for a checkpoint that process 0 is still recording
    devices.barrier("checkpoints written")
    if stopping:
        if first_process:
            print(
                f"stopped at step {step} of {config.steps}, as SIGTERM asked: the same "
                "command goes on from there",
                file=sys.stderr,
            )
        sys.exit(0)
    return state


def train_and_evaluate(
    config: ml_collections.ConfigDict, workdir: str | Path
) -> dict[str, Any] | None:
    """Trains a network, then measures and reports how good it is."""
    train(config, workdir)
    return evaluate_run(workdir)
