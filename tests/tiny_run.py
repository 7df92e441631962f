"""A run that needs no crystals: python tests/tiny_run.py WORKDIR CACHE."""

import sys

import jax
import jax.numpy as jnp
from jax.experimental.compilation_cache import compilation_cache
from repository import get_config

from xrdjax.training.loop import train

POINTS = 64


def draw(key, tables, batch_size):
    """One peak, whose position tells the label, and noise."""
    label_key, noise_key = jax.random.split(key)
    count = len(tables[0].statistics.space_groups)
    labels = jax.random.randint(label_key, (batch_size,), 0, count)
    noise = 0.1 * jax.random.uniform(noise_key, (batch_size, POINTS))
    peaks = jax.nn.one_hot(labels % POINTS, POINTS)
    counts = {"rejected": jnp.int32(2), "overflow": jnp.int32(0)}
    return jnp.maximum(peaks, noise), labels, counts


def tiny_config(**changes):
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


def forget_compilation_cache():
    """Else JAX would use the folder of the first run for all runs of the process."""
    jax.config.update("jax_compilation_cache_dir", None)
    compilation_cache.reset_cache()


# One step a call: the same compiled program whatever is done between the steps.
STEPS = {"steps": 16, "steps_per_call": 1, "evaluation.validation": 0}

if __name__ == "__main__":
    workdir, cache = sys.argv[1:]
    # Every step writes a checkpoint, so that a kill often meets a half-written one.
    config = tiny_config(compilation_cache=cache, checkpoint_every=1, **STEPS)
    train(config, workdir, draw)
