import numpy as np
from five_peaks import TWO_THETA, peaks

from xrdjax.measured.background import estimate_background


def test_a_straight_line_is_its_own_background():
    line = 100 + TWO_THETA
    # On the scale of the logarithms a straight line bends, so a little is clipped.
    background = estimate_background(TWO_THETA, line)
    inner = slice(25, -25)
    np.testing.assert_allclose(background[inner], line[inner], rtol=3e-3)


def test_peaks_are_no_background_and_background_no_peaks():
    slope = 200 * np.exp(-TWO_THETA / 30) + 30
    background = estimate_background(TWO_THETA, peaks(TWO_THETA) + slope)
    assert np.abs(background - slope)[25:-25].max() < 25
    assert np.abs(estimate_background(TWO_THETA, peaks(TWO_THETA))).max() < 1


def test_background_scales_with_the_intensity():
    y = peaks(TWO_THETA) + 50
    np.testing.assert_allclose(
        estimate_background(TWO_THETA, 7 * y), 7 * estimate_background(TWO_THETA, y)
    )
