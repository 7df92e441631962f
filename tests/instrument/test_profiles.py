"""Peaks against Gaussians summed in float64, Scherrer's formula and the law of areas."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import powder

from xrdjax.errors import InputError
from xrdjax.instrument.diffractometer import PAPER_DIFFRACTOMETER, Diffractometer
from xrdjax.instrument.profiles import (
    add_lines,
    broaden,
    line_heights,
    normalise,
    profile_grid,
    scherrer_sigma,
)

MO_K_ALPHA = 0.7093  # angstrom
GRIDS = {
    "of the paper": PAPER_DIFFRACTOMETER,
    "for molybdenum": Diffractometer(MO_K_ALPHA, 3.0, 50.0, 4701),
    "with wide steps": Diffractometer(1.5406, 10.0, 80.0, 701),
    "of one degree": Diffractometer(1.5406, 30.0, 31.0, 501),
    "at high angles": Diffractometer(1.5406, 60.0, 140.0, 4001),
}
NARROW = Diffractometer(1.5406, 20.0, 80.0, 3001)


def s_of(two_theta_deg, diffractometer=PAPER_DIFFRACTOMETER) -> np.ndarray:
    """1/d in the precision of the package."""
    sine = np.sin(np.radians(two_theta_deg) / 2)
    return np.float32(2 * sine / diffractometer.wavelength)


def two_theta_of(s, diffractometer=PAPER_DIFFRACTOMETER) -> np.ndarray:
    return 2 * np.degrees(np.arcsin(s.astype(float) * diffractometer.wavelength / 2))


@functools.partial(jax.jit, static_argnames=("wavelength",))
def profile(s, intensities, size_nm, grid, wavelength=1.5406):
    """Of lines with given integrated intensities, not normalised."""
    heights = line_heights(intensities, s, wavelength)
    comb = add_lines(jnp.zeros_like(grid.skew), s, heights, grid)
    return broaden(comb, scherrer_sigma(size_nm), grid)


def random_lines(diffractometer: Diffractometer, count: int, seed: int):
    """s [H] and intensities [H]; some lines are near the ends of the range."""
    rng = np.random.default_rng(seed)
    low, high = diffractometer.two_theta_min_deg, diffractometer.two_theta_max_deg
    angles = rng.uniform(low, high, count)
    angles[:4] = low + 0.01, low + 0.2, high - 0.2, high - 0.01
    intensities = 10 ** rng.uniform(-3, 0, count)
    intensities[:4] = 1.0
    return s_of(angles, diffractometer), intensities.astype(np.float32)


@pytest.mark.parametrize("count", [8, 300])
@pytest.mark.parametrize("name", GRIDS)
def test_profile_is_the_sum_of_gaussians_in_2_theta(name, count):
    diffractometer = GRIDS[name]
    grid = profile_grid(diffractometer, 20.0, 100.0)
    s, intensities = random_lines(diffractometer, count, seed=count)
    angles = two_theta_of(s, diffractometer)
    lines = powder.PowderLines(angles, np.ones(count, int), intensities.astype(float))
    for size_nm in (20.0, 37.0, 64.0, 100.0):
        pattern = np.asarray(
            profile(s, intensities, size_nm, grid, diffractometer.wavelength)
        )
        expected = powder.powder_profile(
            lines, size_nm, diffractometer.two_theta_deg, diffractometer.wavelength
        )
        np.testing.assert_allclose(pattern / pattern.max(), expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize("size_nm", [5.0, 20.0, 100.0])
def test_width_of_a_line_is_that_of_scherrer(size_nm):
    """FWHM in 2 theta = K lambda / (L cos(theta)), K = 0.9."""
    diffractometer = Diffractometer(points=34001)
    grid = profile_grid(diffractometer, 5.0, 100.0)
    angles = diffractometer.two_theta_deg
    for two_theta in (15.0, 40.0, 65.0, 80.0):
        pattern = np.asarray(profile(s_of([two_theta]), jnp.ones(1), size_nm, grid))
        above = np.flatnonzero(pattern >= pattern.max() / 2)
        left, right = (
            np.interp(pattern.max() / 2, np.sort(pattern[ends]), ends_deg)
            for ends, ends_deg in (
                ([above[0] - 1, above[0]], angles[[above[0] - 1, above[0]]]),
                ([above[-1], above[-1] + 1], angles[[above[-1] + 1, above[-1]]]),
            )
        )
        cosine = np.cos(np.radians(two_theta / 2))
        width = 0.9 * 1.5406 / (10 * size_nm * cosine)
        assert right - left == pytest.approx(np.degrees(width), rel=1e-3)


@pytest.mark.parametrize("size_nm", [20.0, 100.0])
def test_area_of_a_line_is_its_integrated_intensity(size_nm):
    grid = profile_grid(PAPER_DIFFRACTOMETER, 20.0, 100.0)
    intensities = np.array([1.0, 3.0, 0.25, 7.0, 2.0], np.float32)
    angles = np.array([10.003, 25.1, 48.007, 70.0, 85.496])
    areas = [
        np.asarray(profile(s_of([angle]), i[None], size_nm, grid)).sum(dtype=float)
        for angle, i in zip(angles, intensities, strict=True)
    ]
    np.testing.assert_allclose(areas / areas[0], intensities, rtol=2e-4)


def test_lines_at_one_end_leave_no_trace_at_the_other():
    """The convolution is periodic, so its margin has to hold a whole tail."""
    for diffractometer in (PAPER_DIFFRACTOMETER, GRIDS["at high angles"]):
        grid = profile_grid(diffractometer, 20.0, 100.0)
        low, high = diffractometer.two_theta_min_deg, diffractometer.two_theta_max_deg
        wavelength = diffractometer.wavelength
        half = diffractometer.points // 2
        for size_nm in (20.0, 100.0):
            first = profile(
                s_of([low], diffractometer), jnp.ones(1), size_nm, grid, wavelength
            )
            assert np.argmax(first) == 0
            assert np.abs(first[half:]).max() < 2e-6 * np.max(first)
            last = profile(
                s_of([high], diffractometer), jnp.ones(1), size_nm, grid, wavelength
            )
            assert np.argmax(last) == diffractometer.points - 1
            assert np.abs(last[:half]).max() < 2e-6 * np.max(last)


def test_profile_of_a_union_is_the_sum_of_profiles():
    grid = profile_grid(NARROW)
    s, intensities = random_lines(NARROW, 40, seed=1)
    part = np.arange(40) < 15
    whole = profile(s, intensities, 30.0, grid)
    first = profile(s, intensities * part, 30.0, grid)
    second = profile(s, intensities * ~part, 30.0, grid)
    np.testing.assert_allclose(first + second, whole, rtol=0, atol=1e-6 * whole.max())


def test_padding_adds_nothing_wherever_it_is():
    grid = profile_grid(NARROW)
    s, intensities = random_lines(NARROW, 40, seed=2)
    plain = profile(s, intensities, 30.0, grid)
    nowhere = np.array([0.0, 1e6, -1.0], np.float32)
    padded = profile(
        np.append(s, nowhere),
        np.append(intensities, np.zeros_like(nowhere)),
        30.0,
        grid,
    )
    np.testing.assert_allclose(padded, plain, rtol=0, atol=1e-6 * plain.max())


def test_without_lines_there_is_nothing_and_no_gradient():
    grid = profile_grid(NARROW)

    def pattern(intensities, size_nm):
        return normalise(profile(jnp.zeros(5), intensities, size_nm, grid))

    value, slope = jax.jvp(pattern, (jnp.zeros(5), 50.0), (jnp.ones(5), 1.0))
    np.testing.assert_array_equal(value, 0)
    np.testing.assert_array_equal(slope, 0)


def test_normalised_patterns_have_maximum_one_and_are_nowhere_negative():
    grid = profile_grid(NARROW)
    for intensity in (1e-12, 1.0, 1e12):
        s, intensities = random_lines(NARROW, 40, seed=3)
        pattern = normalise(profile(s, intensity * intensities, 100.0, grid))
        assert pattern.max() == pytest.approx(1.0, abs=1e-6)
        assert pattern.min() >= 0


def test_slopes_in_size_place_and_intensity_are_those_of_the_exact_sum():
    """By reverse mode, against central differences of the sum in float64."""
    grid = profile_grid(NARROW)
    s, intensities = random_lines(NARROW, 40, seed=4)
    along_s = np.linspace(-1e-3, 1e-3, 40, dtype=np.float32)
    along_i = np.linspace(0, 1, 40, dtype=np.float32)
    weights = np.cos(np.linspace(0, 40, NARROW.points)).astype(np.float32)

    @jax.jit
    def total(size_nm, shift, scale):
        heights = intensities * (1 + scale * along_i)
        pattern = normalise(profile(s + shift * along_s, heights, size_nm, grid))
        return jnp.sum(weights * pattern)

    def exact(size_nm, shift, scale):
        lines = powder.PowderLines(
            two_theta_of(s + shift * along_s.astype(float), NARROW),
            np.ones(40, int),
            intensities * (1 + scale * along_i.astype(float)),
        )
        pattern = powder.powder_profile(lines, size_nm, NARROW.two_theta_deg)
        return np.sum(weights * pattern)

    at = np.array([43.0, 0.0, 0.0])
    slopes = jax.grad(total, argnums=(0, 1, 2))(*map(jnp.float32, at))
    step = 1e-3
    for slope, direction in zip(slopes, np.eye(3), strict=True):
        ahead, behind = exact(*(at + step * direction)), exact(*(at - step * direction))
        assert float(slope) == pytest.approx((ahead - behind) / (2 * step), rel=1e-3)


def test_a_batch_of_sizes_has_the_profile_of_each():
    grid = profile_grid(NARROW)
    s, intensities = random_lines(NARROW, 40, seed=5)
    sizes = jnp.array([20.0, 55.0, 100.0])
    together = jax.vmap(lambda size_nm: profile(s, intensities, size_nm, grid))(sizes)
    for size_nm, pattern in zip(sizes, together, strict=True):
        alone = profile(s, intensities, size_nm, grid)
        np.testing.assert_allclose(pattern, alone, rtol=0, atol=1e-6 * alone.max())


def test_sigma_is_that_of_a_gaussian_with_scherrers_width():
    """Worked: 0.9 / (1000 angstrom x 2.35482) for 100 nm."""
    assert scherrer_sigma(100.0) == pytest.approx(3.82195e-4, rel=1e-5)


@pytest.mark.parametrize(
    "sizes", [(0.0, 50.0), (-20.0, 50.0), (50.0, 20.0), (20.0, np.inf), (np.nan, 50.0)]
)
def test_sizes_that_cannot_be_are_refused(sizes):
    with pytest.raises(InputError, match="crystallite sizes run from .* nm: expected"):
        profile_grid(NARROW, *sizes)


def test_crystals_too_large_for_a_grid_are_refused():
    with pytest.raises(InputError, match="lower the largest size or narrow the range"):
        profile_grid(NARROW, 20.0, 1e6)
