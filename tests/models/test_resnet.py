import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xrdjax.errors import InputError
from xrdjax.models.parameters import init_params, parameter_count, parameter_shapes
from xrdjax.models.resnet import PAPER, Parts, ResNet, resnet

FAST = Parts("sqrt_fourth_root_log", "none", "patch", "rms_relu")


@pytest.fixture(scope="module")
def small():
    """A network of two stages, its parameters and four patterns."""
    model = ResNet((1, 1), False, outputs=3, width=4, groups=2)
    patterns = jax.random.uniform(jax.random.key(1), (4, 128))
    return model, init_params(jax.random.key(0), model, 128), patterns


def _shapes(size, points=8501, outputs=145):
    return parameter_shapes(resnet(size, outputs), points)


# The paper gives 9.4, 41.4 and 60.4 million for 10, 50 and 101.
@pytest.mark.parametrize(
    ("size", "count"),
    [
        (10, 9_395_025),
        (18, 15_665_745),
        (34, 25_773_905),
        (50, 41_362_385),
        (101, 60_354_513),
    ],
)
def test_number_of_parameters_is_that_of_the_paper(size, count):
    assert parameter_count(_shapes(size)) == count


def test_last_map_has_a_point_for_every_256_of_the_pattern():
    # Stem and pooling halve, three stages quarter, each rounded up:
    # 8501, 4251, 2126, 532, 133, 34.
    assert _shapes(10)["Dense_0"]["kernel"].shape == (34 * 512, 256)
    assert _shapes(50)["Dense_0"]["kernel"].shape == (34 * 2048, 256)


def test_parts_have_the_shapes_that_they_are_named_for():
    parts = dataclasses.replace(FAST, widths=(16, 32, 96, 192))
    shapes = parameter_shapes(resnet(10, 100, 16, 8, parts=parts), 2126)
    assert not any("GroupNorm" in name for name in shapes)
    assert shapes["Conv_0"]["kernel"].shape == (12, 3, 16)
    for name in shapes:
        assert ("bias" in shapes[name]) == (not name.startswith("RMSNorm"))
    # a quarter of the points each, rounded up: 2126, 532, 133, 34, 9
    assert shapes["Dense_0"]["kernel"].shape == (9 * 192, 256)
    assert shapes["RMSNorm_0"]["scale"].shape == (256,)


def test_kernels_are_independent_normals_of_variance_one_over_fan_in(small):
    _, params, _ = small
    kernels = [np.asarray(leaf) for leaf in jax.tree.leaves(params) if leaf.ndim > 1]
    for kernel in kernels:
        fan_in = kernel[..., 0].size
        normal = kernel * fan_in**0.5
        assert abs(normal.std() - 1) < 4 / kernel.size**0.5
        assert np.abs(normal).max() < 2.28  # cut off at 2 / 0.88
    firsts = np.concatenate([kernel.ravel()[:16] for kernel in kernels])
    assert len(np.unique(firsts)) == len(firsts)


def test_initial_normalisations_and_biases_change_nothing(small):
    _, params, _ = small
    for path, leaf in jax.tree.leaves_with_path(params):
        if leaf.ndim == 1:
            assert (np.asarray(leaf) == (path[-1].key == "scale")).all()


