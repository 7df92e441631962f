"""Where zero, displacement and transparency put a line, against exact trigonometry."""

import jax.numpy as jnp
import numpy as np

from xrdjax.instrument.instrument import make_instrument
from xrdjax.instrument.shifts import largest_shift, line_shift, shift_of_u

TWO_THETA = np.radians(np.linspace(4.0, 150.0, 300))
SINE = jnp.asarray(np.sin(TWO_THETA / 2), jnp.float32)
COSINE = jnp.asarray(np.cos(TWO_THETA / 2), jnp.float32)


def test_each_shift_has_its_own_law():
    """A constant, -2 s / R cos(theta) and -sin(2 theta) / (2 mu R)."""
    laws = {
        "zero_deg": (0.1, np.full_like(TWO_THETA, np.radians(0.1))),
        "displacement": (5e-4, -2 * 5e-4 * np.cos(TWO_THETA / 2)),
        "transparency": (1e-3, -1e-3 * np.sin(TWO_THETA) / 2),
    }
    for name, (value, expected) in laws.items():
        found = line_shift(make_instrument(**{name: value}), SINE, COSINE)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8, err_msg=name)


def test_shifted_u_is_that_of_the_shifted_angle():
    for zero_deg in (-5.0, -0.1, 0.0, 0.02, 5.0):
        instrument = make_instrument(zero_deg=zero_deg, displacement=2e-4)
        shift = np.radians(zero_deg) - 4e-4 * np.cos(TWO_THETA / 2)
        expected = 2 * np.sin((TWO_THETA + shift) / 2) - 2 * np.sin(TWO_THETA / 2)
        found = shift_of_u(instrument, SINE, COSINE)
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-8)


def test_no_line_is_shifted_by_more_than_the_bound():
    instrument = make_instrument(zero_deg=-0.05, displacement=3e-4, transparency=1e-3)
    bound = float(largest_shift(instrument))
    assert 0.5 * bound < np.abs(line_shift(instrument, SINE, COSINE)).max() <= bound
    assert float(largest_shift(make_instrument())) == 0
