"""The 230 space groups in their reference settings, from gemmi's table.

The reference setting is the standard one of International Tables A: unique
axis b and cell choice 1 (monoclinic), origin choice 2 (centre of inversion at
the origin), hexagonal axes for R.
"""

import functools
from dataclasses import dataclass

import gemmi
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Float32, Int32

from xrdjax.errors import InputError

LATTICE_SYSTEMS = (
    "triclinic",
    "monoclinic",
    "orthorhombic",
    "tetragonal",
    "rhombohedral",
    "hexagonal",
    "cubic",
)

MAX_OPERATIONS = 48
MAX_CENTRING = 4


@dataclass(frozen=True, eq=False)
class SpaceGroup:
    """One space group in its reference setting; x' = W x + w.

    Attributes:
        number: 1 to 230.
        hermann_mauguin: international symbol with spaces, e.g. "F d -3 m".
        hall: Hall symbol, which fixes the setting.
        crystal_system: one of 7; "trigonal" is separate from "hexagonal".
        lattice_system: one of LATTICE_SYSTEMS; a trigonal group is
            "rhombohedral" (R) or "hexagonal" (P).
        centring: P, A, C, F, I or R.
        laue_class: point group of the diffraction pattern, e.g. "-3m".
        point_group: e.g. "-42m".
        is_centrosymmetric: inversion is an operation (then also at the origin).
        is_polar: some direction is invariant under all rotations.
        enantiomorph: number of the mirror-image group, for the 22 that have one.
        rotations: [G, 3, 3] W of the operations modulo centring, identity first.
        translations: [G, 3] w of the same operations.
        centring_vectors: [C, 3], zero first.
    """

    number: int
    hermann_mauguin: str
    hall: str
    crystal_system: str
    lattice_system: str
    centring: str
    laue_class: str
    point_group: str
    is_centrosymmetric: bool
    is_polar: bool
    enantiomorph: int | None
    rotations: np.ndarray
    translations: np.ndarray
    centring_vectors: np.ndarray


@struct.dataclass
class Symmetry:
    """Operations of one space group for compiled code, padded.

    Attributes:
        rotations: [G, 3, 3] W, the first `order` of 48; zero matrices on padding.
        translations: [G, 3] w.
        order: [] operations modulo centring.
        centring: [C, 3] centring vectors, the first `centring_order` of 4.
        centring_order: [] lattice points of the conventional cell.
    """

    rotations: Int32[Array | np.ndarray, "*T G 3 3"]
    translations: Float32[Array | np.ndarray, "*T G 3"]
    order: Int32[Array | np.ndarray, "*T"]
    centring: Float32[Array | np.ndarray, "*T C 3"]
    centring_order: Int32[Array | np.ndarray, "*T"]


def _enantiomorph(group: gemmi.SpaceGroup) -> int | None:
    """Number of the group's image under inversion, where that is another group."""
    if not group.is_enantiomorphic():
        return None
    mirrored = group.operations()
    mirrored.change_basis_forward(gemmi.Op("-x,-y,-z"))
    return gemmi.find_spacegroup_by_ops(mirrored).number


def _lattice_system(group: gemmi.SpaceGroup) -> str:
    system = group.crystal_system_str()
    if system != "trigonal":
        return system
    return "rhombohedral" if group.centring_type() == "R" else "hexagonal"


def _space_group(group: gemmi.SpaceGroup) -> SpaceGroup:
    operations = group.operations()
    rotations = np.array([op.rot for op in operations.sym_ops]) // gemmi.Op.DEN
    translations = np.array([op.tran for op in operations.sym_ops]) / gemmi.Op.DEN
    return SpaceGroup(
        number=group.number,
        hermann_mauguin=group.hm,
        hall=group.hall,
        crystal_system=group.crystal_system_str(),
        lattice_system=_lattice_system(group),
        centring=group.centring_type(),
        laue_class=group.laue_str(),
        point_group=group.point_group_hm(),
        is_centrosymmetric=group.is_centrosymmetric(),
        # The sum over the point group projects onto the invariant vectors.
        is_polar=bool(rotations.sum(axis=0).any()),
        enantiomorph=_enantiomorph(group),
        rotations=rotations.astype(np.int8),
        translations=translations,
        centring_vectors=np.array(operations.cen_ops) / gemmi.Op.DEN,
    )


# Only this filter gives one setting per group: find_spacegroup_by_number returns
# origin choice 1 where there are two.
SPACE_GROUPS: tuple[SpaceGroup, ...] = tuple(
    _space_group(group)
    for group in gemmi.spacegroup_table()
    if group.is_reference_setting()
)


def space_group(number: int) -> SpaceGroup:
    """A space group in its reference setting, by its number.

    Raises:
        InputError: the number is not one of 1 to 230.
    """
    if number not in range(1, 231):
        raise InputError(
            f"no space group {number!r}: expected a number from 1 to 230 "
            "of International Tables A"
        )
    return SPACE_GROUPS[int(number) - 1]


def _pad(array: np.ndarray, size: int, dtype: type) -> np.ndarray:
    padded = np.zeros((size, *array.shape[1:]), dtype)
    padded[: len(array)] = array
    return padded


def symmetry(number: int) -> Symmetry:
    """Operations of a space group as a padded pytree with numpy leaves.

    Raises:
        InputError: the number is not one of 1 to 230.
    """
    group = space_group(number)
    return Symmetry(
        rotations=_pad(group.rotations, MAX_OPERATIONS, np.int32),
        translations=_pad(group.translations, MAX_OPERATIONS, np.float32),
        order=np.array(len(group.rotations), np.int32),
        centring=_pad(group.centring_vectors, MAX_CENTRING, np.float32),
        centring_order=np.array(len(group.centring_vectors), np.int32),
    )


@functools.cache
def symmetry_table() -> Symmetry:
    """Operations of all space groups: row `number` is that group's `symmetry`.

    Returns:
        Symmetry with a leading axis of 231; row 0, which no group has, is a
        copy of row 1. Pass it to compiled functions as an argument.
    """
    rows = [symmetry(max(number, 1)) for number in range(231)]
    fields = Symmetry.__dataclass_fields__
    return Symmetry(
        **{name: np.stack([getattr(row, name) for row in rows]) for name in fields}
    )
