"""The split keeps structure types whole and needs nothing but their keys."""

import hashlib
import math

import numpy as np
import pytest

from xrdjax.errors import InputError
from xrdjax.known.splits import split_by_hash

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
