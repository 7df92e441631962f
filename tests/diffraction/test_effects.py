"""A pattern with every effect of instrument and specimen, against a sum in float64."""

import jax
import numpy as np
import pytest

from tests.instrument.test_pseudo_voigt import float_of
from xrdjax.crystals.crystal import to_crystal
from xrdjax.crystals.lattices import reciprocal_lattice
from xrdjax.crystals.textbook import gallery
from xrdjax.diffraction.powder import powder_lines, powder_pattern
from xrdjax.instrument.effects import Effects
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.instrument import make_instrument
from xrdjax.instrument.pseudo_voigt import pseudo_voigt_grid
from xrdjax.instrument.specimen import make_specimen

GRID = TwoThetaGrid(10.0, 80.0, 3501)
INSTRUMENT = make_instrument(
    (1.540562, 1.54439, 1.392218),
    (1.0, 0.48, 0.02),
    caglioti=(0.004, -0.002, 0.006),
    lorentzian_deg=0.03,
    zero_deg=0.05,
    displacement=4e-4,
    transparency=3e-4,
    polarization=0.8,
)
SPECIMEN = make_specimen(
    80.0, 0.9, strain=8e-4, lorentzian=0.6, march=0.7, axis=(1, 0, 0)
)


# Crystals of one shape share their programs.
SIZE, ROOM = 16, 256


def plain_sum(crystal, instrument, specimen):
    """Every member of every family, every emission line, by the textbook's formulas."""
    lines = powder_lines(crystal, grid=TwoThetaGrid(5, 120, 9), max_reflections=ROOM)
    lines = jax.tree.map(np.asarray, lines)
    order = int(crystal.symmetry.order)
    rotations = np.asarray(crystal.symmetry.rotations[:order], float)
    basis = reciprocal_lattice(np.asarray(crystal.lattice, float))
    axis = np.asarray(specimen.axis) @ basis
    at, degree = np.deg2rad(GRID.two_theta_deg), np.pi / 180
    total = np.zeros(len(at))
    for h, s, strength in zip(lines.miller, lines.s, lines.strength, strict=True):
        if strength == 0:
            continue
        members = np.einsum("i,gij->gj", h.astype(float), rotations) @ basis
        cosine = members @ axis / np.linalg.norm(members, axis=1) / np.linalg.norm(axis)
        march = specimen.march
        texture = (march**2 * cosine**2 + (1 - cosine**2) / march) ** -1.5
        s = np.linalg.norm(members[0])
        for wavelength, weight in zip(
            instrument.wavelengths, instrument.weights, strict=True
        ):
            theta = np.arcsin(s * wavelength / 2)
            area = strength * texture.mean() * weight
            area *= np.exp(-2 * specimen.b_iso * (s / 2) ** 2)
            area *= 1 + instrument.polarization * np.cos(2 * theta) ** 2
            area /= np.sin(theta) ** 2 * np.cos(theta)
            place = 2 * theta + instrument.zero_deg * degree
            place -= 2 * instrument.displacement * np.cos(theta)
            place -= instrument.transparency * np.sin(2 * theta) / 2
            tangent, cosine_theta = np.tan(place / 2), np.cos(place / 2)
            size = (
                0.9 * instrument.wavelengths[0] / (10 * specimen.size_nm) / cosine_theta
            )
            strain = 4 * specimen.strain * tangent
            u, v, w = instrument.caglioti
            mix = specimen.lorentzian
            gauss = (u * tangent**2 + v * tangent + w) * degree**2
            gauss = np.sqrt(gauss + (1 - mix) ** 2 * (size**2 + strain**2))
            lorentz = instrument.lorentzian_deg * degree * tangent + mix * (
                size + strain
            )
            mixed = [1, 2.69269, 2.42843, 4.47163, 0.07842, 1]
            width = (
                sum(c * gauss ** (5 - i) * lorentz**i for i, c in enumerate(mixed))
                ** 0.2
            )
            q = lorentz / width
            eta = 1.36603 * q - 0.47719 * q**2 + 0.11116 * q**3
            z = (at - place) / width
            gaussian = 2 * np.sqrt(np.log(2) / np.pi) * np.exp(-4 * np.log(2) * z**2)
            lorentzian = 2 / np.pi / (1 + 4 * z**2)
            # as in the package, a line whose place is out of range has no tails
            if at[0] <= place <= at[-1]:
                total += area / width * ((1 - eta) * gaussian + eta * lorentzian)
    return total / total.max()


def test_narrow_peaks_of_a_single_crystal_are_where_a_plain_sum_has_them():
    """0.02 degrees wide, so that a float32 of their angle would be 2e-4 off."""
    crystal = to_crystal(gallery("rutile"))
    instrument = INSTRUMENT.replace(
        caglioti=np.float32([4e-4, -2e-4, 4e-4]), lorentzian_deg=np.float32(0.005)
    )
    specimen = SPECIMEN.replace(size_nm=np.float32(1000.0), strain=np.float32(1e-5))
    expected = plain_sum(crystal, *jax.tree.map(float_of, (instrument, specimen)))
    exact = powder_pattern(crystal, instrument, specimen, GRID)
    np.testing.assert_allclose(exact, expected, rtol=0, atol=3e-5)


@pytest.mark.parametrize("name", ["quartz", "rutile"])
def test_a_pattern_with_every_effect_is_a_plain_sum(name):
    crystal = to_crystal(gallery(name), SIZE)
    expected = plain_sum(crystal, *jax.tree.map(float_of, (INSTRUMENT, SPECIMEN)))
    exact = powder_pattern(crystal, INSTRUMENT, SPECIMEN, GRID, max_reflections=ROOM)
    np.testing.assert_allclose(exact, expected, rtol=0, atol=5e-5)
    peaks = pseudo_voigt_grid(GRID, effects=Effects(axial=False))
    fast = powder_pattern(
        crystal, INSTRUMENT, SPECIMEN, GRID, peaks=peaks, max_reflections=ROOM
    )
    np.testing.assert_allclose(fast, expected, rtol=0, atol=2e-3)


def test_a_pattern_is_differentiable_in_every_quantity():
    crystal = to_crystal(gallery("rutile"))
    grid = TwoThetaGrid(20.0, 60.0, 401)
    peaks = pseudo_voigt_grid(grid)
    instrument = INSTRUMENT.replace(
        gaussian_deg=np.float32(0.03), axial=np.float32(0.02)
    )

    @jax.jit
    @jax.value_and_grad
    def total(pair):
        pattern = powder_pattern(crystal, *pair, grid, peaks=peaks, max_reflections=64)
        return (pattern**2).sum()

    before, slopes = total((instrument, SPECIMEN))
    for path, slope in jax.tree.leaves_with_path(slopes):
        assert np.isfinite(slope).all(), path
        assert np.any(slope != 0), path
    wider = SPECIMEN.replace(strain=SPECIMEN.strain + np.float32(1e-5))
    after, _ = total((instrument, wider))
    assert (after - before) / 1e-5 == pytest.approx(float(slopes[1].strain), rel=0.03)
