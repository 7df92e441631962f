import jax
import jax.numpy as jnp
import numpy as np

from xrdjax.models.preprocess import preprocess


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
