"""Seconds of a training step, of its parts, and the floor of its network."""

import runpy
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from jax.sharding import PartitionSpec
from jaxtyping import Array

from experiments.generator_stages import SEED
from experiments.stopwatch import Timing, measure
from xrdjax import devices
from xrdjax.config import make_generator, make_model
from xrdjax.models.resnet import init_params
from xrdjax.prior.file import load_statistics
from xrdjax.training.step import Draw, init_state, make_optimizer, make_train_steps

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
    """Times the training of configs/resnet.py, its generator, and its network.

    It is of as many devices as the configuration parts a CPU into, and of as many
    steps as crystals are drawn for together. The floor is what the network's
    operations take at the speed of a plain matrix product: three times those of its
    forward pass, since the gradients by inputs and by parameters need as many each.

    Belongs in a process of its own, which has not used JAX yet.

    Args:
        variant: of the configuration, "quick" or a depth.
        repeats: measured runs.
    """
    config = load_config(variant)
    jax.config.update("jax_num_cpu_devices", config.cpu_devices)
    mesh = devices.global_mesh()
    statistics = load_statistics()
    groups = len(statistics.space_groups)
    steps, batch = config.steps_per_draw, config.batch_size or groups
    if jax.default_backend() == "cpu" and variant != "quick":
        batch = _SMALL_BATCH
    model = make_model(config, outputs=groups)
    optimizer = make_optimizer(**config.optimizer, steps=config.steps)
    draw, tables = make_generator(config, statistics)
    members = steps * batch // mesh.size  # of one device
    labels = np.arange(members, dtype=np.int32) % groups
    random = np.random.default_rng(SEED).random
    given = random((members, config.points), np.float32), labels

    def keep(key: Array, given: tuple[Array, Array], batch_size: int) -> Any:
        """A generator that costs nothing."""
        return *given, {}

    def train_with(draw: Draw, tables: Any) -> Timing:
        state = init_state(config.seed, model, optimizer, config.points, mesh)
        program = make_train_steps(model, optimizer, draw, mesh, batch, steps, steps)
        inputs = [(state, devices.replicate(tables, mesh))]
        return measure(program, inputs, repeats, donate=True)

    def generate(key: Array, tables: Any) -> Array:
        key = jax.random.fold_in(key, jax.lax.axis_index(devices.AXIS))
        return draw(key, tables, members)[0]

    on_each = PartitionSpec(devices.AXIS)
    generate = devices.per_device(generate, mesh, PartitionSpec(), on_each)
    placed = devices.replicate(tables, mesh)
    keys = jax.random.split(jax.random.key(SEED), repeats)
    generator = measure(generate, [(key, placed) for key in keys], repeats)
    training, network = train_with(draw, tables), train_with(keep, given)

    params = jax.eval_shape(init_params, keys[0], model, config.points)
    inputs = jax.ShapeDtypeStruct((batch, config.points), jnp.float32)
    operations = 3 * steps * forward_operations(model.apply, {"params": params}, inputs)
    speed = matrix_product_speed(model.dtype, repeats)
    return training.as_dict(steps * batch) | {
        "batch": batch,
        "devices": mesh.size,
        "step_s": training.median_s / steps,
        "points": config.points,
        "dtype": jnp.dtype(model.dtype).name,
        "generator": generator.as_dict(steps * batch),
        "generator_share": generator.median_s / training.median_s,
        "network": network.as_dict(steps * batch),
        "operations": operations,
        "matrix_product_operations_per_s": speed,
        "floor_s": operations / speed,
        "floor_share": operations / speed / network.median_s,
    }
