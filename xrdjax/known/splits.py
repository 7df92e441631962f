"""Which crystals are held out of the statistics, and which of these are for validation.

A split is by a hash of seed and key, so that the answer for a crystal depends on no
other crystal, and that anyone can reproduce it. The key is the structure type, which
keeps types whole, or, for comparison with common practice, the name of the crystal.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from xrdjax.crystals.structure_types import Analysis
from xrdjax.errors import InputError

KINDS = ("type", "random")
PARTS = ("statistics", "held_out", "validation", "test")
# Share of the held-out types, or crystals, that are for validation.
VALIDATION = 0.2


@dataclass(frozen=True)
class Split:
    """A split of known crystals.

    Attributes:
        held_out: expected share of the types (or crystals) held out, in [0, 1].
        seed: another seed, another split.
        kind: "type" keeps structure types whole, "random" splits by name.
    """

    held_out: float
    seed: int
    kind: str = "type"


def split_by_hash(
    keys: Sequence[str], held_out: float = 0.2, seed: int = 0
) -> Bool[np.ndarray, " n"]:
    """Which keys are held out, by a hash of each.

    A key is held out where sha256("seed:key"), read as a number in [0, 1), is less than
    held_out. So the answer for a key depends on no other key, and a larger share holds
    out all that a smaller one does.

    Args:
        keys: of n crystals; those with equal keys are on the same side.
        held_out: expected share of the keys, in [0, 1].
        seed: another seed, another split.

    Returns:
        [n] True where the key is held out.

    Raises:
        InputError: held_out is not a share.
    """
    if not 0 <= held_out <= 1:
        raise InputError(
            f"held_out is {held_out}: expected a share of the structure types, from 0 "
            "to 1, such as 0.2"
        )

    def hashed(key: str) -> float:
        digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64

    hashes = {key: hashed(key) for key in set(keys)}
    return np.array([hashes[key] < held_out for key in keys], bool)


def keys_of(analyses: Sequence[Analysis], split: Split) -> list[str]:
    """The key that decides on which side a crystal is: its structure type, or its name.

    Raises:
        InputError: there is no such kind of split.
    """
    if split.kind not in KINDS:
        raise InputError(
            f"the split is by {split.kind!r}, expected {' or '.join(KINDS)}"
        )
    by_type = split.kind == "type"
    return [a.type_key if by_type else a.standard.name for a in analyses]


def members(
    analyses: Sequence[Analysis], split: Split, part: str
) -> Bool[np.ndarray, " n"]:
    """Which crystals are in one part of a split.

    "statistics" may be known to statistics and training, "held_out" is the rest; of
    this, "validation" is a fifth, by another hash of the same keys, and "test" what
    remains.

    Args:
        analyses: n crystals.
        split: of all known crystals.
        part: one of PARTS.

    Raises:
        InputError: there is no such part or kind, or held_out is not a share.
    """
    if part not in PARTS:
        raise InputError(f"no part {part!r} of a split: expected {', '.join(PARTS)}")
    keys = keys_of(analyses, split)
    held_out = split_by_hash(keys, split.held_out, split.seed)
    if part in ("statistics", "held_out"):
        return held_out == (part == "held_out")
    validation = split_by_hash(
        [f"validation:{key}" for key in keys], VALIDATION, split.seed
    )
    return held_out & (validation == (part == "validation"))
