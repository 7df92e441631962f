import jax
import jax.numpy as jnp
import numpy as np

from xrdjax.diffraction.intensities import (
    line_intensities,
    lorentz_polarization,
    lorentz_polarization_of_sine,
)


def test_both_forms_of_the_lorentz_polarization_factor_agree():
    theta = np.radians(np.linspace(0.5, 85, 400))
    exact = (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
    angles = jnp.asarray(theta, jnp.float32)
    np.testing.assert_allclose(lorentz_polarization(angles), exact, rtol=3e-6)
    sines = jnp.asarray(np.sin(theta), jnp.float32)
    np.testing.assert_allclose(lorentz_polarization_of_sine(sines), exact, rtol=1e-5)


def test_lorentz_polarization_factor_where_its_cosines_are_known():
    """Worked: 1.25 / (1/4 sqrt(3)/2), 1 / (1/2 sqrt(1/2)) and 1.25 / (3/4 1/2)."""
    factors = lorentz_polarization(jnp.deg2rad(jnp.array([30.0, 45.0, 60.0])))
    expected = [10 / np.sqrt(3), 2 * np.sqrt(2), 10 / 3]
    np.testing.assert_allclose(factors, expected, rtol=1e-6)


def test_intensity_is_the_product_of_multiplicity_square_and_factor():
    """Worked: theta = 30 degrees, where sin = 1/2 and LP = 1.25 / (sqrt(3) / 8)."""
    intensity = line_intensities(
        jnp.array([24.0]), jnp.array([9.0]), jnp.array([0.5]), wavelength=2.0
    )
    np.testing.assert_allclose(intensity, [24 * 9 * 10 / np.sqrt(3)], rtol=1e-6)


def test_padding_has_no_intensity_and_no_gradient():
    def total(squared, s):
        return line_intensities(jnp.array([2.0, 0.0, 0.0]), squared, s, 1.5).sum()

    # s = 0, as padding has, and an s that no angle reaches
    squared, s = jnp.array([3.0, 1e6, 1e6]), jnp.array([0.4, 0.0, 1e4])
    by_square, by_s = jax.grad(total, argnums=(0, 1))(squared, s)
    assert total(squared, s) == total(jnp.array([3.0, 0.0, 0.0]), s)
    assert by_square[0] > 0 and by_s[0] < 0
    np.testing.assert_array_equal(by_square[1:], 0)
    np.testing.assert_array_equal(by_s[1:], 0)
