"""A trained network with what is needed to use it: that of a run, or the bundled one.

A folder of weights is like a work directory, with one compressed file in place of the
checkpoints: `params.npz` (float16) and `config.json`; `statistics.npz` where they are
not the bundled ones; `origin.json` where the run started from other weights;
`calibration.json` where its answers to measured patterns were counted; and for people `report.json`, `report.md` and `LICENSE`.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import ml_collections
import numpy as np
from flax import linen as nn
from jaxtyping import Int

from xrdjax.build import (
    EvaluationSettings,
    evaluation_settings,
    make_model,
    measurement_of,
    network_input_of,
)
from xrdjax.bundled import MEASURED, PRETRAINED
from xrdjax.checkpoints.calibration import (
    Calibration,
    read_calibration,
    write_calibration,
)
from xrdjax.checkpoints.reader import restore
from xrdjax.config import read_config, write_config
from xrdjax.errors import InputError
from xrdjax.files import read_npz, write_text
from xrdjax.instrument.measurement import Measurement
from xrdjax.models.network_input import NetworkInput
from xrdjax.models.parameters import parameter_shapes, read_weights, write_weights
from xrdjax.prior.file import load_statistics, read_provenance, save_statistics
from xrdjax.prior.tables import Statistics, select_groups

STATISTICS = "statistics.npz"
WEIGHTS = "params.npz"
ORIGIN = "origin.json"

# Beside the parameters, whose names are paths, in a file of weights.
_OTHERS = ("step", "space_groups")
# Fields of a configuration that name places of the machine it ran on.
_PLACES = ("init", "statistics", "crystals", "compilation_cache")


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained network and what is needed to use it.

    Attributes:
        config: the run's configuration, for the record.
        model: the network; `model.apply({"params": params}, network_input(patterns))`
            gives logits [B, K].
        params: its parameters at `step`.
        statistics: what the run's synthetic crystals are sampled from.
        provenance: where the statistics come from, and their split.
        step: number of updates that the parameters have seen.
        space_groups: [K] number of each class's space group.
        measurement: that the network was trained on.
        evaluation: how it is evaluated.
        network_input: from patterns to what the network is given.
        origin: which weights it started from; None for random ones.
        calibration: how far its answers to measured patterns can be trusted; None if
            that was never counted.
    """

    config: ml_collections.ConfigDict
    model: nn.Module
    params: dict[str, Any]
    statistics: Statistics
    provenance: dict[str, Any]
    step: int
    space_groups: Int[np.ndarray, " K"]
    measurement: Measurement
    evaluation: EvaluationSettings
    network_input: NetworkInput
    origin: dict[str, Any] | None = None
    calibration: Calibration | None = None


def make_run(
    config: ml_collections.ConfigDict,
    statistics: Statistics,
    provenance: dict[str, Any],
) -> Run:
    """A run before its first step, without parameters."""
    space_groups = np.asarray(statistics.space_groups)
    return Run(
        config=config,
        model=make_model(config, outputs=len(space_groups)),
        params={},
        statistics=statistics,
        provenance=provenance,
        step=0,
        space_groups=space_groups,
        measurement=measurement_of(config),
        evaluation=evaluation_settings(config),
        network_input=network_input_of(config),
    )


def _open_run(folder: Path) -> Run:
    """The run of a work directory, without parameters."""
    path = folder / STATISTICS
    run = make_run(read_config(folder), load_statistics(path), read_provenance(path))
    return dataclasses.replace(run, origin=_read_origin(folder))


def _open_weights(folder: Path) -> Run:
    """The run of a folder of weights, without parameters.

    Without statistics of its own, those of its groups in the bundled ones serve.
    """
    if (folder / STATISTICS).exists():
        return _open_run(folder)
    hint = "export the weights again"
    stored = read_npz(folder / WEIGHTS, ("space_groups",), "weights", hint)
    statistics = select_groups(load_statistics(), stored["space_groups"])
    run = make_run(read_config(folder), statistics, read_provenance())
    return dataclasses.replace(run, origin=_read_origin(folder))


def _read_origin(folder: Path) -> dict[str, Any] | None:
    path = folder / ORIGIN
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot read {str(path)!r} ({error}), which states what weights the run "
            "started from: restore the file, or remove it"
        ) from error


