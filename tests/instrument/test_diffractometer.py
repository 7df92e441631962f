import dataclasses
import math

import numpy as np
import pytest

from xrdjax.errors import InputError
from xrdjax.instrument.diffractometer import PAPER_DIFFRACTOMETER, Diffractometer


def test_measurement_of_the_paper_has_8501_points_a_hundredth_of_a_degree_apart():
    angles = PAPER_DIFFRACTOMETER.two_theta_deg
    assert PAPER_DIFFRACTOMETER.wavelength == 1.5406
    assert angles.dtype == np.float64
    np.testing.assert_allclose(angles, 5 + 0.01 * np.arange(8501), rtol=0, atol=1e-10)


def test_both_ends_of_the_range_are_points_of_the_grid():
    angles = Diffractometer(0.7093, 3.0, 47.5, 123).two_theta_deg
    assert (angles[0], angles[-1], len(angles)) == (3.0, 47.5, 123)


def test_range_of_s_follows_from_braggs_law():
    diffractometer = Diffractometer(0.7093, 3.0, 47.5, 123)
    for s, angle in zip(diffractometer.s_range, (3.0, 47.5), strict=True):
        # lambda = 2 d sin(theta)
        assert 2 / s * math.sin(math.radians(angle / 2)) == pytest.approx(0.7093)


def test_equal_measurements_are_one_static_argument():
    one, other = Diffractometer(1.0, 5.0, 50.0, 10), Diffractometer(1.0, 5.0, 50.0, 10)
    assert one == other and hash(one) == hash(other)
    assert one != Diffractometer(1.0, 5.0, 50.0, 11)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.points = 11


@pytest.mark.parametrize("wavelength", [0.0, -1.5406, math.nan, math.inf])
def test_a_wavelength_that_cannot_be_is_refused(wavelength):
    with pytest.raises(InputError, match=r"wavelength is \S+ angstrom: expected a pos"):
        Diffractometer(wavelength)


@pytest.mark.parametrize(
    "ends",
    [(90.0, 5.0), (5.0, 5.0), (0.0, 90.0), (-5.0, 90.0), (5.0, 180.0), (5.0, math.nan)],
)
def test_a_range_that_cannot_be_is_refused(ends):
    with pytest.raises(InputError, match="2 theta range is .* degrees: expected"):
        Diffractometer(1.5406, *ends)


@pytest.mark.parametrize("points", [1, 0, -8501])
def test_a_grid_without_two_points_is_refused(points):
    with pytest.raises(InputError, match=f"grid has {points} points: expected at"):
        Diffractometer(points=points)