def _conv(x, kernel, stride=1):
    """Convolution of [T, C] with [k, C, F], padded as TensorFlow's "same"."""
    size = kernel.shape[0]
    length = -(-len(x) // stride)
    missing = max((length - 1) * stride + size - len(x), 0)
    x = np.pad(x, ((missing // 2, missing - missing // 2), (0, 0)))
    return np.stack(
        [
            np.einsum("kc,kcf->f", x[i * stride : i * stride + size], kernel)
            for i in range(length)
        ]
    )


def _norm(x, params, groups):
    parts = x.reshape(len(x), groups, -1)
    mean = parts.mean((0, 2), keepdims=True)
    variance = parts.var((0, 2), keepdims=True)
    normal = ((parts - mean) / np.sqrt(variance + 1e-3)).reshape(x.shape)
    return normal * params["scale"] + params["bias"]


def _pool(x):
    """Maximum of three points with a stride of two, padded as TensorFlow's "same"."""
    length = -(-len(x) // 2)
    missing = (length - 1) * 2 + 3 - len(x)
    x = np.pad(
        x,
        ((missing // 2, missing - missing // 2), (0, 0)),
        constant_values=-np.inf,
    )
    return np.stack([x[2 * i : 2 * i + 3].max(0) for i in range(length)])


def _reference(params, pattern, groups, kernels, stages, parts):
    """The network in NumPy, written from the paper; layers in order of use."""
    conv = iter(range(1000))
    norm = iter(range(1000))

    def layer(x, stride=1):
        values = params[f"Conv_{next(conv)}"]
        x = _conv(x, values["kernel"], stride)
        if parts.norm == "none":
            return x + values["bias"]
        return _norm(x, params[f"GroupNorm_{next(norm)}"], groups)

    if parts is PAPER:
        x = _pool(np.maximum(layer(pattern[:, None], 2), 0))
    else:
        channels = 5 * pattern, 2.5 * pattern**0.5, 5 / 16 * np.log(1 + 3000 * pattern)
        x = np.maximum(layer(np.stack(channels, axis=-1), 4), 0)
    for stage, blocks in enumerate(stages):
        for block in range(blocks):
            stride = 4 if stage and not block else 1
            residual = x if block else layer(x, stride)
            # The convolution of nine points that comes first takes the stride.
            first = kernels.index(9)
            for i in range(len(kernels)):
                x = layer(x, stride if i == first else 1)
                x = np.maximum(x, 0) if i < len(kernels) - 1 else x
            x = np.maximum(x + residual, 0)
    for dense in ("Dense_0", "Dense_1"):
        x = x.reshape(-1) @ params[dense]["kernel"] + params[dense]["bias"]
        if dense == "Dense_0" and parts.head == "rms_relu":
            scale = params["RMSNorm_0"]["scale"] / np.sqrt(np.mean(x**2) + 1e-6)
            x = np.maximum(x * scale, 0)
    return x


@pytest.mark.parametrize(
    ("bottleneck", "kernels", "parts"),
    [(False, (9, 9), PAPER), (True, (1, 9, 1), PAPER), (False, (9, 9), FAST)],
)
def test_logits_are_those_of_a_plain_numpy_network(bottleneck, kernels, parts):
    stages = (1, 2)
    model = ResNet(stages, bottleneck, outputs=5, width=4, groups=2, parts=parts)
    patterns = jax.random.uniform(jax.random.key(1), (2, 301))
    params = init_params(jax.random.key(0), model, 301)
    logits = jax.jit(model.apply)({"params": params}, patterns)
    params = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
    for i in range(2):
        pattern = np.asarray(patterns[i], np.float64)
        expected = _reference(params, pattern, 2, kernels, stages, parts)
        np.testing.assert_allclose(logits[i], expected, rtol=1e-3, atol=1e-4)


def test_logits_of_a_pattern_do_not_depend_on_its_batch(small):
    model, params, patterns = small
    apply = jax.jit(model.apply)
    alone = apply({"params": params}, patterns[1:2])
    together = apply({"params": params}, patterns)[1:2]
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-6)


def test_bfloat16_computes_close_to_float32_with_the_same_float32_parameters(small):
    model, params, patterns = small
    coarse = model.copy(dtype=jnp.bfloat16)
    with jax.numpy_dtype_promotion("standard"):  # flax's norms count on it
        shapes = parameter_shapes(coarse, 128)
        logits = jax.jit(coarse.apply)({"params": params}, patterns)
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}
    expected = jax.jit(model.apply)({"params": params}, patterns)
    assert logits.dtype == jnp.float32
    assert 1e-5 < jnp.abs(logits - expected).max() < 0.1 * jnp.abs(expected).max()


@pytest.mark.parametrize("parts", [PAPER, FAST])
def test_gradients_are_finite_for_an_empty_pattern(parts):
    model = ResNet((1, 1), False, outputs=3, width=4, groups=2, parts=parts)
    params = init_params(jax.random.key(0), model, 128)

    def loss(params):
        return (model.apply({"params": params}, jnp.zeros((2, 128))) ** 2).sum()

    for leaf in jax.tree.leaves(jax.jit(jax.grad(loss))(params)):
        assert np.isfinite(leaf).all()


def test_an_unknown_size_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="ResNet-11: choose 10, 18, 34, 50 or 101"):
        resnet(11, outputs=3)


def test_groups_that_do_not_divide_the_width_are_refused():
    with pytest.raises(InputError, match="32 groups do not divide a width of 48"):
        resnet(10, outputs=3, width=48)


def test_widths_of_other_than_four_stages_in_groups_are_refused():
    for widths, message in (
        ((16, 32, 64), "expected one for each of the 4 stages"),
        ((16, 32, 64, 100), "8 groups do not divide a width of 100"),
    ):
        with pytest.raises(InputError, match=message):
            resnet(10, 3, 16, 8, parts=Parts(widths=widths))
