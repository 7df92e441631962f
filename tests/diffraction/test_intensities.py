import jax.numpy as jnp
import numpy as np

from xrdjax.diffraction.intensities import lorentz_polarization, relative_height


def test_lorentz_polarization_factor_is_that_of_the_textbook():
    theta = np.radians(np.linspace(0.5, 85, 400))
    exact = (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
    sines = jnp.asarray(np.sin(theta), jnp.float32)
    np.testing.assert_allclose(lorentz_polarization(sines), exact, rtol=1e-5)


def test_lorentz_polarization_factor_where_its_cosines_are_known():
    """Worked: 1.25 / (1/4 sqrt(3)/2), 1 / (1/2 sqrt(1/2)) and 1.25 / (3/4 1/2)."""
    factors = lorentz_polarization(jnp.sqrt(jnp.array([1.0, 2.0, 3.0])) / 2)
    expected = [10 / np.sqrt(3), 2 * np.sqrt(2), 10 / 3]
    np.testing.assert_allclose(factors, expected, rtol=1e-6)


def test_relative_height_is_the_factor_times_the_cosine():
    sines = jnp.linspace(0.01, 0.99, 200)
    expected = lorentz_polarization(sines) * jnp.sqrt(1 - sines**2)
    np.testing.assert_allclose(relative_height(sines), expected, rtol=1e-5)
