"""The compiled training step, on a generator that needs no crystals."""

import os
import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from xrdjax.models.preprocess import preprocess
from xrdjax.models.resnet import ResNet
from xrdjax.training.step import init_state, make_optimizer, make_train_steps

POINTS, GROUPS, BATCH = 128, 4, 8
ADAM = {
    "kind": "adam",
    "learning_rate": 1e-3,
    "schedule": "halve",
    "halve_every_steps": 1000,
    "warmup_steps": 0,
    "b1": 0.9,
    "b2": 0.999,
    "eps": 1e-7,
    "steps": 1000,
}


def draw(key, tables, batch_size):
    """One peak, whose position tells the label, and noise."""
    label_key, noise_key = jax.random.split(key)
    labels = jax.random.randint(label_key, (batch_size,), 0, GROUPS)
    noise = 0.1 * jax.random.uniform(noise_key, (batch_size, POINTS))
    peaks = jax.nn.one_hot(tables["positions"][labels], POINTS) * tables["height"]
    counts = {"rejected": (labels == 0).sum(), "overflow": jnp.int32(0)}
    return jnp.maximum(peaks, noise), labels, counts


@pytest.fixture(scope="module")
def mesh():
    return jax.make_mesh(
        (1,),
        ("devices",),
        axis_types=(jax.sharding.AxisType.Auto,),
        devices=jax.devices()[:1],
    )


@pytest.fixture(scope="module")
def everywhere(mesh):
    return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())


@pytest.fixture(scope="module")
def tables(everywhere):
    positions = jnp.array([10, 40, 70, 100])
    return jax.device_put({"positions": positions, "height": 1.0}, everywhere)


@pytest.fixture(scope="module")
def model():
    # One stage of one block compiles in seconds.
    return ResNet((1,), False, outputs=GROUPS, width=4, groups=2)


@pytest.fixture(scope="module")
def adam():
    return make_optimizer(**ADAM)


@pytest.fixture(scope="module")
def fresh_state(model, adam, mesh, everywhere):
    """Makes a state before the first step; a step gives up the one it gets."""
    state = jax.tree.map(np.asarray, init_state(0, model, adam, POINTS, mesh))
    return lambda: jax.device_put(state, everywhere)


@pytest.fixture(scope="module")
def traces():
    """Grows by one each time the generator is traced."""
    return []


@pytest.fixture(scope="module")
def train_steps(model, adam, mesh, traces):
    def traced_draw(*args):
        traces.append(args)
        return draw(*args)

    return make_train_steps(model, adam, traced_draw, mesh, BATCH, steps=5)


@pytest.fixture(scope="module")
def one_step(model, adam, mesh):
    return make_train_steps(model, adam, draw, mesh, BATCH, steps=1)


def _assert_close(tree, expected, atol):
    for got, wanted in zip(
        jax.tree.leaves(tree), jax.tree.leaves(expected), strict=True
    ):
        np.testing.assert_allclose(got, wanted, atol=atol)


def test_it_compiles_once_and_moves_nothing_while_it_runs(
    train_steps, traces, model, adam, mesh, tables
):
    state, _ = train_steps(init_state(0, model, adam, POINTS, mesh), tables)
    count = len(traces)
    with jax.transfer_guard("disallow"):
        for _ in range(3):
            state, metrics = train_steps(state, tables)
    jax.block_until_ready(metrics)
    assert len(traces) == count
    assert train_steps._cache_size() == 1
    program = train_steps.lower(state, tables).as_text()
    assert not any(word in program for word in ("callback", "infeed", "outfeed"))


def test_the_network_learns(train_steps, fresh_state, tables):
    state, losses = fresh_state(), []
    for _ in range(12):
        state, metrics = train_steps(state, tables)
        losses.append(float(metrics["loss"]))
    assert losses[-1] < 0.5 * losses[0]
    assert metrics["accuracy"] > 0.9
    assert int(state.step) == 60


def test_tables_are_arguments_and_not_constants(
    train_steps, traces, fresh_state, tables
):
    _, first = train_steps(fresh_state(), tables)
    count = len(traces)
    _, second = train_steps(fresh_state(), tables | {"height": tables["height"] / 2})
    assert len(traces) == count
    assert first["loss"] != second["loss"]


def test_a_step_that_is_not_finite_changes_nothing_but_the_number_of_steps(
    train_steps, fresh_state, tables
):
    state, metrics = train_steps(fresh_state(), tables)
    assert not metrics["skipped"].any()
    before = jax.tree.map(np.asarray, state)
    state, metrics = train_steps(state, tables | {"height": tables["height"] * jnp.nan})
    assert metrics["skipped"].tolist() == [True] * 5
    assert int(state.step) == 10
    jax.tree.map(
        np.testing.assert_array_equal, state, before.replace(step=np.int32(10))
    )


def test_steps_between_skipped_ones_are_taken_and_make_the_means(
    model, adam, mesh, tables, fresh_state
):
    def draw_some(key, tables, batch_size):
        patterns, labels, _ = draw(key, tables, batch_size)
        broken = jax.random.bernoulli(key)
        return jnp.where(broken, jnp.inf, patterns), labels, {"broken": broken}

    steps = make_train_steps(model, adam, draw_some, mesh, BATCH, steps=8)
    state, metrics = steps(fresh_state(), tables)
    count = int(metrics["broken"])
    assert 0 < count < 8
    assert metrics["skipped"].sum() == count
    assert np.isfinite(metrics["loss"]) and 0 <= metrics["accuracy"] <= 1
    [updates] = {int(part.count) for part in state.opt_state if hasattr(part, "count")}
    assert updates == 8 - count


