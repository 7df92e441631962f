"""Crystals of several steps, drawn together by the key of the first of them."""

import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from tiny_run import tiny_config

from xrdjax.errors import InputError
from xrdjax.models.preprocess import preprocess
from xrdjax.training.loop import _stop_if_stuck, train
from xrdjax.training.step import init_state, make_train_steps

POINTS, GROUPS, BATCH, STEPS = 16, 3, 5, 4
SGD = optax.sgd(0.5)


class Linear(nn.Module):
    """The least that learns."""

    @nn.compact
    def __call__(self, inputs, train=False):
        return nn.Dense(GROUPS)(inputs)


def draw(key, tables, batch_size):
    """Every number of a batch depends on the key and on how many are drawn."""
    pattern_key, label_key = jax.random.split(key)
    patterns = jax.random.uniform(pattern_key, (batch_size, POINTS))
    labels = jax.random.randint(label_key, (batch_size,), 0, GROUPS)
    return patterns, labels, {"drawn": jnp.int32(batch_size)}


@pytest.fixture(scope="module")
def mesh():
    return jax.make_mesh(
        (1,),
        ("devices",),
        axis_types=(jax.sharding.AxisType.Auto,),
        devices=jax.devices()[:1],
    )


def _descend(params, patterns, labels):
    """One step of gradient descent on the mean cross-entropy."""

    def loss_fn(params):
        logits = Linear().apply({"params": params}, preprocess(patterns))
        return -jax.nn.log_softmax(logits)[jnp.arange(BATCH), labels].mean()

    loss, gradients = jax.value_and_grad(loss_fn)(params)
    return jax.tree.map(lambda p, g: p - 0.5 * g, params, gradients), loss


@pytest.mark.parametrize("steps_per_draw", [1, 2, 4])
def test_steps_learn_from_what_the_key_of_the_first_of_each_draw_gives(
    mesh, steps_per_draw
):
    state = init_state(3, Linear(), SGD, POINTS, mesh)
    params = jax.tree.map(np.asarray, state.params)
    key = jax.random.wrap_key_data(np.asarray(state.key))
    losses = []
    for first in range(0, STEPS, steps_per_draw):
        drawn = jax.random.fold_in(jax.random.fold_in(key, first), 0)
        patterns, labels, _ = draw(drawn, (), BATCH * steps_per_draw)
        batches = zip(
            jnp.split(patterns, steps_per_draw),
            jnp.split(labels, steps_per_draw),
            strict=True,
        )
        for batch in batches:
            params, loss = _descend(params, *batch)
            losses.append(loss)
    program = make_train_steps(
        Linear(), SGD, draw, mesh, BATCH, STEPS, steps_per_draw=steps_per_draw
    )
    state, metrics = program(state, ())
    for got, wanted in zip(
        jax.tree.leaves(state.params), jax.tree.leaves(params), strict=True
    ):
        np.testing.assert_allclose(got, wanted, atol=1e-5)
    np.testing.assert_allclose(metrics["loss"], np.mean(losses), rtol=1e-5)
    assert int(state.step) == STEPS
    assert int(metrics["drawn"]) == STEPS * BATCH
    assert metrics["skipped"].shape == (STEPS,)


def test_a_draw_of_one_step_is_what_is_done_by_default(mesh):
    programs = [
        make_train_steps(Linear(), SGD, draw, mesh, BATCH, STEPS, **given)
        for given in ({}, {"steps_per_draw": 1}, {"steps_per_draw": 2})
    ]
    default, one, two = (
        jax.tree.map(
            np.asarray, program(init_state(3, Linear(), SGD, POINTS, mesh), ())
        )
        for program in programs
    )
    jax.tree.map(np.testing.assert_array_equal, one, default)
    assert two[1]["loss"] != one[1]["loss"]


def test_a_call_that_is_no_whole_number_of_draws_is_refused(tmp_path):
    config = tiny_config(steps_per_draw=4)
    with pytest.raises(
        InputError,
        match=r"^steps_per_call is 2, which is not a multiple of steps_per_draw, 4: "
        r"crystals are drawn for that many steps together$",
    ):
        train(config, tmp_path / "run", draw)
    assert not (tmp_path / "run").exists()


def _is_all_broken(key):
    return jax.random.uniform(jax.random.fold_in(key, 7)) < 0.3


def test_a_run_that_stops_names_the_key_of_the_draw_that_it_began_to_skip_in(
    monkeypatch, tmp_path
):
    monkeypatch.setattr(
        "xrdjax.training.loop.make_model", lambda config, outputs: Linear()
    )

    def broken(key, tables, batch_size):
        """The second step of every draw, and the first one of some."""
        patterns, labels, counts = draw(key, tables, batch_size)
        late = jnp.arange(batch_size) >= batch_size // 2
        rows = late | _is_all_broken(key)
        return jnp.where(rows[:, None], jnp.inf, patterns), labels, counts

    config = tiny_config(
        max_skipped_steps=2,
        steps=200,
        steps_per_call=10,
        steps_per_draw=2,
        checkpoint_every=100,
        points=POINTS,
        **{"evaluation.validation": 0},
    )
    with pytest.raises(InputError, match="not finite in 2 steps in a row") as error:
        train(config, tmp_path, broken)
    begin, *key, drawn = map(
        int,
        re.search(
            r"from step (\d+) on, .*uint32\(\[(\d+), (\d+)\]\)\), (\d+)\), folded",
            str(error.value),
        ).groups(),
    )
    key = jax.random.wrap_key_data(jnp.array(key, jnp.uint32))

    def is_skipped(step):
        drawn_by = jax.random.fold_in(jax.random.fold_in(key, step - step % 2), 0)
        return step % 2 == 1 or bool(_is_all_broken(drawn_by))

    flags = [is_skipped(step) for step in range(begin + 2)]
    assert flags[begin:] == [True, True]
    assert not any(a and b for a, b in itertools.pairwise(flags[:-1]))
    assert begin % 2 == 1 and drawn == begin - 1


@pytest.mark.parametrize(
    ("steps_per_draw", "drawn"), [(1, 98), (2, 98), (3, 96), (7, 98), (50, 50)]
)
def test_the_key_of_a_draw_of_an_earlier_call_is_named(steps_per_draw, drawn):
    with pytest.raises(InputError, match=rf"from step 98 on, .*\]\)\), {drawn}\)"):
        _stop_if_stuck(np.array([True, True]), 2, 100, [1, 2], 4, steps_per_draw)
