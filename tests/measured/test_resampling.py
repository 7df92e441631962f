import numpy as np
import pytest
from five_peaks import TWO_THETA, peaks

from xrdjax.errors import InputError
from xrdjax.measured.resampling import measured_share, resample


def test_resampling_on_its_own_grid_only_divides_by_the_maximum():
    y = peaks(TWO_THETA)
    pattern = resample(TWO_THETA, y, TWO_THETA)
    assert pattern.dtype == np.float32 and pattern.max() == 1
    np.testing.assert_allclose(pattern, y / y.max(), atol=1e-7)


def test_a_coarse_pattern_is_interpolated_linearly():
    grid = np.linspace(5, 90, 1701)
    y = TWO_THETA**2
    pattern = resample(TWO_THETA, y, grid)
    middle = (y[:-1] + y[1:]) / 2
    np.testing.assert_allclose(pattern[1::2], middle / y.max(), rtol=1e-6)


def test_where_nothing_was_measured_the_pattern_is_zero():
    kept = (TWO_THETA > 10) & (TWO_THETA < 70)
    pattern = resample(TWO_THETA[kept], peaks(TWO_THETA)[kept] + 9, TWO_THETA)
    assert not pattern[~kept].any() and pattern[kept].all()


def test_subtraction_removes_a_constant():
    plain = resample(TWO_THETA, peaks(TWO_THETA), TWO_THETA)
    raised = peaks(TWO_THETA) + 100
    pattern = resample(TWO_THETA, raised, TWO_THETA, subtract_background=True)
    assert pattern.min() == 0
    np.testing.assert_allclose(pattern, plain, atol=0.02)


def test_a_background_is_subtracted_on_uneven_points_too():
    grid = np.geomspace(5, 90, 900)
    raised = peaks(TWO_THETA) + 100 + TWO_THETA
    pattern = resample(TWO_THETA, raised, grid, subtract_background=True)
    plain = resample(TWO_THETA, peaks(TWO_THETA), grid)
    np.testing.assert_allclose(pattern, plain, atol=0.03)


def test_too_little_of_the_grid_is_refused():
    kept = TWO_THETA < 40
    with pytest.raises(InputError, match="at least half"):
        resample(TWO_THETA[kept], peaks(TWO_THETA)[kept], TWO_THETA)


def test_the_share_that_was_measured_is_of_degrees_whatever_the_points():
    for grid in (TWO_THETA, np.geomspace(5, 90, 100)):
        for first, last, share in (
            (22, 90, 0.8),
            (0, 180, 1),
            (0, 22, 0.2),
            (91, 99, 0),
        ):
            measured = np.array([first, last], float)
            assert measured_share(measured, grid) == pytest.approx(share)
    kept = TWO_THETA > 30  # most of the points, but not of the degrees, are below
    resample(TWO_THETA[kept], peaks(TWO_THETA)[kept], np.geomspace(5, 90, 100))


def test_a_pattern_that_is_zero_on_the_grid_is_refused():
    wide = np.linspace(0, 120, 1201)
    with pytest.raises(InputError, match="zero everywhere"):
        resample(wide, (wide > 100).astype(float), TWO_THETA)


def test_a_pattern_of_background_alone_is_refused():
    constant = np.full_like(TWO_THETA, 2.0)
    with pytest.raises(InputError, match="nothing but background"):
        resample(TWO_THETA, constant, TWO_THETA, subtract_background=True)
    assert (resample(TWO_THETA, constant, TWO_THETA) == 1).all()


def test_noise_on_a_sloping_background_hides_no_peak():
    rng = np.random.default_rng(0)
    slope = 200 * np.exp(-TWO_THETA / 30) + 50
    counts = rng.poisson(peaks(TWO_THETA) + slope).astype(float)
    pattern = resample(TWO_THETA, counts, TWO_THETA, subtract_background=True)
    expected = peaks(TWO_THETA) / 1e3
    # a standard deviation is 0.035 on top of a peak and 0.015 at low angles
    np.testing.assert_allclose(pattern, expected, atol=0.15)
    assert np.median(pattern) < 0.02


def test_measured_minerals_lose_their_background_and_keep_their_peaks(shared_data):
    with np.load(shared_data / "rruff_patterns.npz") as data:
        two_theta, measured = data["two_theta_deg"], data["intensity"][::40]
    for intensity in measured.astype(float):
        pattern = resample(two_theta, intensity, two_theta, subtract_background=True)
        # peaks cover less than half of a pattern, so its median is background
        assert np.median(pattern) < 0.6 * np.median(intensity / intensity.max())
        assert pattern.argmax() == intensity.argmax()
