"""Seconds of a training step, of its parts, and the floor of its network."""

import runpy
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import optax
from jaxtyping import Array

from experiments.generator_stages import SEED
from experiments.stopwatch import measure
from xrdjax.config import make_generator, make_model
from xrdjax.crystals.statistics import load_statistics
from xrdjax.train_step import init_state, make_optimizer, make_train_steps

# Diffractograms a step of the full networks where the device is a CPU.
_SMALL_BATCH = 16
# Rows of the square matrices whose product gives the device's speed.
_MATRIX = {"cpu": 1024}
_LARGE_MATRIX = 8192


def load_config(variant: str) -> ml_collections.ConfigDict:
    """Variant of configs/resnet.py: "quick" or a depth."""
    path = Path(__file__).parents[1] / "configs" / "resnet.py"
    return runpy.run_path(str(path))["get_config"](variant)


def matrix_product_speed(dtype: Any, repeats: int) -> float:
    """Operations a second of a plain matrix product, two for each multiplication."""
    size = _MATRIX.get(jax.default_backend(), _LARGE_MATRIX)
    key = jax.random.key(SEED)
    matrix = jax.random.normal(key, (size, size)).astype(dtype)
    timing = measure(lambda a: a @ a, [(matrix,)], repeats)
    return 2 * size**3 / timing.median_s


def forward_operations(function: Any, *arguments: Any) -> float:
    """Floating-point operations of a function, as XLA counts them."""
    return jax.jit(function).lower(*arguments).cost_analysis()["flops"]


def time_training(variant: str, repeats: int) -> dict[str, Any]:
    """Times one training step of configs/resnet.py, its generator, and its network.

    The floor is what the network's operations take at the speed of a plain matrix
    product: three times those of its forward pass, since the gradients by inputs
    and by parameters need as many each.

    Args:
        variant: of the configuration, "quick" or a depth.
        repeats: measured steps.
    """
    config = load_config(variant)
    statistics = load_statistics()
    groups = len(statistics.space_groups)
    batch = config.batch_size or groups
    if jax.default_backend() == "cpu" and variant != "quick":
        batch = _SMALL_BATCH
    model = make_model(config, outputs=groups)
    optimizer = make_optimizer(**config.optimizer, steps=config.steps)
    mesh = jax.make_mesh(
        (1,),
        ("devices",),
        axis_types=(jax.sharding.AxisType.Auto,),
        devices=jax.local_devices()[:1],
    )
    state = init_state(config.seed, model, optimizer, config.points, mesh)
    generate, tables = make_generator(config, statistics)
    tables = jax.device_put(tables)
    keys = jax.random.split(jax.random.key(SEED), repeats)
    generator = measure(
        lambda key, tables: generate(key, tables, batch),
        [(key, tables) for key in keys],
        repeats,
    )

    def loss(params: Any, inputs: Array) -> Array:
        logits = model.apply({"params": params}, inputs)
        labels = jnp.arange(batch) % groups
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    inputs = jax.random.uniform(keys[0], (batch, config.points))
    network = measure(jax.grad(loss), [(state.params, inputs)], repeats)
    operations = 3 * forward_operations(loss, state.params, inputs)
    speed = matrix_product_speed(model.dtype, repeats)
    steps = make_train_steps(model, optimizer, generate, mesh, batch, steps=1)
    training = measure(steps, [(state, tables)], repeats, donate=True)
    return training.as_dict(batch) | {
        "points": config.points,
        "dtype": jnp.dtype(model.dtype).name,
        "generator": generator.as_dict(batch),
        "generator_share": generator.median_s / training.median_s,
        "network": network.as_dict(batch),
        "operations": operations,
        "matrix_product_operations_per_s": speed,
        "floor_s": operations / speed,
        "floor_share": operations / speed / training.median_s,
    }
