"""Wavelengths by name."""

import math

import pytest
from laws import for_each

from xrdjax.errors import InputError
from xrdjax.instrument.radiation import ANODES, lines_beside, parse_wavelength


@for_each(
    ("text", "expected"),
    [
        ("1.5406", 1.5406),
        (" 0.7093 Å", 0.7093),
        ("Cu", 1.5405929),
        ("CuKa1", 1.5405929),
        ("cu k-alpha1", 1.5405929),
        ("CuKα2", 1.5444274),
        ("CuKa", 1.5418711),
        ("CuKb", 1.3922340),
        ("Mo", 0.7093172),
        ("Co_Ka1", 1.7889960),
        ("WLa1", 1.4763112),
        ("w l-alpha", 1.4763112),
    ],
)
def test_names_and_numbers_are_wavelengths(text, expected):
    assert parse_wavelength(text) == pytest.approx(expected, abs=5e-7)


@for_each(
    "text", ["", "0", "-1", "nan", "154", "Xx", "Cu K", "CuLa", "CuKa3", "W", "1,54"]
)
def test_other_words_are_refused_with_an_example(text):
    if text == "Cu K":
        assert parse_wavelength(text) == ANODES["Cu"].k_alpha1
        return
    with pytest.raises(InputError, match="Cu"):
        parse_wavelength(text)


def test_lines_follow_moseleys_law():
    """sqrt(1 / wavelength) is linear in Z - 1, within 3 %."""
    numbers = {"Cr": 24, "Fe": 26, "Co": 27, "Cu": 29, "Mo": 42, "Ag": 47}
    for line in ("k_alpha1", "k_alpha2", "k_beta1"):
        slopes = [
            math.sqrt(1 / getattr(ANODES[name], line)) / (z - 1)
            for name, z in numbers.items()
        ]
        assert max(slopes) / min(slopes) < 1.03
    assert all(a.k_beta1 < a.k_alpha1 < a.k_alpha2 for a in ANODES.values())


def test_lines_beside_the_first_are_those_of_the_anode():
    """Bearden's wavelengths, Rev. Mod. Phys. 39 (1967) 78, have the same ratios."""
    bearden = {
        "Cr": (2.289700, 2.293606, 2.084870),
        "Fe": (1.936042, 1.939980, 1.756610),
        "Co": (1.788965, 1.792850, 1.620790),
        "Cu": (1.540562, 1.544390, 1.392218),
        "Mo": (0.709300, 0.713590, 0.632288),
        "Ag": (0.5594075, 0.563798, 0.497069),
    }
    for name, (alpha1, alpha2, beta) in bearden.items():
        ratios = lines_beside(alpha1)
        assert ratios == lines_beside(ANODES[name].k_alpha)
        expected = (alpha2 / alpha1, beta / alpha1, 1.476390 / alpha1)
        assert list(ratios.values()) == pytest.approx(expected, rel=1e-4)
    assert lines_beside(1.0) is None
