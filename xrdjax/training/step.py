"""One compiled program from a random key to updated parameters.

Nothing is stored and nothing is fed in: each step samples its own crystals, simulates
their patterns and learns from them. All devices share a batch; each samples its share
by the run's key, the step and the device's position in the mesh.

A step whose loss or gradient is not finite changes nothing but the number of steps.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Float, Int, Key, Shaped

from xrdjax.devices import AXIS, per_device
from xrdjax.models.cells import CellLoss
from xrdjax.models.preprocess import preprocess
from xrdjax.patterns.batch import Batch, Source
from xrdjax.patterns.streams import dropout_key, step_key
from xrdjax.training.state import TrainState


def _paper_input(patterns: Array, mask: Array | None) -> Array:
    return preprocess(patterns)


@dataclasses.dataclass(frozen=True)
class Learner:
    """A network and the rule that trains it.

    Attributes:
        model: the network.
        optimizer: from gradients to updates.
        network_input: from patterns and their masks to what the network is given; by
            default as in the paper.
        frozen: names of layers without gradients, which `optimizer` does not move.
        cell_loss: of the network's second output; None where it has none.
    """

    model: nn.Module
    optimizer: optax.GradientTransformation
    network_input: Callable[[Array, Array | None], Array] = _paper_input
    frozen: frozenset[str] = frozenset()
    cell_loss: CellLoss | None = None


@dataclasses.dataclass(frozen=True)
class CallSize:
    """How much one call of the compiled program does.

    Attributes:
        batch_size: patterns per step on all devices together.
        steps: number of steps.
        steps_per_draw: number of steps whose crystals are sampled together, by the
            key of the first of them; divides steps. It saves time where a batch is
            small, and takes the memory of that many batches.
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
) -> tuple[Float[Array, ""], dict[str, Array], Any]:
    """Mean loss, what is measured, and gradients over the batch of all devices."""
    inputs = learner.network_input(batch.patterns, batch.mask)
    labels = batch.targets.group_rows
    rngs = {"dropout": dropout_key(_key_of(state))}

    def loss_of(params: Any) -> tuple[Array, dict[str, Array]]:
        params = {
            layer: jax.lax.stop_gradient(leaves) if layer in learner.frozen else leaves
            for layer, leaves in params.items()
        }
        options: Any = {"with_cells": True} if learner.cell_loss else {}
        outputs: Any = learner.model.apply(
            {"params": params}, inputs, train=True, rngs=rngs, **options
        )
        logits = outputs[0] if learner.cell_loss else outputs
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        accuracy = (logits.argmax(-1) == labels).mean()
        measured = {"loss": losses.mean(), "accuracy": accuracy}
        if learner.cell_loss is None:
            return measured["loss"], measured
        return _with_cells(learner.cell_loss, measured, outputs[1], batch)

    (loss, measured), gradients = jax.value_and_grad(loss_of, has_aux=True)(
        state.params
    )
    return jax.lax.pmean((loss, measured, gradients), AXIS)


def _with_cells(
    cell_loss: CellLoss, measured: dict[str, Array], cells: Array, batch: Batch
) -> tuple[Float[Array, ""], dict[str, Array]]:
    """The loss of both outputs, and what is measured of them."""
    targets = batch.targets
    if targets.unit_cells is None:
        raise TypeError("a source for networks that give unit cells must know them")
    lattice, error = cell_loss(
        cells,
        targets.unit_cells,
        targets.group_rows,
        # a pattern without lines says nothing
        known=jnp.max(batch.patterns, axis=1) > 0,
    )
    loss = measured["loss"] + cell_loss.weight * lattice
    return loss, measured | {"lattice_loss": lattice, "length_error": error}


def _are_finite(loss: Float[Array, ""], gradients: Any) -> Bool[Array, ""]:
    """Whether loss and gradients, and Adam's averages of their squares, are finite."""
    squares = [jnp.sum(jnp.square(g)) for g in jax.tree.leaves(gradients)]
    return jnp.isfinite(loss) & jnp.isfinite(sum(squares))


def _train_step(
    learner: Learner, state: TrainState, batch: Batch
) -> tuple[TrainState, dict[str, Array]]:
    """The state after one step, what it measured and whether it was skipped."""
    loss, measured, gradients = _loss_and_gradients(learner, state, batch)
    # optax raises floats to the power of counts, which strict promotion forbids
    with jax.numpy_dtype_promotion("standard"):
        updates, opt_state = learner.optimizer.update(
            gradients, state.opt_state, state.params
        )
    params = optax.apply_updates(state.params, updates)
    updated = dataclasses.replace(state, params=params, opt_state=opt_state)
    finite = _are_finite(loss, gradients)
    state = jax.tree.map(lambda new, old: jnp.where(finite, new, old), updated, state)
    state = dataclasses.replace(state, step=state.step + 1)
    return state, measured | {"skipped": ~finite}


def _sample_and_train(
    learner: Learner, state: TrainState, source: Source, share: int, steps: int
) -> tuple[TrainState, dict[str, Array], dict[str, Array]]:
    """Samples crystals for some steps together, and takes the steps.

    Returns:
        The state after them, what each step measured, and the counts of all devices.
    """
    sampled = source.sample(_key_of(state), share * steps)
    batches = jax.tree.map(
        lambda x: x.reshape(steps, share, *x.shape[1:]),
        dataclasses.replace(sampled, counts={}),
    )
    state, measured = jax.lax.scan(
        lambda state, batch: _train_step(learner, state, batch), state, batches
    )
    return state, measured, jax.lax.psum(sampled.counts, AXIS)


def _summary(
    measured: dict[str, Shaped[Array, "draws steps"]],
    counts: dict[str, Int[Array, " draws"]],
) -> dict[str, Array]:
    """Metrics of one call: means over the steps that were taken, and totals."""
    skipped = measured["skipped"].ravel()
    taken = jnp.sum(~skipped, dtype=jnp.float32)
    means = {
        name: jnp.where(skipped, 0.0, measured[name].ravel()).sum() / taken
        for name in measured
        if name != "skipped"
    }
    totals = {name: jnp.sum(x, dtype=x.dtype) for name, x in counts.items()}
    return means | totals | {"skipped": skipped}


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
        the steps of the call that were not skipped, NaN if all were; `skipped` [steps]
        states which were, and the source's counts are totals. The state that goes in
        is donated.
    """
    share = size.batch_size // mesh.size

    def train_steps(
        state: TrainState, source: Source
    ) -> tuple[TrainState, dict[str, Array]]:
        def steps_of_one_draw(state, _):
            state, measured, counts = _sample_and_train(
                learner, state, source, share, size.steps_per_draw
            )
            return state, (measured, counts)

        draws = size.steps // size.steps_per_draw
        state, results = jax.lax.scan(steps_of_one_draw, state, length=draws)
        return state, _summary(*results)

    everywhere = PartitionSpec()
    return jax.jit(
        per_device(train_steps, mesh, everywhere, everywhere), donate_argnums=0
    )
