import dataclasses
import math

import numpy as np
import pytest

from xrdjax.errors import InputError
from xrdjax.instrument.grid import PAPER_GRID, TwoThetaGrid


def test_the_papers_grid_has_8501_points_a_hundredth_of_a_degree_apart():
    angles = PAPER_GRID.two_theta_deg
    assert angles.dtype == np.float64
    np.testing.assert_allclose(angles, 5 + 0.01 * np.arange(8501), rtol=0, atol=1e-10)


def test_both_ends_of_the_range_are_points_of_the_grid():
    angles = TwoThetaGrid(3.0, 47.5, 123).two_theta_deg
    assert (angles[0], angles[-1], len(angles)) == (3.0, 47.5, 123)


def test_in_log_sin_theta_a_larger_cell_shifts_all_lines_alike():
    """sin(theta) = wavelength / (2 d), so log sin(theta) = -log d + constant."""
    angles = TwoThetaGrid(5.0, 90.0, 2126, "log_sin_theta").two_theta_deg
    assert (angles[0], angles[-1], len(angles)) == (5.0, 90.0, 2126)
    steps = np.diff(np.log(np.sin(np.deg2rad(angles) / 2)))
    np.testing.assert_allclose(steps, steps[0], rtol=1e-9)


def test_range_of_u_follows_from_braggs_law():
    """lambda = 2 d sin(theta), so that lambda / d = 2 sin(theta) = u."""
    grid = TwoThetaGrid(3.0, 47.5, 123)
    ends = zip(grid.u_range, grid.u_limits, (3.0, 47.5), strict=True)
    for u, limit, angle in ends:
        assert u == pytest.approx(2 * math.sin(math.radians(angle / 2)), rel=1e-14)
        assert limit == pytest.approx(u, rel=2e-6)
    assert grid.u_limits[0] < grid.u_range[0] < grid.u_range[1] < grid.u_limits[1]


def test_equal_grids_are_one_static_argument():
    one, other = TwoThetaGrid(5.0, 50.0, 10), TwoThetaGrid(5.0, 50.0, 10)
    assert one == other and hash(one) == hash(other)
    assert one != TwoThetaGrid(5.0, 50.0, 11)
    assert one != TwoThetaGrid(5.0, 50.0, 10, "log_sin_theta")
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.points = 11


@pytest.mark.parametrize(
    "ends",
    [(90.0, 5.0), (5.0, 5.0), (0.0, 90.0), (-5.0, 90.0), (5.0, 180.0), (5.0, math.nan)],
)
def test_a_range_that_does_not_exist_is_refused(ends):
    with pytest.raises(InputError, match="2 theta range is .* degrees: expected"):
        TwoThetaGrid(*ends)


@pytest.mark.parametrize("points", [1, 0, -8501])
def test_a_grid_of_fewer_than_two_points_is_refused(points):
    with pytest.raises(InputError, match=f"grid has {points} points: expected at"):
        TwoThetaGrid(points=points)


def test_an_unknown_spacing_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="'even': expected two_theta or log_sin_theta"):
        TwoThetaGrid(spacing="even")
