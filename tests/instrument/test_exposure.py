"""Background, counting statistics and window."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xrdjax.errors import InputError
from xrdjax.instrument.background import background_curve, sample_backgrounds
from xrdjax.instrument.counts import count_photons
from xrdjax.instrument.exposure import ExposureRanges, expose, sample_exposures
from xrdjax.instrument.ranges import Spread, sample_range
from xrdjax.patterns.phases import mix_phases

ANGLES = np.linspace(5, 90, 401)
KEY = jax.random.key(0)


@pytest.mark.parametrize("mean", [2.0, 10.0, 1000.0])
def test_counts_have_the_mean_and_nearly_the_variance_of_poisson(mean):
    expected = jnp.full((1, 200_000), 0.25)
    counts = jnp.array([4 * mean])
    got = np.asarray(count_photons(KEY, expected, counts))[0] * 4 * mean
    assert got.mean() == pytest.approx(mean, rel=0.02)
    assert got.var() == pytest.approx(mean + 0.5, rel=0.05)
    assert (got >= 0).all()


def test_no_counts_mean_no_noise():
    expected = jnp.linspace(0, 1, 50)[None]
    np.testing.assert_array_equal(count_photons(KEY, expected, jnp.zeros(1)), expected)


def test_backgrounds_have_their_level_and_are_smooth_and_not_negative():
    backgrounds = sample_backgrounds(KEY, Spread(0.002, 0.3, log=True), 200)
    curves = np.asarray(
        jax.vmap(lambda one: background_curve(one, ANGLES))(backgrounds)
    )
    np.testing.assert_allclose(curves.mean(axis=1), backgrounds.level, rtol=1e-4)
    assert (curves >= 0).all()
    step = np.abs(np.diff(curves, axis=1)).max(axis=1)
    assert (step < 0.1 * curves.max(axis=1)).all()
    assert np.std(curves / curves.mean(axis=1, keepdims=True), axis=0).min() > 0.05


def test_what_lies_outside_the_window_is_not_recorded():
    ranges = ExposureRanges(
        first_deg=(20.0, 20.0), last_deg=(70.0, 70.0), background=(0.1, 0.1)
    )
    patterns = jnp.zeros((3, len(ANGLES))).at[:, 200].set(1.0)
    exposures = sample_exposures(KEY, ranges, 3)
    recorded, mask = expose(KEY, patterns, exposures, ANGLES)
    inside = (ANGLES >= 20) & (ANGLES <= 70)
    np.testing.assert_array_equal(mask, [inside] * 3)
    assert (np.asarray(recorded)[:, ~inside] == 0).all()
    assert (np.asarray(recorded)[:, inside] > 0).all()
    np.testing.assert_allclose(np.max(recorded, axis=1), 1)


def test_other_phases_are_others_of_the_batch_with_their_weights():
    patterns = jnp.eye(4)
    mixed = np.asarray(mix_phases(KEY, patterns, (0.1, 0.1)))
    expected = np.eye(4) + 0.1 * (np.roll(np.eye(4), 1, 0) + np.roll(np.eye(4), 2, 0))
    np.testing.assert_allclose(mixed, expected, rtol=1e-6)


@pytest.mark.parametrize("log", [False, True])
def test_a_spread_is_even_in_what_it_says_and_rests_where_it_is_absent(log):
    values = np.asarray(sample_range(KEY, Spread(1.0, 100.0, log, 0.25), 20_000, 1.0))
    there = values[values != 1.0]
    assert len(there) / 20_000 == pytest.approx(0.25, abs=0.02)
    scaled = np.log(there) / np.log(100) if log else (there - 1) / 99
    assert scaled.min() >= 0 and scaled.max() <= 1
    assert scaled.mean() == pytest.approx(0.5, abs=0.02)
    assert scaled.var() == pytest.approx(1 / 12, rel=0.05)


def test_ranges_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="background runs from -1.0 to 0.0"):
        ExposureRanges(background=(-1.0, 0.0))
    with pytest.raises(InputError, match="logarithmic range begins at 0"):
        Spread(0.0, 1.0, log=True)
    with pytest.raises(InputError, match="share of patterns with an effect is 2"):
        Spread(0.0, 1.0, share=2)
    with pytest.raises(InputError, match="the smaller one first"):
        Spread(1.0, 0.0)
