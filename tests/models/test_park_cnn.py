"""Park's networks: their sizes, their formula, and their dropout in training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xrdjax.errors import InputError
from xrdjax.models.parameters import init_params, parameter_count, parameter_shapes
from xrdjax.models.park_cnn import LEAST_POINTS, SIZES, ParkCNN, park_cnn

POINTS = 800


def make(dropout=False, **changes):
    return ParkCNN(
        **{"outputs": 5, "width": 4, "hidden": (16, 8), "dropout": dropout} | changes
    )


@pytest.fixture(scope="module")
def params():
    return init_params(jax.random.key(0), make(), POINTS)


@pytest.fixture(scope="module")
def patterns():
    return jax.random.uniform(jax.random.key(1), (2, POINTS))


# By hand: 8501 points leave 9 of the last map, so that the small one has
# (100 + 1) 80 + 2 biases 80 + (50 + 25) 80^2 + (720 + 1) 700 + 701 70 + 71 145.
@pytest.mark.parametrize(
    ("size", "count"),
    [("small", 1_052_305), ("medium", 4_246_797), ("large", 6_391_705)],
)
def test_number_of_parameters_is_that_of_the_published_layers(size, count):
    model = park_cnn(size, 145, 8501)
    assert parameter_count(parameter_shapes(model, 8501)) == count


def _layer(x, kernel, bias, stride, window, step):
    """Convolution with TensorFlow's "same" padding, relu, mean pooling of [T, C]."""
    size, length = kernel.shape[0], -(-len(x) // stride)
    missing = max((length - 1) * stride + size - len(x), 0)
    x = np.pad(x, ((missing // 2, missing - missing // 2), (0, 0)))
    starts = range(0, length * stride, stride)
    x = np.array([np.einsum("kc,kcf->f", x[i : i + size], kernel) for i in starts])
    x = np.maximum(x + bias, 0)
    starts = range(0, len(x) - window + 1, step)
    return np.array([x[i : i + window].mean(0) for i in starts])


def test_logits_are_those_of_a_plain_numpy_network(params, patterns):
    logits = jax.jit(make().apply)({"params": params}, patterns)
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    for pattern, found in zip(np.asarray(patterns, np.float64), logits, strict=True):
        x = pattern[:, None]
        for i, stage in enumerate([(5, 3, 2), (5, 3, 3), (2, 3, 3)]):
            x = _layer(x, *map(params[f"Conv_{i}"].get, ("kernel", "bias")), *stage)
        x = x.ravel()
        for i in range(3):
            layer = params[f"Dense_{i}"]
            x = x @ layer["kernel"] + layer["bias"]
            x = x if i == 2 else np.maximum(x, 0)
        np.testing.assert_allclose(found, x, rtol=1e-3, atol=1e-5)


def test_dropout_changes_nothing_outside_of_training_nor_does_training_without_it(
    params, patterns
):
    expected = make().apply({"params": params}, patterns)
    found = make(dropout=True).apply({"params": params}, patterns)
    np.testing.assert_array_equal(found, expected)
    rngs = {"dropout": jax.random.key(3)}
    found = make().apply({"params": params}, patterns, train=True, rngs=rngs)
    np.testing.assert_array_equal(found, expected)


def test_dropout_depends_on_its_key_only_and_drops_the_published_shares(
    params, patterns
):
    model = make(dropout=True)
    # positive weights and inputs: what is zero has been dropped
    positive = jax.tree.map(jnp.abs, params)

    @jax.jit
    def run(key):
        logits, state = model.apply(
            {"params": positive},
            patterns,
            train=True,
            rngs={"dropout": key},
            capture_intermediates=True,
        )
        return logits, state["intermediates"]

    logits, maps = run(jax.random.key(3))
    np.testing.assert_array_equal(run(jax.random.key(3))[0], logits)
    assert np.any(run(jax.random.key(4))[0] != logits)
    sizes = [2 * 4 * 160, 2 * 4 * 16, 2 * 4 * 3, 2 * 16, 2 * 8]
    for i, (size, expected) in enumerate(
        zip(sizes, [0.3] * 3 + [0.5] * 2, strict=True)
    ):
        values = np.asarray(maps[f"Dropout_{i}"]["__call__"][0])
        assert values.size == size
        deviation = (expected * (1 - expected) / size) ** 0.5
        assert abs(np.mean(values == 0) - expected) < 4 * deviation


def test_gradients_are_finite_and_reach_every_layer(params, patterns):
    model = make(dropout=True)

    def loss(params):
        rngs = {"dropout": jax.random.key(3)}
        return jnp.sum(
            model.apply({"params": params}, patterns, train=True, rngs=rngs) ** 2
        )

    for leaf in jax.tree.leaves(jax.jit(jax.grad(loss))(params)):
        assert np.all(np.isfinite(leaf)) and np.any(leaf != 0)


def test_the_least_number_of_points_leaves_one_of_the_last_map():
    def flat(points):
        model = make()
        shapes = jax.eval_shape(
            lambda key: model.init(key, jnp.zeros((1, points))), jax.random.key(0)
        )
        return shapes["params"]["Dense_0"]["kernel"].shape[0] // model.width

    assert flat(LEAST_POINTS) == 1
    with pytest.raises(InputError, match="710 points are too few"):
        park_cnn("small", 5, LEAST_POINTS - 1)


def test_a_size_or_width_that_cannot_be_is_refused():
    with pytest.raises(InputError, match="size 'huge': choose small, medium, large"):
        park_cnn("huge", 5, 8501)
    with pytest.raises(InputError, match="the width is 0 channels"):
        park_cnn("small", 5, 8501, width=0)
    assert list(SIZES) == ["small", "medium", "large"]