def test_first_step_is_adam_on_the_gradient_of_the_mean_cross_entropy(
    one_step, model, fresh_state, tables
):
    state = fresh_state()
    key = jax.random.wrap_key_data(state.key)
    key = jax.random.fold_in(jax.random.fold_in(key, 0), 0)
    patterns, labels, _ = draw(key, tables, BATCH)

    def loss_fn(params):
        logits = model.apply({"params": params}, preprocess(patterns))
        return -jax.nn.log_softmax(logits)[jnp.arange(BATCH), labels].mean()

    loss, gradients = jax.jit(jax.value_and_grad(loss_fn))(state.params)
    # Kingma and Ba (2015): the moments of one step, corrected for their bias, are
    # the gradient and its square.
    expected = jax.tree.map(
        lambda p, g: p - 1e-3 * g / (jnp.abs(g) + 1e-7), state.params, gradients
    )
    state, metrics = one_step(state, tables)
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-5)
    _assert_close(state.params, expected, atol=2e-5)


class Dropping(nn.Module):
    """A linear layer that sees half of its input in training."""

    @nn.compact
    def __call__(self, inputs, train=False):
        return nn.Dense(GROUPS)(nn.Dropout(0.5, deterministic=not train)(inputs))


def test_what_is_dropped_is_another_draw_each_step_and_known_from_the_key(mesh, tables):
    model, still = Dropping(), optax.sgd(0.0)
    steps = make_train_steps(model, still, draw, mesh, BATCH, steps=1)
    state = init_state(0, model, still, POINTS, mesh)
    params = jax.tree.map(np.asarray, state.params)
    key = jax.random.wrap_key_data(np.asarray(state.key))
    for step in range(2):
        here = jax.random.fold_in(jax.random.fold_in(key, step), 0)
        patterns, labels, _ = draw(here, tables, BATCH)
        rngs = {"dropout": jax.random.fold_in(here, 2**31)}
        logits = model.apply(
            {"params": params}, preprocess(patterns), train=True, rngs=rngs
        )
        loss = -jax.nn.log_softmax(logits)[jnp.arange(BATCH), labels].mean()
        state, metrics = steps(state, tables)
        np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-5)


def test_five_steps_in_one_call_are_five_calls_of_one_step(
    train_steps, one_step, fresh_state, tables
):
    together, means = train_steps(fresh_state(), tables)
    state, losses, rejected = fresh_state(), [], 0
    for _ in range(5):
        state, metrics = one_step(state, tables)
        losses.append(metrics["loss"])
        rejected += int(metrics["rejected"])
    np.testing.assert_allclose(means["loss"], np.mean(losses), rtol=1e-4)
    assert int(means["rejected"]) == rejected
    assert 0 < rejected < 5 * BATCH
    assert int(state.step) == int(together.step) == 5
    _assert_close(together.params, state.params, atol=1e-4)


# Two devices exist only in a process that asks for them before its first array.
_TWO_DEVICES = """
    import jax, jax.numpy as jnp, numpy as np, optax
    jax.config.update("jax_num_cpu_devices", 2)
    from xrdjax.models.resnet import ResNet
    from xrdjax.training.step import init_state, make_train_steps

    model = ResNet((1,), False, outputs=4, width=4, groups=2)
    sgd = optax.sgd(0.1)

    def draw(key, tables, batch_size):
        assert batch_size == 3
        patterns = jax.random.uniform(key, (batch_size, 64))
        labels = jax.random.randint(key, (batch_size,), 0, 4)
        return patterns, labels, {"rejected": jnp.int32(batch_size)}

    mesh = jax.make_mesh((2,), ("devices",), axis_types=(jax.sharding.AxisType.Auto,))
    steps = make_train_steps(model, sgd, draw, mesh, 6, 1)
    state = init_state(0, model, sgd, 64, mesh)
    before = jax.tree.map(np.asarray, state.params)
    key = jax.random.fold_in(jax.random.wrap_key_data(np.asarray(state.key)), 0)

    def loss_fn(params):
        parts = [draw(jax.random.fold_in(key, i), (), 3)[:2] for i in range(2)]
        patterns, labels = map(jnp.concatenate, zip(*parts))
        logits = model.apply({"params": params}, jnp.sqrt(patterns))
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    loss, gradients = jax.jit(jax.value_and_grad(loss_fn))(before)
    state, metrics = steps(state, ())
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-5)
    assert int(metrics["rejected"]) == 6
    jax.tree.map(
        lambda new, old, g: np.testing.assert_allclose(new, old - 0.1 * g, atol=1e-5),
        state.params, before, gradients,
    )
    state, _ = steps(state, ())
    assert steps._cache_size() == 1
    for leaf in jax.tree.leaves(state.params):
        first, second = leaf.addressable_shards
        np.testing.assert_array_equal(first.data, second.data)
    print("done")
"""


def test_two_devices_share_the_batch_and_average_their_gradients():
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(_TWO_DEVICES)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )
    assert run.stdout == "done\n", run.stderr
