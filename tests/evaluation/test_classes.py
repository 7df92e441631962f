"""Summed probabilities of extinction symbols, lattices, Laue classes and systems."""

import numpy as np

from xrdjax.evaluation.classes import (
    KINDS,
    class_rows,
    describe_sums,
    sum_probabilities,
)
from xrdjax.evaluation.metrics import enantiomorph_rows, merge_classes

ALL = np.arange(1, 231)
GROUPS = np.array([2, 33, 62, 92, 96, 123, 225])


def shares(**by_number):
    """One pattern's probabilities of GROUPS, from those of single ones."""
    row = [by_number.get(f"group_{n}", 0.0) for n in GROUPS.tolist()]
    return np.array([row])


def test_sums_of_every_kind_add_up_to_the_total_probability():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(230), 20)
    for of_kind in sum_probabilities(probabilities, ALL).values():
        np.testing.assert_allclose(of_kind.probabilities.sum(axis=1), 1)


def test_all_groups_fall_into_as_many_classes_as_crystallography_counts():
    counts = {kind: len(class_rows(kind, ALL)[0]) for kind in KINDS}
    assert counts == {
        "space_group": 219,
        "extinction_symbol": 97,
        "bravais_lattice": 14,
        "centring": 5,
        "laue_class": 11,
        "crystal_system": 7,
    }


def test_space_groups_are_summed_over_enantiomorphic_pairs_alone():
    probabilities = np.random.default_rng(1).dirichlet(np.ones(230), 5)
    classes = enantiomorph_rows(ALL)
    merged = merge_classes(probabilities, classes)[:, np.unique(classes)]
    found = sum_probabilities(probabilities, ALL)["space_group"]
    np.testing.assert_allclose(found.probabilities, merged)


def test_a_class_has_the_sum_over_its_groups():
    sums = sum_probabilities(shares(group_33=0.2, group_62=0.3, group_2=0.5), GROUPS)
    symbols = sums["extinction_symbol"]
    assert symbols.most_probable(0, 2) == [
        ("P - (triclinic)", 0.5),
        ("P n - a (orthorhombic)", 0.5),
    ]
    assert symbols.names[symbols.rows[1]] == symbols.names[symbols.rows[2]]
    assert sums["centring"].most_probable(0, 1) == [("P", 1.0)]


def test_the_lines_name_classes_and_say_what_no_powder_pattern_distinguishes():
    lines = describe_sums(
        sum_probabilities(shares(group_92=0.4, group_96=0.35, group_62=0.25), GROUPS)
    )
    assert lines == [
        "space group        P 41 21 2 or P 43 21 2 75.0 %",
        "extinction symbol  P 41 21 - (tetragonal) 75.0 %, P n - a (orthorhombic) 25.0 %",
        "Bravais lattice    tP 75.0 %, oP 25.0 %",
        "centring           P 100.0 %",
        "Laue class         4/mmm 75.0 %, mmm 25.0 %",
        "crystal system     tetragonal 75.0 %, orthorhombic 25.0 %",
    ]
    assert len(describe_sums(sum_probabilities(shares(group_62=1.0), GROUPS))) == 5