def write_origin(folder: Path, origin: dict[str, Any] | None) -> None:
    """Writes which weights a run started from, to its folder; for None, nothing."""
    path = folder / ORIGIN
    path.unlink(missing_ok=True)
    if origin is not None:
        write_text(path, json.dumps(origin, indent=2) + "\n")


def load_run(workdir: str | Path, checkpoint: str = "newest") -> Run:
    """The network of a work directory, at its newest checkpoint or at its best.

    Args:
        workdir: work directory of the run.
        checkpoint: "newest", or "best" by validation accuracy.

    Raises:
        InputError: there is no run, none of its checkpoints is complete, or the best
            is not known.
    """
    workdir = Path(workdir)
    run = _open_run(workdir)
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    params = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=device),
        parameter_shapes(run.model, run.network_input.shape),
    )
    found = restore(workdir, {"params": params}, checkpoint)
    if found is None:
        raise InputError(
            f"{str(workdir)!r} has no checkpoint yet: let the run continue until "
            f"checkpoint_every, {run.config.checkpoint_every} steps, are done"
        )
    step, restored = found
    return dataclasses.replace(
        run,
        params=restored["params"],
        step=step,
        calibration=read_calibration(workdir, step),
    )


def load_pretrained(folder: str | Path = PRETRAINED) -> Run:
    """The bundled network, or that of another folder of weights.

    Its parameters are in float32, rounded to float16 once.

    Raises:
        InputError: there are no weights, or they are damaged or another network's.
    """
    folder = Path(folder)
    path = folder / WEIGHTS
    if not path.is_file():
        raise InputError(
            "this version of xrdjax comes without pretrained weights: name the work "
            "directory of a run with --workdir, or train one with python -m xrdjax.main"
            if folder in (PRETRAINED, MEASURED)
            else f"there are no weights {str(path)!r}: name a folder written by "
            "python -m experiments.export_pretrained"
        )
    run = _open_weights(folder)
    shapes = parameter_shapes(run.model, run.network_input.shape)
    params, others = read_weights(path, shapes, _OTHERS)
    if not np.array_equal(others["space_groups"], run.space_groups):
        raise InputError(
            f"the weights {str(path)!r} name other space groups than the statistics "
            "beside them: export them again"
        )
    step = int(others["step"])
    calibration = read_calibration(folder, step)
    return dataclasses.replace(run, params=params, step=step, calibration=calibration)


def load_measured() -> Run:
    """The bundled network that has learned from simulated measurements.

    Raises:
        InputError: its weights are damaged.
    """
    return load_pretrained(MEASURED)


def is_weights(folder: Path) -> bool:
    """Whether a folder holds weights, and not a run."""
    return folder in (PRETRAINED, MEASURED) or (folder / WEIGHTS).is_file()


def load_network(folder: str | Path, checkpoint: str = "newest") -> Run:
    """The network of a folder of weights, or of a work directory.

    Args:
        folder: where it is.
        checkpoint: "newest" or "best" of a work directory; weights have no choice.

    Raises:
        InputError: as `load_pretrained` or `load_run`.
    """
    folder = Path(folder)
    if is_weights(folder):
        return load_pretrained(folder)
    return load_run(folder, checkpoint)


def save_weights(run: Run, folder: str | Path) -> None:
    """Writes a network as weights in float16, with its configuration.

    The statistics go beside them unless they are the bundled ones.

    Args:
        run: the network.
        folder: to write into; made if absent.

    Raises:
        InputError: a weight is beyond float16, or the file is larger than 20 MB.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    others = {"step": np.array(run.step), "space_groups": run.space_groups}
    write_weights(folder / WEIGHTS, run.params, others)
    config = run.config.copy_and_resolve_references()
    config.update({name: "" for name in _PLACES})
    write_config(folder, config)
    write_origin(folder, run.origin)
    write_calibration(folder, run.calibration)
    if _are_bundled(run.statistics):
        (folder / STATISTICS).unlink(missing_ok=True)
    else:
        save_statistics(
            folder / STATISTICS, run.statistics, run.provenance, overwrite=True
        )


def _are_bundled(statistics: Statistics) -> bool:
    """Whether statistics are those of their groups in the bundled ones."""
    bundled = load_statistics()
    if not np.all(np.isin(statistics.space_groups, bundled.space_groups)):
        return False
    same = jax.tree.map(
        np.array_equal,
        statistics,
        select_groups(bundled, np.asarray(statistics.space_groups)),
    )
    return all(jax.tree.leaves(same))
