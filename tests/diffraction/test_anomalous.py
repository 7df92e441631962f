"""Anomalous dispersion, against sums over h and -h with complex form factors."""

import gemmi
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import for_each
from oracles import powder
from oracles.adapters import atoms_of, crystal_of, lines_of

from xrdjax.crystals.dispersion import anomalous_scattering
from xrdjax.crystals.elements import SYMBOLS, atomic_number
from xrdjax.crystals.textbook import gallery
from xrdjax.diffraction.powder import powder_pattern
from xrdjax.diffraction.structure_factors import structure_factors
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.instrument import InstrumentRanges, make_instrument
from xrdjax.instrument.measurement import make_measurement
from xrdjax.instrument.specimen import SpecimenRanges, make_specimen
from xrdjax.patterns.structures import patterns_of_structures

CENTRIC = [
    "corundum",
    "fluorite",
    "hematite",
    "magnetite",
    "pyrite",
    "scheelite",
    "ybco",
]
ACENTRIC = [
    "chalcopyrite",
    "cinnabar",
    "eulytine",
    "iron_silicide",
    "lithium_niobate",
    "macedonite",
    "tetrahedrite",
    "zincite",
]
WAVELENGTH = float(np.float32(1.5406))
INSTRUMENT = make_instrument((1.5406,), anomalous=True)


@for_each("name", CENTRIC + ACENTRIC)
def test_intensities_are_those_of_a_plain_sum_over_h_and_minus_h(name):
    structure = gallery(name)
    lines = lines_of(structure, INSTRUMENT)[2]
    expected = powder.powder_lines(atoms_of(structure), WAVELENGTH, anomalous=True)
    ours, plain = powder.side_by_side(lines, expected)
    np.testing.assert_allclose(
        ours.intensity, plain.intensity, rtol=0, atol=2e-5 * plain.intensity.max()
    )
    without = powder.powder_lines(atoms_of(structure), WAVELENGTH)
    assert abs(without.intensity / expected.intensity - 1).max() > 0.01


def test_friedel_mates_differ_where_there_is_no_centre_of_symmetry():
    structure = gallery("zincite")
    table = anomalous_scattering(WAVELENGTH)
    miller = np.random.default_rng(0).integers(-6, 7, (80, 3)).astype(np.float32)
    atoms = atoms_of(structure)
    factors = jax.jit(structure_factors)
    mates = [
        np.abs(factors(crystal_of(structure), sign * miller, table)) for sign in (1, -1)
    ]
    for sign, found in zip((1, -1), mates, strict=True):
        expected = np.abs(powder.structure_factors(atoms, sign * miller, WAVELENGTH))
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-4)
    assert np.abs(mates[0] - mates[1]).max() > 0.5


def test_with_f_prime_alone_structure_factors_are_those_of_gemmi():
    structure = gallery("chalcopyrite")
    table = anomalous_scattering(WAVELENGTH) * np.float32([1, 0])
    instrument = INSTRUMENT.replace(anomalous=table)
    miller, magnitude, _ = lines_of(structure, instrument)
    small = gemmi.SmallStructure()
    small.cell = gemmi.UnitCell(*structure.unit_cell)
    atoms = atoms_of(structure)
    calculator = gemmi.StructureFactorCalculatorX(small.cell)
    calculator.addends.add_cl_fprime(gemmi.hc / WAVELENGTH)
    for position, z in zip(atoms.positions, atoms.elements, strict=True):
        site = gemmi.SmallStructure.Site()
        site.fract, site.occ = gemmi.Fractional(*position), 1.0
        site.element = gemmi.Element(int(z))
        small.add_site(site)
    expected = [
        abs(calculator.calculate_sf_from_small_structure(small, list(map(int, h))))
        for h in miller
    ]
    np.testing.assert_allclose(magnitude, expected, rtol=0, atol=5e-3)


def test_a_pattern_and_those_of_a_batch_agree():
    grid = TwoThetaGrid(20.0, 60.0, 801)
    specimen = make_specimen(50.0)
    structure = gallery("zincite")
    one = powder_pattern(crystal_of(structure), INSTRUMENT, specimen, grid)
    ranges = InstrumentRanges(wavelengths=(1.5406,), anomalous=True)
    measurement = make_measurement(grid, ranges, SpecimenRanges((40.0, 60.0)))
    many = patterns_of_structures([structure] * 2, measurement, 50.0)
    np.testing.assert_allclose(many, [one, one], rtol=0, atol=1e-4)


def test_gradients_reach_the_values_of_the_elements_that_are_there():
    crystal = jax.tree.map(jnp.asarray, crystal_of(gallery("zincite")))
    miller = jnp.float32([[1, 0, 2]])
    table = anomalous_scattering(WAVELENGTH)

    def squared(table):
        return jnp.sum(jnp.abs(structure_factors(crystal, miller, table)) ** 2)

    slope = np.asarray(jax.jit(jax.grad(squared))(table))
    present = [atomic_number("Zn"), atomic_number("O")]
    assert np.all(slope[present] != 0)
    assert np.all(np.delete(slope, present, axis=0) == 0)


def test_the_table_is_that_of_international_tables_within_its_theories():
    """Values of International Tables C (2004), table 4.2.6.8, for Cu K-alpha1."""
    table = anomalous_scattering(1.540562)
    assert table.shape == (len(SYMBOLS), 2)
    published = {"C": (0.0181, 0.0091), "Si": (0.2541, 0.3302), "Fe": (-1.1336, 3.1974)}
    for symbol, values in published.items():
        found = table[atomic_number(symbol)]
        assert found == pytest.approx(values, abs=0.004), symbol
    assert np.all(table[[0, 1, 2, 93]] == 0)
    assert np.all(table[3:93, 1] > 0)
