import gemmi
import numpy as np
import pytest
from laws import for_each

from xrdjax.crystals.elements import (
    ATOMIC_VOLUMES,
    COVALENT_RADII,
    IT92,
    SYMBOLS,
    VAN_DER_WAALS_RADII,
    atomic_number,
)
from xrdjax.errors import InputError

TABLES = (IT92, COVALENT_RADII, VAN_DER_WAALS_RADII, ATOMIC_VOLUMES)


def form_factors(stol2: float) -> np.ndarray:
    """Form factor of each row at s^2 = (sin(theta) / wavelength)^2."""
    return (IT92[:, :4] * np.exp(-IT92[:, 4:8] * stol2)).sum(axis=1) + IT92[:, 8]


def test_padding_scatters_nothing_and_fills_no_volume():
    assert SYMBOLS[0] == "X"
    for table in TABLES:
        assert not table[0].any()


def test_every_table_has_a_row_for_each_symbol():
    assert len(SYMBOLS) == len(set(SYMBOLS)) == 99
    for table in TABLES:
        assert len(table) == 99


def test_unscattered_beam_sees_all_electrons():
    # The fit in the tables misses the charge by up to 0.06 electrons.
    np.testing.assert_allclose(form_factors(0.0), np.arange(99), atol=0.06)


@for_each("stol2", [0.0, 0.04, 0.25])
def test_form_factors_agree_with_gemmi(stol2):
    theirs = [gemmi.Element(z).it92.calculate_sf(stol2) for z in range(1, 99)]
    np.testing.assert_allclose(form_factors(stol2)[1:], theirs, rtol=1e-6)


def test_coefficients_of_iron_are_the_printed_ones():
    # International Tables for Crystallography C (1992), table 6.1.1.4.
    printed = [11.7695, 7.3573, 3.5222, 2.3045, 4.7611, 0.3072, 15.3535, 76.8805]
    np.testing.assert_array_equal(IT92[26], [*printed, 1.0369])


def test_form_factors_of_copper_on_its_first_powder_lines():
    # Cullity, Elements of X-Ray Diffraction (1956), sec. 4-13.
    stol = np.array([0.24, 0.27, 0.39, 0.46, 0.48])
    copper = [form_factors(s**2)[29] for s in stol]
    np.testing.assert_allclose(copper, [22.1, 20.9, 16.8, 14.8, 14.2], atol=0.1)


def test_every_element_has_radii():
    for radii in (COVALENT_RADII, VAN_DER_WAALS_RADII):
        assert (radii[1:] > 0.2).all() and (radii[1:] < 3.5).all()


def test_atomic_volume_is_a_sphere_of_the_mean_radius():
    # Carbon: covalent 0.73, van der Waals 1.70 angstrom.
    assert COVALENT_RADII[6] == 0.73 and VAN_DER_WAALS_RADII[6] == 1.7
    assert ATOMIC_VOLUMES[6] == pytest.approx(4 / 3 * np.pi * 1.215**3)


@for_each("number", range(1, 99))
def test_a_symbol_is_read_in_any_case_with_and_without_charge(number):
    symbol = SYMBOLS[number]
    assert gemmi.Element(symbol).atomic_number == number
    for form in (symbol, symbol.upper(), symbol.lower(), f" {symbol} "):
        for charge in ("", "+", "3+", "2-", "+2", "0", "0+"):
            assert atomic_number(form.strip() + charge) == number
        assert atomic_number(form) == number


@for_each("symbol", ["D", "T", "d", "D+", "D1+"])
def test_isotopes_of_hydrogen_scatter_as_hydrogen(symbol):
    assert atomic_number(symbol) == 1


@for_each("symbol", ["", "X", "Zz", "Es", "Fe3+2", "Iron", "3+", "?", "."])
def test_an_unknown_symbol_is_named_in_the_error(symbol):
    with pytest.raises(InputError) as error:
        atomic_number(symbol)
    assert repr(symbol) in str(error.value)
