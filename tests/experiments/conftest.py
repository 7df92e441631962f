"""A run of the smallest network, which experiments can load."""

from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest
from peaks import Linear
from repository import get_config

from xrdjax import run
from xrdjax.checkpoints.writer import save
from xrdjax.config import write_config
from xrdjax.models.parameters import parameter_shapes
from xrdjax.prior.file import load_statistics, read_provenance, save_statistics

BEST, NEWEST = 7, 14  # steps of the checkpoints


def _save_run(folder: Path, seed: int = 0, **provenance) -> Path:
    """Writes a work directory of random parameters and the bundled statistics."""
    folder.mkdir(exist_ok=True)
    config = get_config("quick")
    config.points = 500
    config.evaluation.update({"batch_size": 4, "synthetic": 4})
    config.compilation_cache = "/somewhere/private"
    write_config(folder, config)
    statistics = load_statistics()
    save_statistics(folder / run.STATISTICS, statistics, read_provenance() | provenance)
    rng = np.random.default_rng(seed)
    params = jax.tree.map(
        lambda leaf: rng.normal(size=leaf.shape).astype(leaf.dtype),
        parameter_shapes(Linear(len(statistics.space_groups)), config.points),
    )
    save(folder, BEST, {"params": params}, kept=1, accuracy=0.5)
    save(folder, NEWEST, {"params": params}, kept=1, accuracy=0.1)
    return folder


@pytest.fixture(scope="module")
def save_run() -> Callable[..., Path]:
    """Writes a run into a folder, its provenance changed; there, every network is the
    smallest one, as others take seconds to compile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "make_model", lambda config, outputs: Linear(outputs))
        yield _save_run
