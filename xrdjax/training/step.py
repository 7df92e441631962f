"""One compiled program from a random key to updated parameters.

Nothing is stored and nothing is fed: each step samples its own crystals, simulates
their patterns and learns from them. All devices share the batch; each samples its part
by the run's key, the step and its position in the mesh.

A step whose loss or gradient is not finite changes nothing but the number of steps.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Float, Key

from xrdjax.devices import AXIS, per_device
from xrdjax.models.preprocess import preprocess
from xrdjax.patterns.batch import Batch, Source
from xrdjax.patterns.streams import dropout_key, step_key
from xrdjax.training.state import TrainState


@dataclasses.dataclass(frozen=True)
class Learner:
    """What learns, and by which rule.

    Attributes:
        model: the network.
        optimizer: optax transformation of the gradients.
    """

    model: nn.Module
    optimizer: optax.GradientTransformation


@dataclasses.dataclass(frozen=True)
class CallSize:
    """How much one call of the compiled program does.

    Attributes:
        batch_size: patterns a step on all devices together.
        steps: number of steps.
        steps_per_draw: for how many steps crystals are sampled together, by the key
            of the first of them; divides steps. It saves time where a batch is small,
            and takes the memory of as many batches.
    """

    batch_size: int
    steps: int
    steps_per_draw: int = 1


def _key_of(state: TrainState) -> Key[Array, ""]:
    """Key of the next step on this device."""
    training = jax.random.wrap_key_data(state.key)
    return step_key(training, state.step, jax.lax.axis_index(AXIS))


def _loss_and_gradients(
    learner: Learner, state: TrainState, batch: Batch
) -> tuple[Float[Array, ""], Float[Array, ""], Any]:
    """Mean loss, accuracy and gradients over the batch of all devices."""
    inputs = preprocess(batch.patterns)
    labels = batch.targets.group_rows
    rngs = {"dropout": dropout_key(_key_of(state))}

    def loss_of(params: Any) -> tuple[Array, Array]:
        logits = learner.model.apply({"params": params}, inputs, train=True, rngs=rngs)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return losses.mean(), (logits.argmax(-1) == labels).mean()

    (loss, accuracy), gradients = jax.value_and_grad(loss_of, has_aux=True)(
        state.params
    )
    return jax.lax.pmean((loss, accuracy, gradients), AXIS)


def _are_finite(loss: Float[Array, ""], gradients: Any) -> Bool[Array, ""]:
    """Whether loss and gradients, and Adam's averages of their squares, are finite."""
    squares = [jnp.sum(jnp.square(g)) for g in jax.tree.leaves(gradients)]
    return jnp.isfinite(loss) & jnp.isfinite(sum(squares))


def _train_step(
    learner: Learner, state: TrainState, batch: Batch
) -> tuple[TrainState, dict[str, Array]]:
    """The state after one step, and its loss, accuracy and whether it was skipped."""
    loss, accuracy, gradients = _loss_and_gradients(learner, state, batch)
    updates, opt_state = learner.optimizer.update(
        gradients, state.opt_state, state.params
    )
    updated = dataclasses.replace(
        state,
        params=optax.apply_updates(state.params, updates),
        opt_state=opt_state,
    )
    finite = _are_finite(loss, gradients)
    state = jax.tree.map(lambda new, old: jnp.where(finite, new, old), updated, state)
    state = dataclasses.replace(state, step=state.step + 1)
    return state, {"loss": loss, "accuracy": accuracy, "skipped": ~finite}


def _sample_and_train(
    learner: Learner, state: TrainState, source: Source, share: int, steps: int
) -> tuple[TrainState, dict[str, Array], dict[str, Array]]:
    """Samples crystals for some steps together, and takes the steps."""
    drawn = source.sample(_key_of(state), share * steps)
    batches = jax.tree.map(
        lambda x: x.reshape(steps, share, *x.shape[1:]), drawn.replace(counts={})
    )
    state, measured = jax.lax.scan(
        lambda state, batch: _train_step(learner, state, batch), state, batches
    )
    return state, measured, jax.lax.psum(drawn.counts, AXIS)


def _mean_of_taken(
    values: Float[Array, " steps"], skipped: Bool[Array, " steps"]
) -> Float[Array, ""]:
    """Mean over the steps that were not skipped; NaN when all of them were."""
    return jnp.where(skipped, 0.0, values).sum() / (~skipped).sum(dtype=jnp.float32)


def make_train_steps(
    learner: Learner, mesh: Mesh, size: CallSize
) -> jax.stages.Wrapped:
    """The compiled program of several training steps.

    Args:
        learner: network and optimizer.
        mesh: of all devices, as `devices.global_mesh` makes it.
        size: how much one call does.

    Returns:
        Function (state, source) -> (state, metrics). Loss and accuracy are means over
        the steps of the call that were not skipped; `skipped` [steps] states which
        were, and the source's counts are totals. The state that goes in is given up.
    """
    share = size.batch_size // mesh.size

    def train_steps(state: TrainState, source: Source) -> tuple[TrainState, dict]:
        def some_steps(state, _):
            state, measured, counts = _sample_and_train(
                learner, state, source, share, size.steps_per_draw
            )
            return state, (measured, counts)

        state, (measured, counts) = jax.lax.scan(
            some_steps, state, length=size.steps // size.steps_per_draw
        )
        measured = jax.tree.map(jnp.ravel, measured)
        skipped = measured["skipped"]
        means = {
            name: _mean_of_taken(measured[name], skipped)
            for name in ("loss", "accuracy")
        }
        totals = jax.tree.map(lambda x: jnp.sum(x, dtype=x.dtype), counts)
        return state, means | totals | {"skipped": skipped}

    everywhere = PartitionSpec()
    return jax.jit(
        per_device(train_steps, mesh, everywhere, everywhere), donate_argnums=0
    )
