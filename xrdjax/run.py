"""The network that comes with the program, and how one is written to come with it.

A folder of weights is like a work directory, with one compressed file in place of the
checkpoints: `params.npz` (float16), `config.json`, `statistics.npz`; and for people
`report.json`, `report.md` and `LICENSE`.
"""

import argparse
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from xrdjax.checkpoints.writer import CHOICES, STATISTICS, Run, load_run
from xrdjax.config import make_model, read_config, write_config
from xrdjax.errors import InputError
from xrdjax.models.resnet import init_params
from xrdjax.prior.file import load_statistics, save_statistics

PRETRAINED = Path(__file__).parent / "data" / "pretrained"
WEIGHTS = "params.npz"
MAX_BYTES = 20_000_000  # of the weights' file

# Beside the parameters, whose names are paths, in the weights' file.
_STEP = "step"
# Fields of a configuration that name places of the machine it ran on.
_PLACES = ("statistics", "crystals", "compilation_cache")


def save_weights(run: Run, folder: str | Path, provenance: dict) -> None:
    """Writes a network as weights in float16, with configuration and statistics.

    float16 rounds a weight by 2^-11 of it at most, down to 6e-5; smaller weights are
    rounded by 3e-8.

    Args:
        run: the network.
        folder: to write into; made if absent.
        provenance: of the run's statistics.

    Raises:
        InputError: a weight is beyond float16, or the file is larger than 20 MB.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights: dict[str, Any] = {_STEP: np.int64(run.step)}
    for name, leaf in flatten_dict(run.params, sep="/").items():
        values = np.asarray(leaf, np.float32)
        if not np.all(np.abs(values) <= np.finfo(np.float16).max):
            raise InputError(
                f"the parameters {name!r} of step {run.step} are not finite in float16 "
                f"(at most {np.finfo(np.float16).max:g}): take another checkpoint"
            )
        weights[name] = values.astype(np.float16)
    config = run.config.copy_and_resolve_references()
    config.update({name: "" for name in _PLACES})
    write_config(folder, config)
    save_statistics(folder / STATISTICS, run.statistics, provenance, overwrite=True)
    np.savez_compressed(folder / WEIGHTS, **weights)
    size = (folder / WEIGHTS).stat().st_size
    if size > MAX_BYTES:
        (folder / WEIGHTS).unlink()
        raise InputError(
            f"the weights take {size / 1e6:.1f} MB, expected at most "
            f"{MAX_BYTES / 1e6:g}: take a smaller network"
        )


def load_pretrained(folder: str | Path = PRETRAINED) -> Run:
    """The network that comes with the program, or that of another folder of weights.

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
            if folder == PRETRAINED
            else f"there are no weights {str(path)!r}: name a folder written by "
            "python -m experiments.export_pretrained"
        )
    config = read_config(folder)
    statistics = load_statistics(folder / STATISTICS)
    space_groups = np.asarray(statistics.space_groups)
    model = make_model(config, outputs=len(space_groups))
    shapes = flatten_dict(
        jax.eval_shape(
            lambda key: init_params(key, model, config.points), jax.random.key(0)
        ),
        sep="/",
    )
    try:
        # numpy leaves a file open that turns out to be no zip
        with path.open("rb") as stream, np.load(stream) as file:
            stored = {name: file[name] for name in file}
        step = int(stored.pop(_STEP))
    except (
        OSError,
        ValueError,
        TypeError,
        EOFError,
        KeyError,
        RuntimeError,  # an unknown compression
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise InputError(
            f"the weights {str(path)!r} are damaged ({error}): install xrdjax again, "
            "or export them again"
        ) from error
    found = {name: array.shape for name, array in stored.items()}
    expected = {name: shape.shape for name, shape in shapes.items()}
    if found != expected:
        counts = [sum(map(math.prod, s.values())) for s in (found, expected)]
        raise InputError(
            f"the weights {str(path)!r}, {counts[0]:,} in {len(found)} arrays, are not "
            f"those of the network in {str(folder / 'config.json')!r}, {counts[1]:,} in "
            f"{len(expected)}: export them again"
        )
    params = unflatten_dict(
        {
            name: jnp.asarray(stored[name], shape.dtype)
            for name, shape in shapes.items()
        },
        sep="/",
    )
    return Run(config, model, params, statistics, step, space_groups)


def is_weights(folder: Path) -> bool:
    """Whether a folder holds weights, and not a run."""
    return folder == PRETRAINED or (folder / WEIGHTS).is_file()


def load_network(folder: str | Path, checkpoint: str = "newest") -> Run:
    """The network of a folder of weights, or of a work directory.

    Args:
        folder: where it is.
        checkpoint: "newest" or "best" of a work directory; weights are of one only.

    Raises:
        InputError: as `load_pretrained` or `load_run`.
    """
    folder = Path(folder)
    if is_weights(folder):
        return load_pretrained(folder)
    return load_run(folder, checkpoint)


def add_network_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the choice of the network, --workdir or --pretrained, as `workdir`."""
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--workdir", type=Path, help="work directory of a training run")
    choice.add_argument(
        "--pretrained",
        dest="workdir",
        action="store_const",
        const=PRETRAINED,
        help="take the network that comes with the program",
    )


def add_checkpoint_flag(parser: argparse.ArgumentParser) -> None:
    """Adds the choice of the checkpoint of a work directory, as `checkpoint`."""
    parser.add_argument(
        "--checkpoint",
        choices=CHOICES,
        default="newest",
        help="newest, or best by validation accuracy (default: newest)",
    )
