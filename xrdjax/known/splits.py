"""Which crystals are kept out of the statistics, and which of these are for validation.

A split is a hash of seed and key, so that the answer for a crystal depends on no other
crystal, and that anyone can make it again. The key is the structure type, which keeps
types whole, or, for comparison with what is often done, the crystal's own name.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from xrdjax.crystals.structure_types import Analysis, split_by_type
from xrdjax.errors import InputError

KINDS = ("type", "random")
PARTS = ("statistics", "held_out", "validation", "test")
# Share of the held-out types, or crystals, that are for validation.
VALIDATION = 0.2


@dataclass(frozen=True)
class Split:
    """A split of known crystals.

    Attributes:
        held_out: expected share of the types (or crystals) kept out, in [0, 1].
        seed: another seed, another split.
        kind: "type" keeps structure types whole, "random" goes by name.
    """

    held_out: float
    seed: int
    kind: str = "type"


def keys_of(analyses: Sequence[Analysis], split: Split) -> list[str]:
    """What decides on the side of each crystal: its structure type, or its name.

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

    "statistics" is what statistics and training may know, "held_out" all the rest;
    of this, "validation" is a fifth, by another hash of the same keys, and "test" is
    what remains.

    Args:
        analyses: n crystals.
        split: of all known crystals.
        part: one of PARTS.

    Raises:
        InputError: there is no such part or kind, or the share is none.
    """
    if part not in PARTS:
        raise InputError(f"no part {part!r} of a split: expected {', '.join(PARTS)}")
    keys = keys_of(analyses, split)
    held_out = split_by_type(keys, split.held_out, split.seed)
    if part in ("statistics", "held_out"):
        return held_out == (part == "held_out")
    validation = split_by_type(
        [f"validation:{key}" for key in keys], VALIDATION, split.seed
    )
    return held_out & (validation == (part == "validation"))
