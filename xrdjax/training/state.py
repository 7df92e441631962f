"""The state of a run between two steps, and the form it has in a checkpoint."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Int, UInt32

from xrdjax.models.parameters import init_params
from xrdjax.patterns.streams import initial_keys


@flax.struct.dataclass
class TrainState:
    """State of a run between two steps.

    Attributes:
        step: [] number of steps done, skipped ones included.
        key: [2] data of the random key that each step folds its number into.
        params: parameters of the network.
        opt_state: state of the optimizer.
    """

    step: Int[Array, ""]
    key: UInt32[Array, "2"]
    params: Any
    opt_state: Any


def init_state(
    seed: int,
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    shape: tuple[int, ...] | int,
    mesh: jax.sharding.Mesh,
) -> TrainState:
    """State before the first step, the same on every device of the mesh.

    Args:
        seed: of the run.
        model: the network.
        optimizer: from gradients to updates.
        shape: of the input of one pattern, such as its number of points T.
        mesh: of all devices.
    """

    def init() -> TrainState:
        parameters_key, training_key = initial_keys(seed)
        params = init_params(parameters_key, model, shape)
        return TrainState(
            step=jnp.int32(0),
            key=jax.random.key_data(training_key),
            params=params,
            opt_state=optimizer.init(params),
        )

    everywhere = NamedSharding(mesh, PartitionSpec())
    return jax.jit(init, out_shardings=everywhere)()


def to_items(state: TrainState) -> dict[str, Any]:
    """The state as a checkpoint holds it; the parameters can be read by themselves."""
    training = {"step": state.step, "key": state.key, "opt_state": state.opt_state}
    return {"params": state.params, "training": training}


def from_items(items: dict[str, Any]) -> TrainState:
    """The state that a checkpoint holds."""
    return TrainState(params=items["params"], **items["training"])
