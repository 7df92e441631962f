"""A measured pattern on the grid of a network that has seen simulated measurements."""

import numpy as np
import pytest
from tiny_run import tiny_config

import xrdjax.evaluation.measured
from xrdjax.errors import InputError
from xrdjax.evaluation.measured import (
    classify_measured,
    prepare_pattern,
    reads_recorded,
)
from xrdjax.prior.file import BUNDLED, load_statistics, read_provenance
from xrdjax.run import make_run

ANGLES = np.arange(8.0, 92.0, 0.015)
GENERATOR = np.random.default_rng(0)


@pytest.fixture(scope="module")
def run():
    config = tiny_config(
        points=4251, **{"model.channels": "measured", "model.points": 512}
    )
    return make_run(config, load_statistics(), read_provenance(BUNDLED))


def test_an_answer_is_the_mean_over_small_errors_of_the_zero(run, monkeypatch):
    def answer(run, patterns, batch_size, masks):
        assert np.all(patterns[~masks] == 0)
        return patterns

    monkeypatch.setattr(xrdjax.evaluation.measured, "classify_patterns", answer)
    grid = run.measurement.grid.two_theta_deg
    both = [
        prepare_pattern(run, ANGLES, peaks(place, place + 20) + 0.01)
        for place in (30.0, 41.0)
    ]
    for one, mean in zip(both, classify_measured(run, both), strict=True):
        assert mean.sum() == pytest.approx(one.pattern.sum(), rel=1e-3)
        centroids = [values @ grid / values.sum() for values in (one.pattern, mean)]
        assert centroids[0] == pytest.approx(centroids[1], abs=0.02)
        spreads = [
            (values * (np.abs(grid - 40) < 15)).max() for values in (one.pattern, mean)
        ]
        assert spreads[1] < spreads[0]


def peaks(*places, width=0.1):
    return sum(np.exp(-(((ANGLES - place) / width) ** 2)) for place in places)


def test_what_was_measured_is_known_and_scaled(run):
    assert reads_recorded(run)
    prepared = prepare_pattern(run, ANGLES, 700 * peaks(30, 45, 60) + 20)
    assert prepared.pattern.max() == 1 and prepared.pattern.shape == (4251,)
    grid = run.measurement.grid.two_theta_deg
    np.testing.assert_array_equal(prepared.mask, grid >= ANGLES[0])
    assert prepared.share == pytest.approx((90 - 8) / 85, abs=1e-3)


def test_peaks_of_another_wavelength_lie_where_the_network_expects_them(run):
    intensity = peaks(20.0) + 0.5 * peaks(30.0)
    prepared = prepare_pattern(run, ANGLES, intensity, wavelength=0.7093)
    place = run.measurement.grid.two_theta_deg[prepared.pattern.argmax()]
    spacing = 0.7093 / 2 / np.sin(np.deg2rad(10))
    expected = 2 * np.rad2deg(np.arcsin(1.5406 / 2 / spacing))
    assert place == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(
    "intensity",
    [
        np.full(len(ANGLES), 5.0),
        GENERATOR.poisson(100, len(ANGLES)).astype(float),
        100 * np.exp(-(((ANGLES - 25) / 8) ** 2)) + 3,
        GENERATOR.poisson(300 * np.exp(-(((ANGLES - 25) / 8) ** 2)) + 20).astype(float),
    ],
    ids=["flat", "noise", "amorphous", "noisy and amorphous"],
)
def test_what_shows_no_peak_is_refused(run, intensity):
    with pytest.raises(InputError, match="shows no peak above its background"):
        prepare_pattern(run, ANGLES, intensity)


def test_one_reflection_with_its_doublet_is_refused(run):
    with pytest.raises(InputError, match="shows one peak only"):
        prepare_pattern(run, ANGLES, peaks(69.1) + 0.5 * peaks(69.3) + 0.01)
    k_beta = 2 * np.rad2deg(np.arcsin(1.39222 / 1.54056 * np.sin(np.deg2rad(22.3))))
    with pytest.raises(InputError, match="shows one peak only"):
        prepare_pattern(run, ANGLES, peaks(44.6) + 0.03 * peaks(k_beta) + 0.01)


def test_a_hole_was_not_measured_and_the_unit_does_not_matter(run):
    there = (ANGLES < 40) | (ANGLES > 50)
    angles, intensity = ANGLES[there], (peaks(30, 45, 60) + 0.02)[there]
    prepared = prepare_pattern(run, angles, intensity)
    grid = run.measurement.grid.two_theta_deg
    hole = (grid > 40.02) & (grid < 49.98)
    assert not prepared.mask[hole].any() and not prepared.pattern[hole].any()
    assert prepared.share == pytest.approx((90 - 8 - 10) / 85, abs=1e-3)
    for unit in (1e-290, 1e290):
        scaled = prepare_pattern(run, angles, intensity * unit)
        np.testing.assert_allclose(scaled.pattern, prepared.pattern, rtol=1e-5)


def test_peaks_that_can_be_seen_in_the_noise_are_not_refused(run):
    expected = 40 * peaks(30, 45, 60, 77) + 100
    prepare_pattern(
        run, ANGLES, np.random.default_rng(1).poisson(expected).astype(float)
    )
