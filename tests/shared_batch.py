"""Training and evaluation on one, two and eight devices of one process.

A program for test_devices, because a process has its number of devices for life.
"""

import dataclasses
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct
from peaks import Linear, PeakSource, adam, assert_close, assert_same
from tiny_run import SOURCE, tiny_config

from xrdjax import devices
from xrdjax.crystals.textbook import gallery
from xrdjax.evaluation.answers import answer_synthetic
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.measurement import make_measurement
from xrdjax.models.parameters import init_params
from xrdjax.models.preprocess import preprocess
from xrdjax.patterns.batch import Batch, Targets
from xrdjax.patterns.streams import step_key
from xrdjax.patterns.structures import patterns_of_structures
from xrdjax.prior.file import load_statistics
from xrdjax.run import make_run
from xrdjax.training.state import init_state
from xrdjax.training.step import CallSize, Learner, make_train_steps

POINTS, CLASSES, BATCH, STEPS = 64, 4, 8, 20


@struct.dataclass
class GivenBatch:
    """A `Source` of one batch, of which each device takes its rows."""

    patterns: np.ndarray
    rows: np.ndarray

    def sample(self, key, size):
        del key
        first = jax.lax.axis_index(devices.AXIS) * size

        def share(table):
            return jax.lax.dynamic_slice_in_dim(table, first, size)

        counts = {"sampled": jnp.int32(size)}
        return Batch(share(self.patterns), Targets(share(self.rows)), counts)


def check_that_a_batch_means_the_same():
    learner = Learner(Linear(CLASSES), adam(learning_rate=1e-3, halve_every_steps=10))
    patterns = np.random.default_rng(0).random((BATCH, POINTS), np.float32)
    given = GivenBatch(patterns, np.arange(BATCH, dtype=np.int32) % CLASSES)
    results = []
    for count in (1, 2, 8):
        mesh = devices.local_mesh(count)
        state = init_state(0, learner.model, learner.optimizer, POINTS, mesh)
        start = jax.tree.map(np.asarray, state.params)
        program = make_train_steps(learner, mesh, CallSize(BATCH, STEPS))
        state, metrics = program(state, devices.replicate(given, mesh))
        assert int(metrics["sampled"]) == STEPS * BATCH
        results.append((jax.tree.map(np.asarray, state.params), metrics["loss"]))
    (expected, loss), *others = results
    for before, after in zip(
        jax.tree.leaves(start), jax.tree.leaves(expected), strict=True
    ):
        assert np.abs(after - before).max() > 5e-3
    for params, other_loss in others:
        np.testing.assert_allclose(other_loss, loss, rtol=1e-4)
        assert_close(params, expected, atol=5e-4)


def check_that_two_devices_sample_their_shares_and_average_their_gradients():
    mesh = devices.local_mesh(2)
    learner = Learner(Linear(CLASSES), optax.sgd(0.1))
    source = PeakSource(CLASSES, POINTS)
    steps = make_train_steps(learner, mesh, CallSize(6, 1))
    state = init_state(0, learner.model, learner.optimizer, POINTS, mesh)
    before = jax.tree.map(np.asarray, state.params)
    key = jax.random.wrap_key_data(np.asarray(state.key))
    sample = jax.jit(lambda key: source.sample(key, 3))
    shares = [sample(step_key(key, 0, device)) for device in range(2)]
    assert not np.array_equal(shares[0].patterns, shares[1].patterns)

    @jax.value_and_grad
    def loss_of(params):
        inputs = preprocess(jnp.concatenate([share.patterns for share in shares]))
        rows = jnp.concatenate([share.targets.group_rows for share in shares])
        logits = learner.model.apply({"params": params}, inputs)
        return optax.softmax_cross_entropy_with_integer_labels(logits, rows).mean()

    loss, gradients = jax.jit(loss_of)(before)
    on_mesh = devices.replicate(source, mesh)
    state, metrics = steps(state, on_mesh)
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-5)
    assert int(metrics["zeros"]) == sum(int(share.counts["zeros"]) for share in shares)
    expected = jax.tree.map(lambda old, g: old - 0.1 * g, before, gradients)
    assert_close(jax.tree.map(np.asarray, state.params), expected, atol=1e-5)
    state, _ = steps(state, on_mesh)
    assert steps._cache_size() == 1
    for leaf in jax.tree.leaves(state.params):
        first, second = leaf.addressable_shards
        np.testing.assert_array_equal(first.data, second.data)


def check_that_evaluation_samples_the_same_crystals():
    run = make_run(tiny_config(seed=3), load_statistics(min_crystals=50), {})
    model = Linear(len(run.space_groups))
    params = init_params(jax.random.key(0), model, POINTS)
    results = []
    for count in (1, 8):
        mesh = devices.local_mesh(count)
        on_mesh = dataclasses.replace(
            run, model=model, params=devices.replicate(params, mesh)
        )
        source = devices.replicate(SOURCE, mesh)
        results.append(answer_synthetic(on_mesh, mesh, source, 43))
    (one, counts), (eight, same) = results
    assert counts == same
    assert counts["sampled"] == 44  # eleven batches of four
    assert one.labels.shape == (43,)
    assert_same(eight.labels, one.labels)
    np.testing.assert_allclose(eight.probabilities, one.probabilities, atol=1e-5)


def check_that_known_crystals_have_the_same_patterns():
    names = ("halite", "quartz", "diamond", "corundum", "copper", "iron", "rutile")
    crystals = [gallery(name) for name in (*names, *names[:4])]
    grid = TwoThetaGrid(two_theta_min_deg=20.0, two_theta_max_deg=60.0, points=501)
    sizes = np.linspace(20, 100, len(crystals), dtype=np.float32)
    one, eight = (
        patterns_of_structures(
            crystals, make_measurement(grid), sizes, devices.local_mesh(count)
        )
        for count in (1, 8)
    )
    np.testing.assert_allclose(one.max(axis=1), 1, atol=1e-6)
    # programs that fuse otherwise round the place of a line otherwise
    np.testing.assert_allclose(eight, one, atol=1e-5)


if __name__ == "__main__":
    warnings.simplefilter("error")
    devices.start(cpu_devices=8)
    assert devices.global_mesh().size == 8
    check_that_a_batch_means_the_same()
    check_that_two_devices_sample_their_shares_and_average_their_gradients()
    check_that_evaluation_samples_the_same_crystals()
    check_that_known_crystals_have_the_same_patterns()
    print("done")
