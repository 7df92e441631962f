"""From gradients to updates: schedules of the learning rate, Adam and Muon."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from peaks import adam

from xrdjax.models.parameters import init_params
from xrdjax.models.resnet import ResNet

RATE = 1e-3


@pytest.fixture(scope="module", autouse=True)
def standard_promotion():
    """optax raises floats to the power of counts."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def _optimizer(**changes):
    return adam(**({"learning_rate": RATE} | changes))


def _rates(count, **changes):
    """The learning rate of each step: Adam's step under a constant gradient."""
    optimizer = _optimizer(**changes)
    update = jax.jit(optimizer.update)
    state = optimizer.init(jnp.zeros(()))
    sizes = []
    for _ in range(count):
        step, state = update(jnp.ones(()), state)
        sizes.append(-float(step))
    return np.array(sizes)


def test_learning_rate_is_halved_every_so_many_steps():
    expected = RATE * np.array([1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25])
    np.testing.assert_allclose(_rates(8, halve_every_steps=3), expected, rtol=1e-4)


def test_a_cosine_falls_from_the_learning_rate_to_zero_at_the_last_step():
    rates = _rates(21, schedule="cosine", steps=20)
    expected = RATE * (1 + np.cos(np.pi * np.arange(21) / 20)) / 2
    np.testing.assert_allclose(rates, expected, rtol=1e-4, atol=1e-9)
    assert rates[20] == 0.0


def test_a_stable_rate_falls_to_zero_over_the_last_steps_only():
    stable = {"schedule": "stable_decay", "warmup_steps": 5, "decay_steps": 8}
    rates = _rates(21, **stable, steps=20)
    np.testing.assert_allclose(rates[:5], RATE * np.arange(5) / 5, rtol=1e-4)
    np.testing.assert_allclose(rates[5:13], RATE, rtol=1e-4)
    expected = RATE * (1 - np.sqrt(np.arange(9) / 8))
    np.testing.assert_allclose(rates[12:], expected, rtol=1e-4, atol=1e-9)
    # a longer run has the same rates until the shorter one falls
    np.testing.assert_array_equal(_rates(13, **stable, steps=30), rates[:13])


@pytest.mark.parametrize("schedule", ["halve", "cosine", "stable_decay"])
def test_warm_up_rises_linearly_from_zero_to_the_learning_rate(schedule):
    rates = _rates(6, schedule=schedule, warmup_steps=5, steps=20)
    np.testing.assert_allclose(rates, RATE * np.arange(6) / 5, rtol=1e-4)


def test_a_cosine_after_a_warm_up_falls_to_zero_at_the_last_step_too():
    rates = _rates(21, schedule="cosine", warmup_steps=5, steps=20)
    expected = RATE * (1 + np.cos(np.pi * np.arange(16) / 15)) / 2
    np.testing.assert_allclose(rates[5:], expected, rtol=1e-4, atol=1e-9)
    assert rates[20] == 0.0


def test_a_halving_after_a_warm_up_counts_from_its_end():
    rates = _rates(8, warmup_steps=2, halve_every_steps=3)
    expected = RATE * np.array([0, 0.5, 1, 1, 1, 0.5, 0.5, 0.5])
    np.testing.assert_allclose(rates, expected, rtol=1e-4)


@pytest.fixture(scope="module")
def params():
    """Of a small ResNet, with all kinds of parameters that the large ones have."""
    model = ResNet((1,), False, outputs=7, width=4, groups=2)
    return jax.jit(lambda key: init_params(key, model, 64))(jax.random.key(0))


def _gradients(params, seed):
    """Random ones; those of matrices have singular values from 1 to 1/10."""

    def gradient(i, leaf):
        rng = np.random.default_rng([seed, i])
        values = rng.standard_normal(leaf.shape)
        if leaf.ndim < 2:
            return jnp.asarray(values, jnp.float32)
        u, s, vt = np.linalg.svd(_matrix(values), full_matrices=False)
        values = (u * np.linspace(1, 0.1, len(s))) @ vt
        return jnp.asarray(values.reshape(leaf.shape), jnp.float32)

    leaves, tree = jax.tree.flatten(params)
    return jax.tree.unflatten(tree, [gradient(*pair) for pair in enumerate(leaves)])


def _matrix(kernel):
    """[..., O] with all that an output is a sum over as rows."""
    return np.asarray(kernel).reshape(-1, kernel.shape[-1])


def _updates(optimizer, params):
    """The updates of two steps."""
    update = jax.jit(optimizer.update)
    state, found = optimizer.init(params), []
    for seed in range(2):
        step, state = update(_gradients(params, seed), state, params)
        found.append(step)
    return found


def _is_matrix(leaf):
    return leaf.ndim >= 2 and leaf.shape[-2] > 1


EPS = 1e-2  # large, so that another value would show


@pytest.fixture(scope="module")
def muon(params):
    """Updates of two steps of Muon."""
    return _updates(_optimizer(kind="muon", b1=0.8, b2=0.99, eps=EPS), params)


def test_muon_makes_the_updates_of_kernels_orthogonal_and_of_one_size(params, muon):
    count = 0
    for updates in muon:
        for update in filter(_is_matrix, jax.tree.leaves(updates)):
            values = np.linalg.svd(_matrix(update), compute_uv=False)
            # An orthogonal m x n matrix has singular values of 1 and an RMS of
            # 1 / sqrt(max(m, n)). Five Newton-Schulz iterations end near 1 only:
            # Jordan et al. (2024) show 0.7 to 1.2.
            rms = values / np.sqrt(max(_matrix(update).shape)) / RATE
            assert 0.2 * 0.65 < rms.min() and rms.max() < 0.2 * 1.25
            count += 1
    kernels = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim >= 2]
    assert count == 2 * (len(kernels) - 1) > 0  # all but the first one-channel kernel
    assert {leaf.ndim for leaf in kernels} == {2, 3}


def test_muon_leaves_biases_norms_and_the_first_kernel_to_adam_with_nesterov(
    params, muon
):
    adam = optax.adam(RATE, b1=0.8, b2=0.99, eps=EPS, nesterov=True)
    count = 0
    for updates, expected in zip(muon, _updates(adam, params), strict=True):
        for update, wanted in zip(
            jax.tree.leaves(updates), jax.tree.leaves(expected), strict=True
        ):
            if not _is_matrix(update):
                np.testing.assert_allclose(update, wanted, rtol=1e-5, atol=1e-9)
                count += 1
    assert count > 2 * 4


def test_both_halves_of_muon_follow_the_schedule():
    params = {"kernel": jnp.zeros((3, 2, 5)), "bias": jnp.zeros(5)}
    gradients = _gradients(params, 0)

    def sizes(**changes):
        optimizer = _optimizer(kind="muon", **changes)
        state = optimizer.init(params)
        update = jax.jit(optimizer.update)
        for _ in range(3):
            step, state = update(gradients, state, params)
        return [float(jnp.linalg.norm(leaf)) for leaf in jax.tree.leaves(step)]

    plain = np.array(sizes())
    np.testing.assert_allclose(sizes(halve_every_steps=2), plain / 2, rtol=1e-4)
    warm = sizes(schedule="cosine", warmup_steps=8)
    np.testing.assert_allclose(warm, plain / 4, rtol=1e-4)
