import jax
import jax.numpy as jnp
import numpy as np

from xrdjax.models.preprocess import lift_weak_lines, preprocess


def test_input_is_the_square_root_of_the_pattern():
    patterns = np.linspace(0, 1, 20, dtype=np.float32).reshape(2, 10)
    np.testing.assert_allclose(preprocess(patterns) ** 2, patterns, rtol=1e-6)


def test_subtracted_background_below_zero_becomes_zero():
    np.testing.assert_array_equal(preprocess(jnp.array([-0.5, 0.0])), [0, 0])


def test_a_broken_pattern_is_not_mistaken_for_an_empty_one():
    assert np.isnan(preprocess(jnp.array([jnp.nan]))).all()


def test_gradient_is_finite_where_the_intensity_is_zero():
    gradient = jax.grad(lambda x: preprocess(x).sum())(jnp.array([0.0, 0.25]))
    np.testing.assert_allclose(gradient, [0, 1])


def test_lifted_channels_are_roots_of_the_intensity_and_a_logarithm():
    channels = lift_weak_lines(preprocess(jnp.array([0.0, 1e-6, 1.0])))
    expected = [[0, 0, 0], [0.005, 0.079057, 0.433217], [5, 2.5, 2.502094]]
    np.testing.assert_allclose(channels, expected, rtol=1e-5)


def test_gradients_of_the_lifted_channels_are_finite_where_the_intensity_is_zero():
    def total(intensity):
        return lift_weak_lines(preprocess(intensity)).sum()

    gradient = jax.jit(jax.grad(total))(jnp.array([-1.0, 0.0, 1e-12, 1.0]))
    assert np.isfinite(gradient).all()
