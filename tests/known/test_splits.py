"""Splits of known crystals into parts, by structure type or by name."""

import dataclasses
import hashlib
import itertools
import math

import numpy as np
import pytest

from xrdjax.crystals.structure_types import analyse
from xrdjax.crystals.textbook import gallery
from xrdjax.errors import InputError
from xrdjax.known.splits import PARTS, VALIDATION, Split, members, split_by_hash

TYPES, OF_EACH = 500, 6


@pytest.fixture(scope="module")
def analyses():
    """As many crystals of each of many types; all have the atoms of halite."""
    halite = analyse(gallery("halite"))

    def crystal(kind, i):
        standard = dataclasses.replace(halite.standard, name=f"{kind}-{i}.cif")
        return dataclasses.replace(halite, standard=standard, type_key=f"type {kind}")

    return [crystal(*ki) for ki in itertools.product(range(TYPES), range(OF_EACH))]


@pytest.mark.parametrize("kind", ["type", "random"])
def test_every_crystal_is_known_or_for_validation_or_for_the_test(analyses, kind):
    split = Split(0.3, 5, kind)
    parts = {part: members(analyses, split, part) for part in PARTS}
    known, held_out = parts["statistics"], parts["held_out"]
    np.testing.assert_array_equal(known, ~held_out)
    np.testing.assert_array_equal(parts["validation"] ^ parts["test"], held_out)
    assert not np.any(parts["validation"] & parts["test"])
    count = TYPES if kind == "type" else TYPES * OF_EACH
    for part, whole, share in [("held_out", 1, 0.3), ("validation", 0.3, VALIDATION)]:
        expected = share * whole
        spread = (expected * (1 - expected) / count) ** 0.5
        assert abs(parts[part].mean() - expected) < 4 * spread


def test_a_split_by_hash_keeps_types_whole_in_every_part(analyses):
    split = Split(0.3, 5)
    for part in PARTS:
        inside = members(analyses, split, part).reshape(TYPES, OF_EACH)
        np.testing.assert_array_equal(inside.all(axis=1), inside.any(axis=1))
    keys = [a.type_key for a in analyses]
    np.testing.assert_array_equal(
        members(analyses, split, "held_out"), split_by_hash(keys, 0.3, 5)
    )


def test_a_random_split_parts_crystals_of_one_type(analyses):
    inside = members(analyses, Split(0.3, 5, "random"), "held_out")
    inside = inside.reshape(TYPES, OF_EACH)
    # a type has all its crystals on one side with 0.3^6 + 0.7^6 = 0.118
    mixed = np.mean(inside.any(axis=1) & ~inside.all(axis=1))
    assert abs(mixed - 0.882) < 4 * (0.882 * 0.118 / TYPES) ** 0.5


def test_a_random_split_depends_on_names_only(analyses):
    split = Split(0.3, 5, "random")
    whole = members(analyses, split, "validation")
    np.testing.assert_array_equal(
        members(analyses[::-1], split, "validation"), whole[::-1]
    )
    other = [dataclasses.replace(a, type_key="another") for a in analyses]
    np.testing.assert_array_equal(members(other, split, "validation"), whole)


def test_what_is_no_split_or_part_is_refused(analyses):
    with pytest.raises(InputError, match="by 'name', expected type or random"):
        members(analyses, Split(0.2, 0, "name"), "test")
    with pytest.raises(InputError, match="no part 'train' of a split: expected stat"):
        members(analyses, Split(0.2, 0), "train")
    with pytest.raises(InputError, match="held_out is 20"):
        members([], Split(20, 0), "test")


KEYS = [f"{n % 230 + 1} AB {n} {m}" for n in range(1, 101) for m in range(1, 21)]


def test_a_type_is_never_on_both_sides():
    keys = [KEYS[i] for i in np.random.default_rng(0).integers(0, 50, 1000)]
    held_out = split_by_hash(keys)
    sides = {key: set() for key in keys}
    for key, side in zip(keys, held_out, strict=True):
        sides[key].add(bool(side))
    assert all(len(side) == 1 for side in sides.values())
    assert {True, False} == set().union(*sides.values())


def test_adding_crystals_moves_no_other():
    whole = split_by_hash(KEYS)
    np.testing.assert_array_equal(split_by_hash(KEYS[::-1]), whole[::-1])
    np.testing.assert_array_equal(split_by_hash(KEYS[:7]), whole[:7])


def test_the_share_of_types_is_the_one_asked_for():
    for held_out in (0.1, 0.2, 0.5):
        share = np.mean(split_by_hash(KEYS, held_out))
        # within four standard deviations of a binomial
        assert (
            abs(share - held_out) < 4 * (held_out * (1 - held_out) / len(KEYS)) ** 0.5
        )


def test_a_larger_share_holds_out_all_that_a_smaller_one_does():
    smaller, larger = split_by_hash(KEYS, 0.2), split_by_hash(KEYS, 0.3)
    assert np.all(larger[smaller])
    assert larger.sum() > smaller.sum()


def test_the_share_may_be_nothing_or_all():
    assert not split_by_hash(KEYS, 0).any()
    assert split_by_hash(KEYS, 1).all()
    assert split_by_hash([]).shape == (0,)


def test_another_seed_is_another_split():
    first, second = split_by_hash(KEYS, 0.5, seed=0), split_by_hash(KEYS, 0.5, seed=1)
    # independent halves agree on half
    assert abs(np.mean(first == second) - 0.5) < 0.06


def test_the_split_is_the_documented_hash():
    digest = hashlib.sha256(b"3:225 AB 4 4").hexdigest()
    place = int(digest[:16], 16) / 16**16
    below, above = np.nextafter(place, [0, 1])
    assert not split_by_hash(["225 AB 4 4"], below, seed=3)[0]
    assert split_by_hash(["225 AB 4 4"], above, seed=3)[0]


@pytest.mark.parametrize("held_out", [-0.1, 1.5, 20, math.nan])
def test_a_share_outside_0_to_1_is_an_error(held_out):
    with pytest.raises(InputError, match="share of the structure types, from 0 to 1"):
        split_by_hash(KEYS, held_out)
