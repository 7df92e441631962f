"""The 1731 Wyckoff positions of the space groups in their reference settings.

The table is stored beside this module; `wyckoff_derivation` makes it from the
operations of the groups.
"""

import functools
import string
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Bool, Float, Float32, Int32

from xrdjax.symmetry.space_groups import SPACE_GROUPS, space_group

LETTERS = string.ascii_lowercase + "A"
"""Letters of the positions in their order; only group 47 has the 27th."""

TABLE_PATH = Path(__file__).parent / "data" / "wyckoff.npz"

# The stored maps are integers: coefficients as they are, constants in 1/24.
CONSTANT_UNIT = 24


@dataclass(frozen=True, eq=False)
class WyckoffPosition:
    """One Wyckoff position; atom m is at maps[m] @ (x, y, z, 1).

    Free coordinates that are uniform in [0, 1) cover the position uniformly.

    Attributes:
        space_group: number.
        letter: Wyckoff letter, as in International Tables A.
        multiplicity: atoms in the conventional cell.
        site_symmetry: oriented symbol, as spglib writes it, e.g. ".m." or "4/mmm".
        free: which of x, y and z the position leaves free.
        maps: [M, 3, 4] the atoms of the orbit modulo centring, the representative
            first; the columns of coordinates that are not free are zero.
    """

    space_group: int
    letter: str
    multiplicity: int
    site_symmetry: str
    free: tuple[bool, bool, bool]
    maps: Float[np.ndarray, "M 3 4"]


@struct.dataclass
class WyckoffTable:
    """All Wyckoff positions for compiled code: row = group, column = letter.

    Row 0, which no group has, is a copy of row 1. A letter that a group does not
    have has multiplicity 0.

    Attributes:
        multiplicity: [231, 27] atoms in the conventional cell.
        primitive_multiplicity: [231, 27] atoms in the primitive cell.
        free: [231, 27, 3] which of x, y and z are free.
        first_map: [231, 27] row of `maps` of the position's first atom; the others
            of the primitive cell follow.
        maps: [R, 3, 4] an atom is at maps[r] @ (x, y, z, 1).
    """

    multiplicity: Int32[Array | np.ndarray, "231 27"]
    primitive_multiplicity: Int32[Array | np.ndarray, "231 27"]
    free: Bool[Array | np.ndarray, "231 27 3"]
    first_map: Int32[Array | np.ndarray, "231 27"]
    maps: Float32[Array | np.ndarray, "R 3 4"]


@functools.cache
def _stored() -> dict[str, np.ndarray]:
    """The columns of the stored table, one row a position, and the maps."""
    with np.load(TABLE_PATH) as file:
        return dict(file)


@functools.cache
def _stored_maps() -> Float[np.ndarray, "R 3 4"]:
    maps = _stored()["maps"].astype(np.float64)
    maps[:, :, 3] /= CONSTANT_UNIT
    maps.setflags(write=False)  # every WyckoffPosition holds a view of it
    return maps


@functools.cache
def wyckoff_positions(number: int) -> tuple[WyckoffPosition, ...]:
    """The Wyckoff positions of a space group, from a to the general position.

    Raises:
        InputError: the number is not one of 1 to 230.
    """
    centring_order = len(space_group(number).centring_vectors)
    table = _stored()
    ends = np.cumsum(table["primitive_multiplicity"], dtype=int)
    positions = []
    for row in np.flatnonzero(table["space_group"] == number):
        size = int(table["primitive_multiplicity"][row])
        maps = _stored_maps()[ends[row] - size : ends[row]]
        positions.append(
            WyckoffPosition(
                space_group=int(number),
                letter=LETTERS[table["letter"][row]],
                multiplicity=size * centring_order,
                site_symmetry=str(table["site_symmetry"][row]),
                free=tuple(np.any(maps[0, :, :3], axis=0).tolist()),
                maps=maps,
            )
        )
    return tuple(positions)


@functools.cache
def wyckoff_table() -> WyckoffTable:
    """All Wyckoff positions, with numpy leaves.

    Pass it to compiled functions as an argument: closed over, it would become
    a constant of the program.
    """
    stored, maps = _stored(), _stored_maps()
    size = stored["primitive_multiplicity"].astype(np.int32)
    first = np.cumsum(size, dtype=np.int32) - size
    centring_order = np.array([len(g.centring_vectors) for g in SPACE_GROUPS], np.int32)

    def by_letter(column: np.ndarray) -> np.ndarray:
        table = np.zeros((231, len(LETTERS), *column.shape[1:]), column.dtype)
        table[stored["space_group"], stored["letter"]] = column
        table[0] = table[1]
        return table

    return WyckoffTable(
        multiplicity=by_letter(size * centring_order[stored["space_group"] - 1]),
        primitive_multiplicity=by_letter(size),
        free=by_letter(np.any(maps[first, :, :3], axis=1)),
        first_map=by_letter(first),
        maps=maps.astype(np.float32),
    )
