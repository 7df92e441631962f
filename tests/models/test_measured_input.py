"""The network's input for recorded patterns, measured or simulated."""

import jax.numpy as jnp
import numpy as np
import pytest

from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.models.measured_input import background_of, measured_input
from xrdjax.models.network_input import NetworkInput

GRID = TwoThetaGrid(10.0, 70.0, 3001)  # steps of 0.02 degrees
ANGLES = GRID.two_theta_deg
CELLS = 400
PLACES = (20.0, 33.3, 51.0)


def peaks(width=0.15):
    lines = [np.exp(-(((ANGLES - place) / width) ** 2)) for place in PLACES]
    return sum(h * line for h, line in zip((1.0, 0.4, 0.1), lines, strict=True))


def read(pattern, mask=None):
    mask = None if mask is None else jnp.asarray(mask[None])
    pattern = jnp.asarray(pattern, jnp.float32)[None]
    return np.asarray(measured_input(pattern, mask, GRID, CELLS))[0]


def intensity(inputs):
    return (inputs[:, 0] / 5) ** 2


def centres():
    edges = np.geomspace(*GRID.u_range, CELLS + 1)
    return 2 * np.rad2deg(np.arcsin(np.sqrt(edges[1:] * edges[:-1]) / 2))


def test_peaks_stay_where_they_are_with_their_relative_heights():
    seen = intensity(read(peaks(0.6)))
    for place, height in zip(PLACES, (1.0, 0.4, 0.1), strict=True):
        near = np.abs(centres() - place) < 1
        assert centres()[near][seen[near].argmax()] == pytest.approx(place, abs=0.2)
        assert seen[near].max() == pytest.approx(height, rel=0.1)


def test_neither_the_unit_nor_a_smooth_background_matters():
    plain = read(peaks())
    np.testing.assert_allclose(read(1e4 * peaks()), plain, rtol=0, atol=2e-3)
    slope = 0.3 + 0.1 * (ANGLES - 40) / 30 + 0.2 * np.exp(-(((ANGLES - 35) / 12) ** 2))
    changed = intensity(read(peaks() + slope))
    assert np.abs(changed - intensity(plain)).max() < 0.02


def test_the_background_is_what_is_wider_than_a_peak():
    slope = 0.2 + 0.1 * np.sin(ANGLES / 10)
    found = background_of(
        jnp.asarray(peaks() + slope, jnp.float32)[None],
        jnp.ones((1, len(ANGLES))),
        0.02,
    )
    inside = (ANGLES > 13) & (ANGLES < 67)
    assert np.abs(np.asarray(found)[0] - slope)[inside].max() < 0.04


def test_what_was_not_measured_is_marked_and_does_not_matter():
    mask = (ANGLES > 18) & ((ANGLES < 40) | (ANGLES > 45))
    inputs = read(np.where(mask, peaks(), 0.0), mask)
    np.testing.assert_array_equal(read(peaks() + 9 * ~mask, mask), inputs)
    outside = inputs[:, 3] == 0
    assert (inputs[outside] == 0).all()
    seen = (centres() > 18.3) & (centres() < 39.7)
    assert (inputs[seen, 3] == 1).all()
    assert outside[(centres() > 40.3) & (centres() < 44.7)].all()


@pytest.mark.parametrize("pattern", [np.zeros(3001), np.full(3001, 0.7)])
def test_nothing_gives_nothing_and_no_nan(pattern):
    inputs = read(pattern)
    assert np.isfinite(inputs).all()
    mask = np.zeros(3001, bool)
    assert np.isfinite(read(pattern, mask)).all() and not read(pattern, mask).any()


def test_the_shape_is_announced():
    network_input = NetworkInput(GRID, CELLS)
    patterns = jnp.asarray(peaks(), jnp.float32)[None]
    assert network_input(patterns).shape == (1, *network_input.shape) == (1, CELLS, 4)
    assert NetworkInput(GRID)(patterns).shape == (1, *NetworkInput(GRID).shape)
