"""Least squares against a closed form and from a bad start."""

import jax.numpy as jnp
import numpy as np

from xrdjax.ops.marquardt import least_squares


def test_a_straight_line_is_that_of_the_normal_equations():
    x = np.linspace(-1, 1, 200)
    y = 3 + 2 * x + np.random.default_rng(0).normal(0, 0.1, 200)
    fit = least_squares(
        lambda p: (p["level"] + p["slope"] * jnp.float32(x) - jnp.float32(y)) / 0.1,
        {"level": np.float32(0), "slope": np.float32(0)},
    )
    design = np.stack([np.ones(200), x], axis=1)
    best, left, *_ = np.linalg.lstsq(design, y)
    variance = np.linalg.inv(design.T @ design) * left[0] / 198
    found = [fit.parameters["level"], fit.parameters["slope"]]
    np.testing.assert_allclose(found, best, atol=1e-4)
    errors = [fit.errors["level"], fit.errors["slope"]]
    np.testing.assert_allclose(errors, np.sqrt(np.diag(variance)), rtol=1e-3)


def test_a_curved_valley_and_an_idle_parameter():
    """Rosenbrock's function, whose minimum is at (1, 1)."""

    def residuals(p):
        return jnp.stack([10 * (p[1] - p[0] ** 2), 1 - p[0], 0.0 * p[2]])

    fit = least_squares(residuals, np.float32([-1.2, 1.0, 7.0]), steps=200)
    np.testing.assert_allclose(fit.parameters, [1, 1, 7], atol=1e-3)
