"""A short run of a small ResNet that needs no crystals.

python tests/tiny_run.py WORKDIR CACHE
"""

import dataclasses
import shutil
import sys
from pathlib import Path

import jax
from jax.experimental.compilation_cache import compilation_cache
from peaks import PeakSource
from repository import get_config

from xrdjax.prior.file import load_statistics
from xrdjax.training.loop import train
from xrdjax.training.state import TrainState

POINTS = 64
SOURCE = PeakSource(len(load_statistics(min_crystals=50).space_groups), POINTS)


def tiny_config(**changes):
    """Its configuration, with changes by their full names."""
    config = get_config("10")
    config.update(
        {
            "steps": 12,
            "steps_per_call": 2,
            "checkpoint_every": 4,
            "batch_size": 4,
            "points": POINTS,
            "model": {"width": 2, "groups": 1},
            "optimizer": {"learning_rate": 1e-2, "halve_every_steps": 5},
            "evaluation": {"validation": 6, "batch_size": 4},
        }
    )
    config.update_from_flattened_dict(changes)
    return config


@dataclasses.dataclass(frozen=True)
class TinyRun:
    """A finished run, which no test may change.

    Attributes:
        workdir: its work directory, with the checkpoints of steps 8 and 12, and that
            of step 4 if it is the best.
        state: its last state.
        cache: folder where its program is found compiled, by this process, whose runs
            all look there, and by others.
    """

    workdir: Path
    state: TrainState
    cache: Path

    def copy(self, folder: Path) -> Path:
        """A work directory like the run's, to be changed."""
        return shutil.copytree(self.workdir, folder / "run")


def make_tiny_run(folder: Path) -> TinyRun:
    """Trains for twelve steps in one go."""
    cache = folder / "cache"
    config = tiny_config(compilation_cache=str(cache))
    state = train(config, folder / "run", SOURCE)
    return TinyRun(folder / "run", state, cache)


def forget_compilation_cache():
    """Without this, JAX would use the first run's folder for the rest of the process."""
    jax.config.update("jax_compilation_cache_dir", None)
    compilation_cache.reset_cache()


# Every call writes a checkpoint, so that a kill often meets a half-written one.
LONG = {"steps": 20, "checkpoint_every": 2}

if __name__ == "__main__":
    workdir, cache = sys.argv[1:]
    train(tiny_config(compilation_cache=cache, **LONG), workdir, SOURCE)
