import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xrdjax.ops.safe import safe_divide, safe_log, safe_reciprocal, safe_sqrt


def _quotient(x):
    return safe_divide(jnp.float32(3.0) if isinstance(x, jax.Array) else 3.0, x)


# Each function of one argument: the plain one, its value out of the domain, and a
# point there.
FUNCTIONS = {
    safe_sqrt: (np.sqrt, 0.0, (0.0, -2.0)),
    safe_log: (np.log, -np.inf, (0.0, -2.0)),
    safe_reciprocal: (lambda x: 1 / x, 0.0, (0.0,)),
    _quotient: (lambda x: 3 * (1 / x), 0.0, (0.0,)),
}
EVERY = pytest.mark.parametrize("function", FUNCTIONS)


@EVERY
def test_inside_the_domain_values_are_those_of_the_plain_function(function):
    x = np.geomspace(1e-30, 1e30, 50)
    plain = FUNCTIONS[function][0]
    np.testing.assert_allclose(function(x), plain(x), rtol=1e-15)
    x = x.astype(np.float32)
    np.testing.assert_allclose(jax.jit(function)(x), plain(x), rtol=1e-6)


@EVERY
def test_outside_the_domain_the_value_is_constant_and_its_gradient_zero(function):
    _, value, points = FUNCTIONS[function]
    for point in points:
        assert function(np.array([point]))[0] == value
        result, gradient = jax.jit(jax.value_and_grad(function))(jnp.float32(point))
        assert result == value
        assert gradient == 0


@EVERY
def test_gradients_of_a_batch_are_finite_whatever_its_members(function):
    x = jnp.array([-2.0, -0.0, 0.0, 1e-12, 0.5, 4.0])
    assert np.isfinite(jax.vmap(jax.jit(jax.grad(function)))(x)).all()


@EVERY
def test_nan_stays_nan(function):
    assert np.isnan(function(np.array([np.nan])))
    assert np.isnan(jax.jit(function)(jnp.array([jnp.nan])))


def test_both_arguments_of_a_quotient_have_the_gradients_of_calculus():
    by_numerator, by_denominator = jax.grad(safe_divide, argnums=(0, 1))(3.0, 4.0)
    assert by_numerator == pytest.approx(1 / 4)
    assert by_denominator == pytest.approx(-3 / 16)
    assert jax.grad(safe_divide, argnums=(0, 1))(3.0, 0.0) == (0.0, 0.0)


def test_numpy_stays_in_double_precision_and_jax_in_single():
    for function in (safe_sqrt, safe_log, safe_reciprocal):
        assert function(np.array([2.0])).dtype == np.float64
        assert isinstance(function(jnp.array([2.0])), jax.Array)
        assert function(jnp.array([2.0])).dtype == jnp.float32
