"""The compiled training step, on a source that needs no crystals."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from flax import struct
from peaks import (
    ADAM,
    BrokenSource,
    Linear,
    PeakSource,
    adam,
    assert_close,
    assert_same,
)

from xrdjax import devices
from xrdjax.models.cells import LATTICES, CellLoss
from xrdjax.models.preprocess import preprocess
from xrdjax.patterns.batch import Batch, Targets
from xrdjax.patterns.streams import dropout_key, step_key
from xrdjax.training.state import init_state
from xrdjax.training.step import CallSize, Learner, make_train_steps

POINTS, CLASSES, BATCH = 64, 4, 8
LEARNER = Learner(Linear(CLASSES), adam())
# A rate that no step's size depends on but by its gradient.
DESCENT = Learner(Linear(CLASSES), optax.sgd(0.5))


@pytest.fixture(scope="module")
def mesh():
    return devices.local_mesh(1)


@pytest.fixture(scope="module")
def source(mesh):
    return devices.replicate(PeakSource(CLASSES, POINTS), mesh)


@pytest.fixture(scope="module")
def fresh(mesh):
    """Makes a state before the first step; a step gives up the one it gets."""

    @functools.cache
    def first(model, optimizer):
        state = init_state(3, model, optimizer, POINTS, mesh)
        return jax.tree.map(np.asarray, state)

    def fresh(learner=LEARNER):
        return devices.replicate(first(learner.model, learner.optimizer), mesh)

    return fresh


@pytest.fixture(scope="module")
def steps_of(mesh):
    """Makes the program of some steps of eight patterns."""

    @functools.cache
    def steps_of(steps, steps_per_draw=1, learner=LEARNER):
        return make_train_steps(learner, mesh, CallSize(BATCH, steps, steps_per_draw))

    return steps_of


@pytest.fixture(scope="module")
def five_steps(steps_of):
    return steps_of(5)


@functools.partial(jax.jit, static_argnums=0)
def loss_and_gradients(model, params, batch, **options):
    """Mean cross-entropy by its definition, and its derivatives by the parameters."""

    def loss(params):
        inputs = preprocess(batch.patterns)
        logits = model.apply({"params": params}, inputs, train=True, **options)
        rows = batch.targets.group_rows
        return -jax.nn.log_softmax(logits)[jnp.arange(len(rows)), rows].mean()

    return jax.value_and_grad(loss)(params)


def sampled(state, source, step, size):
    """What the first device samples in a step of a run."""
    key = jax.random.wrap_key_data(np.asarray(state.key))
    return _sample(source, step_key(key, step, 0), size)


_sample = jax.jit(lambda source, key, size: source.sample(key, size), static_argnums=2)


def test_it_compiles_once_and_moves_nothing_while_it_runs(five_steps, fresh, source):
    state, _ = five_steps(fresh(), source)
    dimmer = dataclasses.replace(source, height=source.height / 2)
    with jax.transfer_guard("disallow"):
        for given in (source, dimmer, source):
            state, metrics = five_steps(state, given)
    jax.block_until_ready(metrics)
    assert five_steps._cache_size() == 1
    program = five_steps.lower(state, source).as_text()
    assert not any(word in program for word in ("callback", "infeed", "outfeed"))


def test_the_leaves_of_a_source_are_arguments_and_not_constants(
    five_steps, fresh, source
):
    dimmer = dataclasses.replace(source, height=source.height / 2)
    losses = [five_steps(fresh(), given)[1]["loss"] for given in (source, dimmer)]
    assert losses[0] != losses[1]


def test_the_network_learns(five_steps, fresh, source):
    state, losses = fresh(), []
    for _ in range(12):
        state, metrics = five_steps(state, source)
        losses.append(float(metrics["loss"]))
    assert losses[-1] < 0.5 * losses[0]
    assert metrics["accuracy"] > 0.9
    assert int(state.step) == 60


def test_a_step_that_is_not_finite_changes_nothing_but_the_number_of_steps(
    five_steps, fresh, source
):
    state, metrics = five_steps(fresh(), source)
    assert not metrics["skipped"].any()
    before = jax.tree.map(np.asarray, state)
    broken = dataclasses.replace(source, height=source.height * jnp.nan)
    state, metrics = five_steps(state, broken)
    assert metrics["skipped"].tolist() == [True] * 5
    assert np.isnan(metrics["loss"])
    assert_same(state, dataclasses.replace(before, step=np.int32(10)))


def test_steps_between_skipped_ones_are_taken_and_make_the_means(
    steps_of, fresh, source
):
    broken = BrokenSource(source, BATCH, share=0.5)
    state, metrics = steps_of(8)(fresh(), broken)
    count = int(metrics["broken"])
    assert 0 < count < 8
    assert metrics["skipped"].sum() == count
    assert np.isfinite(metrics["loss"]) and 0 <= metrics["accuracy"] <= 1
    [updates] = {int(part.count) for part in state.opt_state if hasattr(part, "count")}
    assert updates == 8 - count


def test_the_first_step_is_adam_on_the_gradient_of_the_mean_cross_entropy(
    steps_of, fresh, source
):
    state = fresh()
    batch = sampled(state, source, 0, BATCH)
    loss, gradients = loss_and_gradients(LEARNER.model, state.params, batch)
    # Kingma and Ba (2015): the moments of one step, corrected for their bias, are
    # the gradient and its square.
    expected = jax.tree.map(
        lambda p, g: p - ADAM["learning_rate"] * g / (jnp.abs(g) + 1e-7),
        state.params,
        gradients,
    )
    state, metrics = steps_of(1)(state, source)
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-5)
    assert_close(state.params, expected, atol=2e-5)


class Dropping(nn.Module):
    """A linear layer that sees half of its input in training."""

    @nn.compact
    def __call__(self, inputs, train=False):
        return nn.Dense(CLASSES)(nn.Dropout(0.5, deterministic=not train)(inputs))


def test_what_is_dropped_differs_from_step_to_step_and_is_known_from_the_key(
    steps_of, fresh, source
):
    learner = Learner(Dropping(), optax.sgd(0.0))
    one_step, state = steps_of(1, learner=learner), fresh(learner)
    params = jax.tree.map(np.asarray, state.params)
    key = jax.random.wrap_key_data(np.asarray(state.key))
    losses = []
    for step in range(2):
        batch = sampled(state, source, step, BATCH)
        rngs = {"dropout": dropout_key(step_key(key, step, 0))}
        loss, _ = loss_and_gradients(learner.model, params, batch, rngs=rngs)
        state, metrics = one_step(state, source)
        np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-5)
        losses.append(metrics["loss"])
    assert losses[0] != losses[1]


def test_five_steps_in_one_call_are_five_calls_of_one_step(
    five_steps, steps_of, fresh, source
):
    together, means = five_steps(fresh(), source)
    one_step, state, losses, zeros = steps_of(1), fresh(), [], 0
    for _ in range(5):
        state, metrics = one_step(state, source)
        losses.append(metrics["loss"])
        zeros += int(metrics["zeros"])
    np.testing.assert_allclose(means["loss"], np.mean(losses), rtol=1e-4)
    assert int(means["zeros"]) == zeros
    assert 0 < zeros < 5 * BATCH
    assert int(state.step) == int(together.step) == 5
    assert_close(together.params, state.params, atol=1e-4)


@pytest.mark.parametrize("steps_per_draw", [1, 2, 4])
def test_steps_learn_from_what_the_first_of_each_draw_samples(
    steps_of, fresh, source, steps_per_draw
):
    state = fresh(DESCENT)
    params, losses = jax.tree.map(np.asarray, state.params), []
    for first in range(0, 4, steps_per_draw):
        batch = sampled(state, source, first, BATCH * steps_per_draw)
        for i in range(0, len(batch.patterns), BATCH):
            part = Batch(
                batch.patterns[i : i + BATCH],
                Targets(batch.targets.group_rows[i : i + BATCH]),
                {},
            )
            loss, gradients = loss_and_gradients(DESCENT.model, params, part)
            params = jax.tree.map(lambda p, g: p - 0.5 * g, params, gradients)
            losses.append(loss)
    program = steps_of(4, steps_per_draw, DESCENT)
    state, metrics = program(state, source)
    assert_close(state.params, params, atol=1e-5)
    np.testing.assert_allclose(metrics["loss"], np.mean(losses), rtol=1e-5)
    assert int(state.step) == 4
    assert int(metrics["sampled"]) == 4 * BATCH
    assert metrics["skipped"].shape == (4,)


def test_a_draw_is_for_one_step_by_default():
    assert CallSize(BATCH, 4) == CallSize(BATCH, 4, steps_per_draw=1)


class TwoHeads(nn.Module):
    """A linear layer for the classes and one for the cells."""

    @nn.compact
    def __call__(self, inputs, train=False, with_cells=False):
        cells = nn.Dense(6 * LATTICES)(inputs).reshape(-1, LATTICES, 6)
        return nn.Dense(CLASSES)(inputs), cells


@struct.dataclass
class CubicSource:
    """Peaks whose position states the edge of a cube."""

    peaks: PeakSource

    def sample(self, key, size):
        batch = self.peaks.sample(key, size)
        rows = batch.targets.group_rows
        edges = 4.0 + rows.astype(jnp.float32)[:, None] * jnp.ones(3)[None]
        cells = jnp.concatenate([edges, jnp.full((size, 3), jnp.pi / 2)], axis=1)
        return dataclasses.replace(batch, targets=Targets(rows, cells))


def test_both_outputs_learn_where_cells_are_asked_for(steps_of, fresh, source):
    learner = Learner(TwoHeads(), adam(), cell_loss=CellLoss(1.0, (221, 222, 223, 224)))
    twenty, state = steps_of(20, learner=learner), fresh(learner)
    state, first = twenty(state, CubicSource(source))
    for _ in range(4):
        state, last = twenty(state, CubicSource(source))
    assert last.keys() >= {"lattice_loss", "length_error", "loss", "accuracy"}
    assert last["length_error"] < 0.1 < 0.5 * first["length_error"]
    assert last["accuracy"] > 0.9
    with pytest.raises(TypeError, match="must know them"):
        steps_of(1, learner=learner)(state, source)
