"""Training: the loop around the compiled steps, checkpoints and metrics.

A run that was stopped goes on as if it had not been.
"""

import json
import math
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import jax
import ml_collections
import tensorboardX
from jax.sharding import NamedSharding, PartitionSpec
from tqdm import tqdm

from xrdjax import checkpoints
from xrdjax.config import (
    CONFIG_FILE,
    check_config,
    check_same_run,
    make_model,
    read_config,
    write_config,
)
from xrdjax.crystals.statistics import (
    Statistics,
    load_statistics,
    read_provenance,
    save_statistics,
)
from xrdjax.errors import InputError
from xrdjax.evaluate import evaluate_run
from xrdjax.sources import check_source, make_source
from xrdjax.train_step import (
    Draw,
    TrainState,
    init_state,
    make_optimizer,
    make_train_steps,
)

METRICS_FILE = "metrics.jsonl"


class _MetricsLog:
    """Metrics of a run as JSON lines and TensorBoard events, from a step on."""

    def __init__(self, workdir: Path, step: int):
        path = workdir / METRICS_FILE
        kept = [line for line in _lines(path) if _step_of(line) <= step]
        path.write_text("".join(kept), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")
        self._events = tensorboardX.SummaryWriter(
            str(workdir / "tensorboard"), purge_step=step + 1
        )

    def write(self, step: int, metrics: dict[str, float]) -> None:
        # JSON has no word for what is not finite.
        finite = {
            name: value if math.isfinite(value) else None
            for name, value in metrics.items()
        }
        self._file.write(json.dumps({"step": step} | finite) + "\n")
        self._file.flush()
        for name, value in metrics.items():
            self._events.add_scalar(f"train/{name}", value, step)

    def close(self) -> None:
        self._file.close()
        self._events.close()


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except ValueError:
        return math.inf  # cut off as the run was killed


def _prepare(config: ml_collections.ConfigDict, workdir: Path) -> Statistics:
    """Starts or takes up again a work directory; the statistics of its crystals."""
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
    return load_statistics(workdir / checkpoints.STATISTICS)


def _batch_size(asked: int, groups: int, devices: int) -> int:
    if asked == 0:
        return devices * math.ceil(groups / devices)
    if asked % devices:
        raise InputError(
            f"batch_size is {asked}, which {devices} devices cannot share equally: "
            f"choose a multiple of {devices}"
        )
    return asked


def _items(state: TrainState) -> dict[str, Any]:
    """What a checkpoint holds; the parameters can be read by themselves."""
    training = {
        "step": state.step,
        "key": state.key,
        "opt_state": state.opt_state,
    }
    return {"params": state.params, "training": training}


def train(
    config: ml_collections.ConfigDict, workdir: str | Path, draw: Draw | None = None
) -> TrainState:
    """Trains a network, from the newest checkpoint of the work directory if any.

    Args:
        config: as from configs/resnet.py.
        workdir: gets configuration, checkpoints, metrics.jsonl, TensorBoard events.
        draw: another generator of diffractograms, which gets the tables of the
            standard one.

    Raises:
        InputError: for a bad value, a directory that cannot be written to or holds
            another run, or if no checkpoint in it is whole.
    """
    check_config(config)
    check_source(config)
    workdir = Path(workdir)
    statistics = _prepare(config, workdir)
    if config.compilation_cache:
        jax.config.update("jax_compilation_cache_dir", config.compilation_cache)
    mesh = jax.make_mesh(
        (jax.local_device_count(),),
        ("devices",),
        axis_types=(jax.sharding.AxisType.Auto,),
        devices=jax.local_devices(),
    )
    groups = len(statistics.space_groups)
    batch_size = _batch_size(config.batch_size, groups, mesh.size)

    model = make_model(config, outputs=groups)
    optimizer = make_optimizer(**config.optimizer)
    state = init_state(config.seed, model, optimizer, config.points, mesh)
    found = checkpoints.restore(workdir, _items(state), remove_damaged=True)
    step = 0
    if found is not None:
        step, items = found
        state = TrainState(params=items["params"], **items["training"])
    if step >= config.steps:
        return state

    provenance = read_provenance(workdir / checkpoints.STATISTICS)
    standard_draw, tables = make_source(config, statistics, provenance)
    tables = jax.device_put(tables, NamedSharding(mesh, PartitionSpec()))
    train_steps = make_train_steps(
        model, optimizer, draw or standard_draw, mesh, batch_size, config.steps_per_call
    )
    print("compiling the training program ...", file=sys.stderr, flush=True)
    compiled_steps = train_steps.lower(state, tables).compile()
    with (
        closing(_MetricsLog(workdir, step)) as log,
        tqdm(total=config.steps, initial=step, unit="step") as bar,
    ):
        while step < config.steps:
            began = time.perf_counter()
            state, metrics = compiled_steps(state, tables)
            metrics = {name: x.item() for name, x in jax.device_get(metrics).items()}
            seconds = time.perf_counter() - began
            step += config.steps_per_call
            speed = batch_size * config.steps_per_call / seconds
            first = {name: metrics[name] for name in ("loss", "accuracy")}
            log.write(step, first | {"diffractograms_per_second": speed} | metrics)
            bar.set_postfix_str(
                f"loss {metrics['loss']:.3f}, accuracy {metrics['accuracy']:.1%}, "
                f"{speed:,.0f} diffractograms/s",
                refresh=False,
            )
            bar.update(config.steps_per_call)
            if step % config.checkpoint_every == 0 or step == config.steps:
                checkpoints.save(workdir, step, _items(state), config.checkpoints_kept)
    return state


def train_and_evaluate(
    config: ml_collections.ConfigDict, workdir: str | Path
) -> dict[str, Any]:
    """Trains a network, then measures and reports how good it is."""
    train(config, workdir)
    return evaluate_run(workdir)
