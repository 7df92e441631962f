"""Peaks with axial divergence as a refinement program, rietx, has them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xrdjax.instrument.axial import MANY_PARTS, axial_divergence
from xrdjax.instrument.direct import add_directly, direct_peaks
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.instrument import make_instrument
from xrdjax.instrument.specimen import make_specimen
from xrdjax.instrument.widths import pseudo_voigt

fcj = pytest.importorskip("rietx.model.profiles.fcj")
profiles = pytest.importorskip("rietx.model.profiles.pseudovoigt")

GRID = TwoThetaGrid(4.0, 150.0, 14_601)
INSTRUMENT = make_instrument(caglioti=(0.004, -0.002, 0.003), lorentzian_deg=0.04)
SPECIMEN = make_specimen(100.0, strain=4e-4, lorentzian=0.5)


def widths_deg(theta):
    """Gaussian and Lorentzian widths of the instrument and the specimen, degrees."""
    tangent = np.tan(theta)
    u, v, w = np.asarray(INSTRUMENT.caglioti, float)
    size = np.rad2deg(0.9 * 1.5406 / 1000 / np.cos(theta))
    strain = np.rad2deg(4 * 4e-4 * tangent)
    gaussian = np.sqrt((u * tangent + v) * tangent + w + (size**2 + strain**2) / 4)
    return gaussian, 0.04 * tangent + (size + strain) / 2


def test_widths_and_shares_of_the_pseudo_voigt_are_those_of_the_program():
    gaussian = np.geomspace(0.01, 1, 40)
    lorentzian = np.geomspace(1e-3, 3, 40)[::-1]
    found = pseudo_voigt(jnp.asarray(gaussian), jnp.asarray(lorentzian))
    expected = profiles.tch_gamma_eta(gaussian, lorentzian)
    np.testing.assert_allclose(found, expected, rtol=2e-6)


@pytest.mark.parametrize("axial", [0.0, 0.01, 0.03])
def test_a_peak_with_axial_divergence_has_the_programs_shape(axial):
    """The program drops the slow factor of eqs. 5 and 10; with it, it agrees closely."""

    @jax.jit
    def peak(u, axial):
        change, share = axial_divergence(u, axial, MANY_PARTS)
        place = (u[None] + change).ravel()
        areas = share.ravel() * jnp.sqrt(1 - place**2 / 4)
        empty = jnp.zeros(GRID.points)
        rest, peaks = jnp.zeros_like(place), direct_peaks(GRID)
        return add_directly(empty, (place, rest), areas, INSTRUMENT, SPECIMEN, peaks)

    for two_theta in (12.0, 28.0, 60.0, 120.0):
        u = jnp.float32([2 * np.sin(np.deg2rad(two_theta) / 2)])
        found = np.asarray(peak(u, jnp.float32(axial)))
        width = profiles.tch_gamma_eta(*widths_deg(np.deg2rad(two_theta) / 2))
        places, weights = fcj.fcj_offsets_weights(two_theta, axial, axial, 128)
        angle = np.deg2rad(places)
        near = abs(GRID.two_theta_deg - two_theta) < 3
        found = found[near] / found.max()
        factor = 1 / (np.cos(angle) ** 2 * np.sin(angle))
        for weight, tolerance in ((weights * factor, 3e-4), (weights, 5e-3)):
            expected = sum(
                share * profiles.pseudo_voigt(GRID.two_theta_deg[near] - place, *width)
                for place, share in zip(places, weight, strict=True)
            )
            expected /= expected.max()
            np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
