"""Time of a training step and its parts, and a lower bound for its network."""

import dataclasses
import runpy
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from flax import struct
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float, Int, Key

from experiments.throughput.stages import SEED
from experiments.throughput.stopwatch import Timing, measure
from xrdjax import devices
from xrdjax.build import make_model, make_optimizer, schedule_of, synthetic_source
from xrdjax.models.parameters import parameter_shapes
from xrdjax.patterns.batch import Batch, Source, Targets
from xrdjax.prior.file import load_statistics
from xrdjax.training.state import init_state
from xrdjax.training.step import CallSize, Learner, make_train_steps

# Patterns per step of the full networks where the device is a CPU.
_SMALL_BATCH = 16
# Rows of the square matrices by whose product the device's speed is measured.
_MATRIX = {"cpu": 1024}
_LARGE_MATRIX = 8192


@struct.dataclass
class GivenSource:
    """A `Source` without cost: the same patterns every time."""

    patterns: Float[Array, "B T"]
    group_rows: Int[Array, " B"]

    def sample(self, key: Key[Array, ""], size: int) -> Batch:
        """All of the patterns, whose number must be `size`."""
        return Batch(self.patterns, Targets(self.group_rows), counts={})


@dataclasses.dataclass(frozen=True)
class Training:
    """The training that is measured.

    Attributes:
        learner: network and optimizer.
        size: of one call, whose crystals are sampled together.
        mesh: of all devices.
        points: number of points T of a pattern.
        groups: number of space groups K.
        seed: of the run.
        repeats: measured runs.
    """

    learner: Learner
    size: CallSize
    mesh: Mesh
    points: int
    groups: int
    seed: int
    repeats: int

    @property
    def patterns(self) -> int:
        """Patterns of one call on all devices."""
        return self.size.steps * self.size.batch_size

    @property
    def share(self) -> int:
        """Patterns of one call on one device."""
        return self.patterns // self.mesh.size

    def given_source(self) -> GivenSource:
        """Noise, labelled with each group in turn."""
        random = np.random.default_rng(SEED).random
        patterns = random((self.share, self.points), np.float32)
        return GivenSource(
            patterns, np.arange(self.share, dtype=np.int32) % self.groups
        )

    def time_steps(self, source: Source) -> Timing:
        """Times the program from a random key to updated parameters."""
        model, optimizer = self.learner.model, self.learner.optimizer
        state = init_state(self.seed, model, optimizer, self.points, self.mesh)
        program = make_train_steps(self.learner, self.mesh, self.size)
        inputs = [(state, devices.replicate(source, self.mesh))]
        return measure(program, inputs, self.repeats, donate=True)

    def time_generator(self, source: Source) -> Timing:
        """Times the sampling and simulation of the patterns of one call."""

        def generate(key: Array, source: Source) -> Array:
            key = jax.random.fold_in(key, jax.lax.axis_index(devices.AXIS))
            return source.sample(key, self.share).patterns

        generate = devices.per_device(
            generate, self.mesh, PartitionSpec(), PartitionSpec(devices.AXIS)
        )
        placed = devices.replicate(source, self.mesh)
        keys = jax.random.split(jax.random.key(SEED), self.repeats)
        return measure(generate, [(key, placed) for key in keys], self.repeats)

    def network_operations(self) -> float:
        """Floating-point operations of the network in one call.

        Three times those of its forward pass, since the gradients with respect to
        inputs and to parameters take as many each.
        """
        model = self.learner.model
        params = {"params": parameter_shapes(model, self.points)}
        shape = (self.size.batch_size, self.points)
        inputs = jax.ShapeDtypeStruct(shape, jnp.float32)
        return 3 * self.size.steps * forward_operations(model.apply, params, inputs)


def load_config(variant: str) -> ml_collections.ConfigDict:
    """Variant of configs/resnet.py: "quick" or a depth."""
    path = Path(__file__).parents[2] / "configs" / "resnet.py"
    return runpy.run_path(str(path))["get_config"](variant)


def matrix_product_speed(dtype: Any, repeats: int) -> float:
    """Operations per second of a plain matrix product, two for each multiplication."""
    size = _MATRIX.get(jax.default_backend(), _LARGE_MATRIX)
    key = jax.random.key(SEED)
    matrix = jax.random.normal(key, (size, size)).astype(dtype)
    timing = measure(lambda a: a @ a, [(matrix,)], repeats)
    return 2 * size**3 / timing.median_s


def forward_operations(function: Any, *arguments: Any) -> float:
    """Floating-point operations of a function, as XLA counts them."""
    return jax.jit(function).lower(*arguments).cost_analysis()["flops"]


def make_training(
    config: ml_collections.ConfigDict, groups: int, batch: int | None, repeats: int
) -> Training:
    """The training of a configuration; a call has the steps that are sampled together.

    Args:
        config: of the run.
        groups: number of space groups K.
        batch: patterns per step; by default as configured.
        repeats: measured runs.
    """
    mesh = devices.global_mesh()
    batch = batch or schedule_of(config, groups, mesh.size).batch_size
    steps = config.steps_per_draw
    return Training(
        learner=Learner(make_model(config, groups), make_optimizer(config)),
        size=CallSize(batch, steps=steps, steps_per_draw=steps),
        mesh=mesh,
        points=config.points,
        groups=groups,
        seed=config.seed,
        repeats=repeats,
    )


def time_training(variant: str, repeats: int) -> dict[str, Any]:
    """Times the training of configs/resnet.py, its generator and its network.

    It uses as many devices as the configuration splits a CPU into. The floor is the
    time of the network's operations at the speed of a plain matrix product.

    To be called in a process of its own, which has not used JAX yet.

    Args:
        variant: of the configuration, "quick" or a depth.
        repeats: measured runs.
    """
    config = load_config(variant)
    jax.config.update("jax_num_cpu_devices", config.cpu_devices)
    statistics = load_statistics(min_crystals=50)
    on_cpu = jax.default_backend() == "cpu"
    batch = _SMALL_BATCH if on_cpu and variant != "quick" else None
    training = make_training(config, len(statistics.space_groups), batch, repeats)
    source = synthetic_source(config, statistics)
    generator = training.time_generator(source)
    whole = training.time_steps(source)
    network = training.time_steps(training.given_source())
    dtype = training.learner.model.dtype
    operations = training.network_operations()
    speed = matrix_product_speed(dtype, repeats)
    return whole.as_dict(training.patterns) | {
        "batch": training.size.batch_size,
        "devices": training.mesh.size,
        "step_s": whole.median_s / training.size.steps,
        "points": training.points,
        "dtype": jnp.dtype(dtype).name,
        "generator": generator.as_dict(training.patterns),
        "generator_share": generator.median_s / whole.median_s,
        "network": network.as_dict(training.patterns),
        "operations": operations,
        "matrix_product_operations_per_s": speed,
        "floor_s": operations / speed,
        "floor_share": operations / speed / network.median_s,
    }
