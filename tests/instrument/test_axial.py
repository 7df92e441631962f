"""Axial divergence against the density of Finger, Cox and Jephcoat in 2 phi."""

import jax.numpy as jnp
import numpy as np
import pytest

from xrdjax.instrument.axial import axial_divergence


def density(angle, place, axial):
    """Their eq. 10 for H = S, in radians; 0 outside of the reflection's tail."""
    stretch = (np.cos(angle) / np.cos(place)) ** 2 - 1
    height = np.sqrt(np.maximum(stretch, 0))  # h / L
    inside = (stretch > 0) & (height < 2 * axial)
    safe = np.where(inside, height, 1.0)
    return np.where(inside, (2 * axial - safe) / (safe * np.abs(np.cos(angle))), 0.0)


@pytest.mark.parametrize("two_theta_deg", [8.0, 20.0, 45.0, 75.0, 120.0])
@pytest.mark.parametrize("axial", [0.01, 0.04])
def test_the_parts_have_the_moments_of_the_density(two_theta_deg, axial):
    place = np.deg2rad(two_theta_deg)
    end = np.arccos(np.clip(np.cos(place) * np.sqrt(1 + 4 * axial**2), -1, 1))
    # the square root of the distance, in which the density stays finite
    root = (np.arange(200_000) + 0.5) / 200_000
    angle = place + (end - place) * root**2
    weight = density(angle, place, axial) * root
    mean = (weight * (angle - place)).sum() / weight.sum()
    spread = (weight * (angle - place) ** 2).sum() / weight.sum()

    u = 2 * np.sin(place / 2)
    change, share = axial_divergence(jnp.float32([u]), jnp.float32(axial))
    moved = 2 * np.arcsin((u + np.asarray(change, float)[:, 0]) / 2) - place
    share = np.asarray(share, float)[:, 0]
    assert share.sum() == pytest.approx(1, abs=1e-6)
    assert (share * moved).sum() == pytest.approx(mean, rel=0.01, abs=1e-7)
    assert (share * moved**2).sum() == pytest.approx(spread, rel=0.02, abs=1e-12)
    assert np.sign(mean) == np.sign(two_theta_deg - 90)  # away from 90 degrees


def test_without_divergence_a_line_stays_where_it_is():
    change, share = axial_divergence(jnp.float32([0.3, 1.2]), jnp.float32(0.0))
    np.testing.assert_array_equal(change, 0)
    np.testing.assert_allclose(np.sum(share, axis=0), 1, rtol=1e-6)
