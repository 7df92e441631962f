"""A measured pattern on even steps: means over steps, and what was measured."""

import numpy as np
import pytest

from xrdjax.errors import InputError
from xrdjax.measured.resampling import at_wavelength, average_onto

GRID = np.linspace(10, 70, 3001)


def bell(angles, place=30.0, width=0.1):
    return np.exp(-(((angles - place) / width) ** 2))


@pytest.mark.parametrize("step", [0.004, 0.01, 0.02, 0.05, 0.08])
def test_area_and_place_of_a_peak_do_not_depend_on_the_step(step):
    angles = np.arange(8, 72, step)
    values, mask = average_onto(angles, 500 * bell(angles), GRID)
    assert mask.all() and values.max() == 1
    mean = (values * GRID).sum() / values.sum()
    assert mean == pytest.approx(30.0, abs=1e-3)
    coarse = max(step, 0.02)
    spread = (values * (GRID - mean) ** 2).sum() / values.sum()
    assert spread == pytest.approx(0.1**2 / 2, abs=coarse**2 / 3)


def test_uneven_angles_and_noise_keep_their_mean():
    generator = np.random.default_rng(0)
    angles = np.sort(generator.uniform(9, 71, 20_000))
    values, mask = average_onto(angles, np.full(20_000, 3.0), GRID)
    np.testing.assert_allclose(values[mask], 1.0, rtol=1e-5)


def test_a_hole_and_what_lies_outside_were_not_measured():
    angles = np.arange(20, 60, 0.02)
    angles = angles[(angles < 40) | (angles > 42)]
    values, mask = average_onto(angles, 1 + bell(angles), GRID)
    expected = ((GRID >= 20) & (GRID <= angles[-1])) & ~((GRID > 40) & (GRID < 42))
    assert (mask != expected).sum() <= 4
    assert (values[~mask] == 0).all() and (values[mask] > 0.4).all()


def test_points_without_a_number_are_holes():
    angles = np.arange(10, 70, 0.02)
    intensity = 1 + bell(angles)
    intensity[(angles > 50) & (angles < 55)] = np.nan
    _, mask = average_onto(angles, intensity, GRID)
    assert not mask[(GRID > 50.1) & (GRID < 54.9)].any()
    assert mask[(GRID > 11) & (GRID < 49.9)].all()


def test_angles_of_another_wavelength_are_those_of_the_same_spacings():
    spacing = np.array([1.2, 2.0, 3.5])
    molybdenum = 2 * np.rad2deg(np.arcsin(0.7093 / 2 / spacing))
    copper = 2 * np.rad2deg(np.arcsin(1.5406 / 2 / spacing))
    np.testing.assert_allclose(at_wavelength(molybdenum, 0.7093, 1.5406), copper)
    assert np.isnan(at_wavelength(np.array([170.0]), 0.7093, 1.5406)).all()
    with pytest.raises(InputError, match="wavelength is -1.0 angstrom"):
        at_wavelength(copper, -1.0, 1.5406)


def test_too_little_and_nothing_are_refused():
    angles = np.arange(10, 20, 0.02)
    with pytest.raises(InputError, match="covers 17 % of 10 to 70 degrees"):
        average_onto(angles, bell(angles), GRID)
    angles = np.arange(10, 70, 0.02)
    with pytest.raises(InputError, match="zero everywhere"):
        average_onto(angles, np.zeros(len(angles)), GRID)
