"""Peaks against Gaussians summed in float64, Scherrer's formula and the law of areas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import powder

from xrdjax.errors import InputError
from xrdjax.instrument.grid import PAPER_GRID, TwoThetaGrid
from xrdjax.instrument.profile import (
    PeakGrid,
    add_lines,
    broaden,
    normalise,
    peak_grid,
    peak_sigma,
)

CU, MO = 1.5406, 0.7093  # K-alpha1, angstrom
GRIDS = {
    "of the paper": (PAPER_GRID, CU),
    "for molybdenum": (TwoThetaGrid(3.0, 50.0, 4701), MO),
    "with wide steps": (TwoThetaGrid(10.0, 80.0, 701), CU),
    "of one degree": (TwoThetaGrid(30.0, 31.0, 501), CU),
    "at high angles": (TwoThetaGrid(60.0, 140.0, 4001), CU),
    "even in log sin(theta)": (TwoThetaGrid(5.0, 90.0, 2126, "log_sin_theta"), CU),
}
NARROW = TwoThetaGrid(20.0, 80.0, 3001)


def peaks_of(
    grid: TwoThetaGrid, sizes_nm=(20.0, 100.0), wavelength: float = CU
) -> PeakGrid:
    """A grid for crystallites of a range of sizes."""
    smallest, largest = sizes_nm
    return peak_grid(
        grid, peak_sigma(wavelength, largest), peak_sigma(wavelength, smallest)
    )


def u_of(two_theta_deg) -> np.ndarray:
    """2 sin(theta) in the precision of the package."""
    return np.float32(2 * np.sin(np.radians(two_theta_deg) / 2))


def two_theta_of(u) -> np.ndarray:
    return 2 * np.degrees(np.arcsin(np.asarray(u, float) / 2))


@jax.jit
def profile(u, intensities, size_nm, peaks, wavelength=CU):
    """Of lines with given integrated intensities, not normalised."""
    cosine = jnp.sqrt(1 - (u / 2) ** 2)
    heights = jnp.where(intensities > 0, intensities * cosine, 0.0)
    comb = add_lines(jnp.zeros(peaks.skew.shape[0]), u, heights, peaks)
    return broaden(comb, peak_sigma(wavelength, size_nm), peaks)


def random_lines(grid: TwoThetaGrid, count: int, seed: int):
    """u [H] and intensities [H]; some lines are near the ends of the range."""
    rng = np.random.default_rng(seed)
    low, high = grid.two_theta_min_deg, grid.two_theta_max_deg
    angles = rng.uniform(low, high, count)
    angles[:4] = low + 0.01, low + 0.2, high - 0.2, high - 0.01
    intensities = 10 ** rng.uniform(-3, 0, count)
    intensities[:4] = 1.0
    return u_of(angles), intensities.astype(np.float32)


@pytest.mark.parametrize("name", GRIDS)
def test_profile_is_the_sum_of_gaussians_in_2_theta(name):
    grid, wavelength = GRIDS[name]
    peaks = peaks_of(grid, wavelength=wavelength)
    for count in (8, 300):
        u, intensities = random_lines(grid, count, seed=count)
        lines = powder.PowderLines(
            two_theta_of(u), np.ones(count, int), intensities.astype(float)
        )
        for size_nm in (20.0, 37.0, 64.0, 100.0):
            pattern = np.asarray(profile(u, intensities, size_nm, peaks, wavelength))
            expected = powder.powder_profile(
                lines, size_nm, grid.two_theta_deg, wavelength
            )
            np.testing.assert_allclose(
                pattern / pattern.max(), expected, rtol=0, atol=2e-4
            )


@pytest.mark.parametrize("size_nm", [5.0, 20.0, 100.0])
def test_width_of_a_line_is_that_of_scherrer(size_nm):
    """FWHM in 2 theta = K lambda / (L cos(theta)), K = 0.9."""
    grid = TwoThetaGrid(points=34001)
    peaks = peaks_of(grid, (5.0, 100.0))
    angles = grid.two_theta_deg
    for two_theta in (15.0, 40.0, 65.0, 80.0):
        pattern = np.asarray(profile(u_of([two_theta]), jnp.ones(1), size_nm, peaks))
        above = np.flatnonzero(pattern >= pattern.max() / 2)
        left, right = (
            np.interp(pattern.max() / 2, np.sort(pattern[ends]), ends_deg)
            for ends, ends_deg in (
                ([above[0] - 1, above[0]], angles[[above[0] - 1, above[0]]]),
                ([above[-1], above[-1] + 1], angles[[above[-1] + 1, above[-1]]]),
            )
        )
        cosine = np.cos(np.radians(two_theta / 2))
        width = 0.9 * CU / (10 * size_nm * cosine)
        assert right - left == pytest.approx(np.degrees(width), rel=1e-3)


def test_area_of_a_line_is_its_integrated_intensity():
    peaks = peaks_of(PAPER_GRID)
    intensities = np.array([1.0, 3.0, 0.25, 7.0, 2.0], np.float32)
    angles = np.array([10.003, 25.1, 48.007, 70.0, 85.496])
    for size_nm in (20.0, 100.0):
        areas = [
            np.asarray(profile(u_of([angle]), i[None], size_nm, peaks)).sum(dtype=float)
            for angle, i in zip(angles, intensities, strict=True)
        ]
        np.testing.assert_allclose(areas / areas[0], intensities, rtol=2e-4)


def test_lines_at_one_end_leave_no_trace_at_the_other():
    """The convolution is periodic, so its margin has to hold a whole tail."""
    for grid in (PAPER_GRID, GRIDS["at high angles"][0]):
        peaks = peaks_of(grid)
        half = grid.points // 2
        for size_nm in (20.0, 100.0):
            first, last = (
                np.asarray(profile(u_of([angle]), jnp.ones(1), size_nm, peaks))
                for angle in (grid.two_theta_min_deg, grid.two_theta_max_deg)
            )
            assert np.argmax(first) == 0
            assert np.abs(first[half:]).max() < 2e-6 * np.max(first)
            assert np.argmax(last) == grid.points - 1
            assert np.abs(last[:half]).max() < 2e-6 * np.max(last)


def test_profile_of_a_union_is_the_sum_of_profiles():
    peaks = peaks_of(NARROW)
    u, intensities = random_lines(NARROW, 40, seed=1)
    part = (np.arange(40) < 15).astype(np.float32)
    whole = profile(u, intensities, 30.0, peaks)
    first = profile(u, intensities * part, 30.0, peaks)
    second = profile(u, intensities * (1 - part), 30.0, peaks)
    np.testing.assert_allclose(first + second, whole, rtol=0, atol=1e-6 * whole.max())


def test_padding_adds_nothing_wherever_it_is():
    peaks = peaks_of(NARROW)
    u, intensities = random_lines(NARROW, 40, seed=2)
    plain = profile(u, intensities, 30.0, peaks)
    nowhere = np.array([0.0, 1e6, -1.0], np.float32)
    padded = profile(
        np.append(u, nowhere),
        np.append(intensities, np.zeros_like(nowhere)),
        30.0,
        peaks,
    )
    np.testing.assert_allclose(padded, plain, rtol=0, atol=1e-6 * plain.max())


def test_without_lines_there_is_nothing_and_no_gradient():
    peaks = peaks_of(NARROW)

    def pattern(intensities, size_nm):
        return normalise(profile(jnp.zeros(5), intensities, size_nm, peaks))

    value, slope = jax.jvp(pattern, (jnp.zeros(5), 50.0), (jnp.ones(5), 1.0))
    np.testing.assert_array_equal(value, 0)
    np.testing.assert_array_equal(slope, 0)


def test_normalised_patterns_have_maximum_one_and_are_nowhere_negative():
    peaks = peaks_of(NARROW)
    for intensity in (1e-12, 1.0, 1e12):
        u, intensities = random_lines(NARROW, 40, seed=3)
        scaled = np.float32(intensity) * intensities
        pattern = normalise(profile(u, scaled, 100.0, peaks))
        assert pattern.max() == pytest.approx(1.0, abs=1e-6)
        assert pattern.min() >= 0


def test_slopes_in_size_place_and_intensity_are_those_of_the_exact_sum():
    """By reverse mode, against central differences of the sum in float64."""
    peaks = peaks_of(NARROW)
    u, intensities = random_lines(NARROW, 40, seed=4)
    along_u = np.linspace(-1e-3, 1e-3, 40, dtype=np.float32)
    along_i = np.linspace(0, 1, 40, dtype=np.float32)
    weights = np.cos(np.linspace(0, 40, NARROW.points)).astype(np.float32)

    @jax.jit
    def total(size_nm, shift, scale):
        changed = intensities * (1 + scale * along_i)
        pattern = normalise(profile(u + shift * along_u, changed, size_nm, peaks))
        return jnp.sum(weights * pattern)

    def exact(size_nm, shift, scale):
        lines = powder.PowderLines(
            two_theta_of(u + shift * along_u.astype(float)),
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
    peaks = peaks_of(NARROW)
    u, intensities = random_lines(NARROW, 40, seed=5)
    sizes = jnp.array([20.0, 55.0, 100.0])
    together = jax.vmap(lambda size_nm: profile(u, intensities, size_nm, peaks))(sizes)
    for size_nm, pattern in zip(sizes, together, strict=True):
        alone = profile(u, intensities, size_nm, peaks)
        np.testing.assert_allclose(pattern, alone, rtol=0, atol=1e-6 * alone.max())


def test_sigma_is_that_of_a_gaussian_with_scherrers_width():
    """Worked: 0.9 x 1.5406 / 1000 / 2.35482 for 100 nm; instrument's in quadrature."""
    assert peak_sigma(CU, 100.0) == pytest.approx(5.88810e-4, rel=1e-5)
    alone = np.radians(0.1) / 2.3548200
    assert peak_sigma(CU, 1e9, 0.1) == pytest.approx(alone, rel=1e-6)
    both = np.hypot(peak_sigma(CU, 100.0), alone)
    assert peak_sigma(CU, 100.0, 0.1) == pytest.approx(both, rel=1e-6)


def test_peaks_too_narrow_for_a_grid_are_refused():
    with pytest.raises(InputError, match="lower the largest crystallite size or nar"):
        peaks_of(NARROW, (20.0, 1e6))
