"""The convolution for the CPU against XLA's own, values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from xrdjax.models.convolution import (
    conv_general_dilated,
    convolution_of_backend,
    convolve_in_blocks,
    patch_product,
)


def _xla(x, kernel, strides, padding):
    return lax.conv_general_dilated(
        x, kernel, strides, padding, dimension_numbers=("NWC", "WIO", "NWC")
    )


@pytest.mark.parametrize(
    ("width", "size", "stride", "padding"),
    [
        (40, 9, 1, "SAME"),
        (41, 7, 2, "SAME"),
        (43, 9, 4, "SAME"),
        (43, 1, 4, "SAME"),
        (39, 4, 2, "VALID"),
        (40, 9, 4, [(3, 1)]),
        (141, 100, 5, "SAME"),
    ],
)
def test_values_and_gradients_are_those_of_xla(width, size, stride, padding):
    rng = np.random.default_rng(width + size)
    x = jnp.asarray(rng.standard_normal((2, width, 3)), jnp.float32)
    kernel = jnp.asarray(rng.standard_normal((size, 3, 5)), jnp.float32)

    @jax.jit
    def values_and_gradients(x, kernel):
        """Of XLA's and our ways, each with the gradients of one weighted sum."""
        found = []
        for convolve in (_xla, conv_general_dilated, convolve_in_blocks):
            value, pull = jax.vjp(
                lambda x, kernel: convolve(x, kernel, (stride,), padding),  # noqa: B023
                x,
                kernel,
            )
            weights = jnp.cos(jnp.arange(float(value.size))).reshape(value.shape)
            found.append((value, *pull(weights)))
        return found

    expected, *others = values_and_gradients(x, kernel)
    for found in others:
        for got, wanted in zip(found, expected, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


def test_a_product_of_patches_is_a_convolution():
    rng = np.random.default_rng(0)
    kernel = jnp.asarray(rng.standard_normal((12, 3, 5)), jnp.float32)
    for width in (40, 41, 42, 43):
        x = jnp.asarray(rng.standard_normal((2, width, 3)), jnp.float32)
        value = patch_product(x, kernel, (4,), "SAME")
        expected = _xla(x, kernel, (4,), "SAME")
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-5)


def test_the_cpu_gets_the_convolution_that_is_fast_in_loops():
    on_cpu = jax.default_backend() == "cpu"
    assert (convolution_of_backend() is conv_general_dilated) == on_cpu


def test_a_loop_over_gradient_steps_gives_what_the_steps_give():
    x = jax.random.normal(jax.random.key(0), (2, 32, 3))
    kernel = jax.random.normal(jax.random.key(1), (9, 3, 3))

    @jax.jit
    def step(kernel):
        def loss(kernel):
            return jnp.mean(conv_general_dilated(x, kernel, (1,), "SAME") ** 2)

        return kernel - 0.1 * jax.grad(loss)(kernel)

    looped = jax.jit(lambda k: lax.fori_loop(0, 3, lambda _, k: step(k), k))(kernel)
    np.testing.assert_allclose(looped, step(step(step(kernel))), rtol=1e-4, atol=1e-6)
