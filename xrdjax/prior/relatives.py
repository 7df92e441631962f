"""Which space groups and positions are alike, for estimates of rare ones."""

import functools

import numpy as np
from jaxtyping import Int

from xrdjax.symmetry.arithmetic_classes import arithmetic_class
from xrdjax.symmetry.space_groups import SPACE_GROUPS, SpaceGroup
from xrdjax.symmetry.wyckoff import wyckoff_table

LEVELS = (
    "enantiomorphic pair",
    "arithmetic crystal class",
    "point group",
    "lattice system",
    "all groups",
)
"""What a group has in common with its relatives, the closest relatives first."""


def _names(group: SpaceGroup) -> tuple[str, ...]:
    """Name of the family of a group at each level."""
    return (
        str(min(group.number, group.enantiomorph or group.number)),
        arithmetic_class(group.number),
        group.point_group,
        group.lattice_system,
        "",
    )


@functools.cache
def relatives() -> Int[np.ndarray, "L 230"]:
    """Families of the groups at each of LEVELS; those with equal numbers are relatives.

    Returns:
        [L, 230] number of the family of group n in column n - 1, from 0.
    """
    names = np.array([_names(group) for group in SPACE_GROUPS])
    return np.stack([np.unique(column, return_inverse=True)[1] for column in names.T])


@functools.cache
def kinds_of_positions() -> Int[np.ndarray, "230 27"]:
    """Kind of each Wyckoff position; -1 for a letter that the group does not have.

    Positions are of one kind if they have equally many free coordinates, and site
    symmetry of the same order (multiplicity of the general position over theirs).
    """
    table = wyckoff_table()
    multiplicity = table.multiplicity[1:]
    order = multiplicity.max(axis=1, keepdims=True) // np.maximum(multiplicity, 1)
    free = table.free[1:].sum(axis=-1)
    exists = multiplicity > 0
    _, kinds = np.unique(1000 * free[exists] + order[exists], return_inverse=True)
    table_of_kinds = np.full(exists.shape, -1)
    table_of_kinds[exists] = kinds
    return table_of_kinds
