"""One compiled program from a random key to updated parameters.

Nothing is stored and nothing is fed: each step draws its own random crystals,
simulates their diffractograms and learns from them. All devices share the batch;
each draws its part from the run's key, the step and its position in the mesh.

A step whose loss or gradient is not finite changes nothing but the number of steps.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Int, UInt32

from xrdjax.devices import AXIS, per_device
from xrdjax.models.preprocess import preprocess
from xrdjax.models.resnet import init_params

# (key, tables, batch size B) -> patterns [B, T], labels [B], counts {name: scalar}.
# The tables are what the generator looks up; they are arguments of the compiled
# program, in which constants of that size would take long to compile.
Draw = Callable[
    [Array, Any, int],
    tuple[Float[Array, "B T"], Int[Array, " B"], dict[str, Array]],
]

# Folded into a step's key: what a network drops lies in another stream than crystals.
_DROPOUT_STREAM = 2**31


@flax.struct.dataclass
class TrainState:
    """All that a run needs to go on.

    Attributes:
        step: [] int32, number of steps done, skipped ones included.
        key: [2] data of the random key that every step folds its number into.
        params: parameters of the network.
        opt_state: state of the optimizer.
    """

    step: Int[Array, ""]
    key: UInt32[Array, " 2"]
    params: Any
    opt_state: Any


def make_optimizer(
    kind: str,
    learning_rate: float,
    schedule: str,
    halve_every_steps: int,
    warmup_steps: int,
    b1: float,
    b2: float,
    eps: float,
    *,
    steps: int,
) -> optax.GradientTransformation:
    """What turns gradients into updates.

    Args:
        kind: "adam", or "muon", which makes the updates of matrices orthogonal (Jordan
            et al., 2024, kellerjordan.github.io/posts/muon) and leaves the rest to
            Adam, with Nesterov's momentum (Dozat, 2016) as its own.
        learning_rate: after the warm-up; the same for both, as the updates of Muon
            are scaled to the size of Adam's (Liu et al., arXiv 2502.16982).
        schedule: "halve" or "cosine", which falls to zero at the last step.
        halve_every_steps: of "halve".
        warmup_steps: in which the learning rate rises from zero.
        b1, b2, eps: of Adam; eps is Muon's too, added to the norm that it divides by.
        steps: of the whole run.
    """
    if schedule == "cosine":
        rate = optax.cosine_decay_schedule(learning_rate, max(1, steps - warmup_steps))
    else:
        rate = optax.exponential_decay(
            learning_rate, halve_every_steps, decay_rate=0.5, staircase=True
        )
    if warmup_steps:
        rise = optax.linear_schedule(0.0, learning_rate, warmup_steps)
        rate = optax.join_schedules([rise, rate], [warmup_steps])
    if kind == "adam":
        return optax.adam(rate, b1=b1, b2=b2, eps=eps)
    return optax.contrib.muon(
        rate,
        muon_weight_dimension_numbers=_matrices,
        consistent_rms=0.2,  # the size of Adam's updates
        eps=eps,
        adam_b1=b1,
        adam_b2=b2,
        adam_learning_rate=rate,
    )


def _matrices(params: Any) -> Any:
    """The kernels that map many inputs to outputs, and along which axes they do.

    A convolution over several points of one channel, the first one, is left to Adam.
    """

    def axes(leaf: Any) -> optax.contrib.MuonDimensionNumbers | None:
        if leaf.ndim < 2 or leaf.shape[-2] == 1:
            return None
        inputs = tuple(range(leaf.ndim - 1))
        return optax.contrib.MuonDimensionNumbers(inputs, leaf.ndim - 1)

    return jax.tree.map(axes, params)


def init_state(
    seed: int,
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    points: int,
    mesh: jax.sharding.Mesh,
) -> TrainState:
    """State before the first step, the same on every device of the mesh."""

    def init() -> TrainState:
        init_key, draw_key = jax.random.split(jax.random.key(seed))
        params = init_params(init_key, model, points)
        return TrainState(
            step=jnp.int32(0),
            key=jax.random.key_data(draw_key),
            params=params,
            opt_state=optimizer.init(params),
        )

    everywhere = NamedSharding(mesh, PartitionSpec())
    return jax.jit(init, out_shardings=everywhere)()


def make_train_steps(
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    draw: Draw,
    mesh: jax.sharding.Mesh,
    batch_size: int,
    steps: int,
    steps_per_draw: int = 1,
) -> jax.stages.Wrapped:
    """The compiled program of several training steps.

    Args:
        model: the network.
        optimizer: optax transformation of the gradients.
        draw: generator of labelled diffractograms.
        mesh: of all devices, as `devices.global_mesh` makes it.
        batch_size: diffractograms a step on all devices together.
        steps: number of steps of one call.
        steps_per_draw: for how many steps crystals are drawn together, by the key of
            the first of them; divides steps. It saves time where a batch is small,
            and takes the memory of as many batches.

    Returns:
        Function (state, tables) -> (state, metrics). Loss and accuracy are means over
        the steps of the call that were not skipped; `skipped` [steps] tells which
        were, and the generator's counts are totals. The state that goes in is given up.
    """
    share = batch_size // mesh.size

    def key_of(state: TrainState) -> Array:
        key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.step)
        return jax.random.fold_in(key, jax.lax.axis_index(AXIS))

    def train_step(
        state: TrainState, batch: tuple[Array, Array]
    ) -> tuple[TrainState, Any]:
        patterns, labels = batch
        inputs = preprocess(patterns)
        rngs = {"dropout": jax.random.fold_in(key_of(state), _DROPOUT_STREAM)}

        def loss_fn(params: Any) -> tuple[Array, Any]:
            logits = model.apply({"params": params}, inputs, train=True, rngs=rngs)
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
            return losses.mean(), logits

        (loss, logits), gradients = jax.value_and_grad(loss_fn, has_aux=True)(
            state.params
        )
        accuracy = (logits.argmax(-1) == labels).mean()
        loss, accuracy, gradients = jax.lax.pmean((loss, accuracy, gradients), AXIS)
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        updated = dataclasses.replace(
            state,
            params=optax.apply_updates(state.params, updates),
            opt_state=opt_state,
        )
        # The squares, as Adam's averages of them must be finite too.
        squares = [jnp.sum(jnp.square(g)) for g in jax.tree.leaves(gradients)]
        finite = jnp.isfinite(loss) & jnp.isfinite(sum(squares))
        state = jax.tree.map(
            lambda new, old: jnp.where(finite, new, old), updated, state
        )
        state = dataclasses.replace(state, step=state.step + 1)
        means = {"loss": loss, "accuracy": accuracy}
        return state, (means, ~finite)

    def draw_and_train(state: TrainState, tables: Any) -> tuple[TrainState, Any]:
        patterns, labels, counts = draw(key_of(state), tables, share * steps_per_draw)
        batches = jax.tree.map(
            lambda x: x.reshape(steps_per_draw, share, *x.shape[1:]),
            (patterns, labels),
        )
        state, (means, skipped) = jax.lax.scan(train_step, state, batches)
        return state, (means, skipped, jax.lax.psum(counts, AXIS))

    def train_steps(state: TrainState, tables: Any) -> tuple[TrainState, dict]:
        state, (means, skipped, totals) = jax.lax.scan(
            lambda state, _: draw_and_train(state, tables),
            state,
            length=steps // steps_per_draw,
        )
        means, skipped = jax.tree.map(jnp.ravel, (means, skipped))
        means = jax.tree.map(
            lambda x: jnp.where(skipped, 0.0, x).sum() / (~skipped).sum(), means
        )
        totals = jax.tree.map(jnp.sum, totals)
        return state, means | totals | {"skipped": skipped}

    everywhere = PartitionSpec()
    return jax.jit(
        per_device(train_steps, mesh, everywhere, everywhere), donate_argnums=0
    )
