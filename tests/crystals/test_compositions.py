"""Elements that symbols, labels and formulas name."""

import pytest
from laws import for_each

from xrdjax.crystals.compositions import (
    filled_shares,
    formula_counts,
    species_of_site,
)
from xrdjax.crystals.elements import SYMBOLS
from xrdjax.errors import InputError


def _shares(type_symbol: str, label: str = "M1", formula: str = "") -> dict:
    species = species_of_site(type_symbol, label, formula)
    return {SYMBOLS[number]: amount for number, amount in species.shares}


@for_each(
    ("type_symbol", "shares"),
    [
        ("0.7Ta + 0.3W", {"Ta": 0.7, "W": 0.3}),
        ("0.61(2)Ni+0.39(2)Cu", {"Ni": 0.61, "Cu": 0.39}),
        ("0.4Sr, 0.4Ba, 0.2La", {"Sr": 0.4, "Ba": 0.4, "La": 0.2}),
        ("0.5Mn3+ + 0.5Ti4+", {"Mn": 0.5, "Ti": 0.5}),
        ("0.8Li + 0.2\u25a1", {"Li": 0.8}),
        ("0.75OH + 0.25F", {"O": 0.75, "F": 0.25}),
        ("Ge0.4Si0.6", {"Ge": 0.4, "Si": 0.6}),
        ("(Ge0.4,Si0.6)", {"Ge": 0.4, "Si": 0.6}),
    ],
)
def test_a_mixed_type_symbol_names_each_element_with_its_amount(type_symbol, shares):
    assert _shares(type_symbol) == shares


def test_amounts_are_parts_of_the_occupancy_unless_they_add_up_to_it():
    species = species_of_site("0.7Ta + 0.3W", "M1", "")
    assert dict(filled_shares(species, 0.5)) == {73: 0.35, 74: 0.15}
    part = species_of_site("0.5Ta + 0.2W", "M1", "")
    assert dict(filled_shares(part, 0.7)) == {73: 0.5, 74: 0.2}
    assert dict(filled_shares(part, 1.0)) == {73: 0.5, 74: 0.2}


@for_each(
    ("label", "formula", "message"),
    [
        ("T1", "", "tetrahedral site rather than tritium"),
        ("T2", "Al2 Ca O8 Si2", "tetrahedral site"),
        ("Y", "Al O", "names Y, which the formula 'Al O' lacks"),
        ("W2", "Ca O4 S", "names W, which"),
        ("B1", "La Ni O3", "names B, which"),
        ("V1", "Na Cl", "names V, which"),
    ],
)
def test_a_label_whose_element_the_formula_lacks_names_a_site(label, formula, message):
    with pytest.raises(InputError, match=message):
        species_of_site("", label, formula)


@for_each(
    ("label", "formula", "doubt"),
    [
        ("ZnCd", "", "names both Zn and Cd"),
        ("ZNCD", "", "names both Zn and Cd"),
        ("Ca,Sr", "", "names both Ca and Sr"),
        ("KRb1", "K0.5 Rb0.5 Cl", "names both K and Rb"),
        ("Ta0.5Nb0.5", "", "names both Ta and Nb"),
        ("W1", "H4 Na O6", "water"),
        ("SiT1", "", ""),
        ("OBO", "Al3 Na O8 Si", ""),
        ("OW1", "H2 Mg O", ""),
        ("C1A", "C6 H6", ""),
        ("HO2", "C H4 O", ""),
        ("W1", "O3 W", ""),
    ],
)
def test_a_label_that_may_mean_another_element_is_in_doubt(label, formula, doubt):
    species = species_of_site("", label, formula)
    assert doubt in species.doubt if doubt else species.doubt == ""


@for_each(
    ("text", "counts"),
    [
        ("C2 H6 O", {6: 2, 1: 6, 8: 1}),
        ("(Mg.5 Fe.5)2 Si O4", {12: 1, 26: 1, 14: 1, 8: 4}),
        ("D2 O", {1: 2, 8: 1}),
        ("Ca0.75(2) O", {20: 0.75, 8: 1}),
        ("C2 H6 O, H2 O", None),
        ("Qq2", None),
        ("", None),
    ],
)
def test_a_formula_is_counted_or_not_understood(text, counts):
    assert formula_counts(text) == counts
