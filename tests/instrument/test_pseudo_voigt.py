"""Pseudo-Voigt peaks by FFT against a sum over lines in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.instrument import make_instrument
from xrdjax.instrument.pseudo_voigt import (
    add_pseudo_voigts,
    is_too_narrow,
    pseudo_voigt_grid,
    read_pseudo_voigts,
    width_map,
)
from xrdjax.instrument.specimen import make_specimen
from xrdjax.instrument.widths import pseudo_voigt

GRID = TwoThetaGrid(points=4251)


@jax.jit
def by_fft(u, areas, instrument, specimen):
    grid = pseudo_voigt_grid(GRID)
    widths = width_map(instrument, specimen, grid)
    combs = add_pseudo_voigts(jnp.zeros((2, grid.size)), u, areas, widths, grid)
    return read_pseudo_voigts(combs, widths, grid), is_too_narrow(widths)


def by_sum(u, areas, instrument, specimen):
    """Each line a pseudo-Voigt of Thompson, Cox and Hastings at its own angle."""
    sine = u / 2
    cosine = np.sqrt(1 - sine**2)
    tangent = sine / cosine
    size = 0.9 * instrument.wavelengths[0] / (10 * specimen.size_nm) / cosine
    strain = 4 * specimen.strain * tangent
    mix = specimen.lorentzian
    degree = np.pi / 180
    cu, cv, cw = np.asarray(instrument.caglioti, float)
    gauss = (cu * tangent**2 + cv * tangent + cw) * degree**2
    gauss = np.sqrt(gauss + (1 - mix) ** 2 * (size**2 + strain**2))
    lorentz = instrument.lorentzian_deg * degree * tangent + mix * (size + strain)
    fwhm = (
        gauss**5
        + 2.69269 * gauss**4 * lorentz
        + 2.42843 * gauss**3 * lorentz**2
        + 4.47163 * gauss**2 * lorentz**3
        + 0.07842 * gauss * lorentz**4
        + lorentz**5
    ) ** 0.2
    q = lorentz / fwhm
    eta = 1.36603 * q - 0.47719 * q**2 + 0.11116 * q**3
    at = np.deg2rad(GRID.two_theta_deg)
    total = np.zeros(len(at))
    for place, area, width, share in zip(
        2 * np.arcsin(sine), areas / cosine, fwhm, eta, strict=True
    ):
        z = (at - place) / width
        gaussian = 2 * np.sqrt(np.log(2) / np.pi) * np.exp(-4 * np.log(2) * z**2)
        lorentzian = 2 / np.pi / (1 + 4 * z**2)
        total += area / width * ((1 - share) * gaussian + share * lorentzian)
    return total


def draws(count):
    generator = np.random.default_rng(0)

    def log(low, high):
        return float(np.exp(generator.uniform(np.log(low), np.log(high))))

    for _ in range(count):
        lines = generator.integers(20, 600)
        angles = np.deg2rad(generator.uniform(6, 88, lines))
        instrument = make_instrument(
            caglioti=(generator.uniform(0, 0.01), 0.0, log(0.0016, 0.015)),
            lorentzian_deg=generator.uniform(0, 0.04),
        )
        specimen = make_specimen(
            log(20, 1000),
            strain=log(5e-5, 5e-3),
            lorentzian=generator.uniform(0, 1),
        )
        yield (
            2 * np.sin(angles / 2),
            generator.exponential(1, lines),
            (
                instrument,
                specimen,
            ),
        )


def test_peaks_by_fft_are_those_of_a_plain_sum_over_lines():
    errors = []
    for u, areas, pair in draws(24):
        padding = (0, 640 - len(u))
        padded = [np.pad(x.astype(np.float32), padding) for x in (u, areas)]
        fast, too_narrow = by_fft(*padded, *pair)
        plain = by_sum(u, areas, *jax.tree.map(float_of, pair))
        errors.append(np.abs(np.asarray(fast) - plain).max() / plain.max())
        assert not too_narrow
    assert np.median(errors) < 1e-3
    assert max(errors) < 5e-3


def float_of(leaf):
    return np.asarray(leaf, np.float64)


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0, 4.0])
def test_a_pseudo_voigt_has_the_width_of_the_convolution(ratio):
    # half maximum of a numerical convolution of the two profiles
    x = np.linspace(-60, 60, 240_001)
    gaussian = np.exp(-4 * np.log(2) * x**2)
    voigt = gaussian
    if ratio:
        lorentzian = 1 / (1 + 4 * (x / ratio) ** 2)
        spectrum = np.fft.rfft(gaussian) * np.fft.rfft(np.fft.ifftshift(lorentzian))
        voigt = np.fft.irfft(spectrum, len(x))
    above = x[voigt > voigt.max() / 2]
    width, share = pseudo_voigt(jnp.ones(1), jnp.full(1, ratio))
    assert float(width[0]) == pytest.approx(above[-1] - above[0], rel=0.01)
    assert 0 <= float(share[0]) <= 1
