"""Training and evaluation on one, two and eight devices of one process.

A program for test_devices, because a process has its number of devices for life.
"""

import warnings
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from xrdjax import devices
from xrdjax.crystals.textbook import gallery
from xrdjax.diffraction.kernel import Simulation
from xrdjax.evaluation import answers
from xrdjax.instrument.diffractometer import Diffractometer
from xrdjax.models.resnet import ResNet
from xrdjax.patterns.pipeline import patterns_of_structures
from xrdjax.training.step import init_state, make_optimizer, make_train_steps

POINTS, GROUPS, BATCH, STEPS = 64, 4, 8, 20
MODEL = ResNet((1,), False, outputs=GROUPS, width=4, groups=2)
ADAM = {
    "kind": "adam",
    "learning_rate": 1e-3,
    "schedule": "halve",
    "halve_every_steps": 10,
    "warmup_steps": 0,
    "b1": 0.9,
    "b2": 0.999,
    "eps": 1e-7,
    "steps": STEPS,
}


def given_batch(key, tables, share):
    """This device's rows of one batch, which is the same on any number of devices."""
    del key
    first = jax.lax.axis_index(devices.AXIS) * share
    patterns, labels = (
        jax.lax.dynamic_slice_in_dim(table, first, share) for table in tables
    )
    return patterns, labels, {"drawn": jnp.int32(share)}


def training_on(mesh):
    """Parameters before and after training on the given batch, and the metrics."""
    patterns = np.random.default_rng(0).random((BATCH, POINTS), np.float32)
    tables = devices.replicate((patterns, np.arange(BATCH) % GROUPS), mesh)
    adam = make_optimizer(**ADAM)
    state = init_state(0, MODEL, adam, POINTS, mesh)
    start = jax.tree.map(np.asarray, state.params)
    train_steps = make_train_steps(MODEL, adam, given_batch, mesh, BATCH, STEPS)
    state, metrics = train_steps(state, tables)
    return jax.tree.leaves(start), jax.tree.leaves(state.params), metrics


def check_that_a_batch_means_the_same():
    start, expected, metrics = training_on(devices.local_mesh(1))
    for before, after in zip(start, expected, strict=True):
        assert np.abs(after - before).max() > 5e-3
    for count in (2, 8):
        _, found, same = training_on(devices.local_mesh(count))
        np.testing.assert_allclose(same["loss"], metrics["loss"], rtol=1e-4)
        assert int(same["drawn"]) == int(metrics["drawn"]) == STEPS * BATCH
        for got, wanted in zip(found, expected, strict=True):
            np.testing.assert_allclose(got, wanted, atol=5e-4)


class Reader:
    """Stands in for a network that takes seconds to compile."""

    def apply(self, variables, inputs):
        return variables["params"] * inputs[:, :GROUPS]


def draw(key, batch_size, scale):
    labels = jax.random.randint(key, (batch_size,), 0, GROUPS)
    patterns = scale * jax.random.uniform(key, (batch_size, POINTS))
    return patterns, labels, {"drawn": (labels < 2).sum()}


def check_that_evaluation_draws_the_same_crystals():
    config = SimpleNamespace(
        seed=3, points=POINTS, evaluation=SimpleNamespace(batch_size=4)
    )
    results = []
    for count in (1, 8):
        mesh = devices.local_mesh(count)
        run = SimpleNamespace(
            config=config,
            model=Reader(),
            params=devices.replicate(np.float32(2), mesh),
            space_groups=np.arange(GROUPS),
            step=0,
        )
        tables = devices.replicate(np.float32(0.5), mesh)
        results.append(
            answers.answer_synthetic(run, mesh, Partial(draw, scale=tables), 43)
        )
    (one, drawn), (eight, same) = results
    assert drawn == same
    np.testing.assert_array_equal(one.labels[0], eight.labels[0])
    assert len(one.labels[0]) == 43
    np.testing.assert_allclose(one.probabilities[0], eight.probabilities[0], atol=1e-5)


def check_that_known_crystals_have_the_same_patterns():
    names = ("halite", "quartz", "diamond", "corundum", "copper", "iron", "rutile")
    crystals = [gallery(name) for name in (*names, *names[:4])]
    simulation = Simulation(
        Diffractometer(two_theta_min_deg=20.0, two_theta_max_deg=60.0, points=501),
        chunk=1,
    )
    sizes = np.linspace(20, 100, len(crystals))
    one, eight = (
        patterns_of_structures(crystals, simulation, sizes, devices.local_mesh(count))
        for count in (1, 8)
    )
    assert (one.max(axis=1) == 1).all()
    np.testing.assert_allclose(eight, one, atol=1e-6)


if __name__ == "__main__":
    warnings.simplefilter("error")
    devices.start(cpu_devices=8)
    assert devices.global_mesh().size == 8
    check_that_a_batch_means_the_same()
    check_that_evaluation_draws_the_same_crystals()
    check_that_known_crystals_have_the_same_patterns()
    print("done")
