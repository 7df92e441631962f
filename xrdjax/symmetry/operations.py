"""Symmetry operations of a setting, from triplets such as "-x,y+1/2,z"."""

import dataclasses
import functools
import re
import warnings
from collections.abc import Sequence

import gemmi
import numpy as np
import spglib
from spglib.error import SpglibError

from xrdjax.errors import InputError

# More than any cell needs: 192, doubled along each axis, have 1,536.
MOST_OPERATIONS = 4096

# Other letters stand for indices (h,k,l) or a change of axes (a,b,c).
_COORDINATES_ONLY = re.compile(r"[xyzXYZ\d\s+\-*/.,]+")


@dataclasses.dataclass(frozen=True, eq=False)
class Operations:
    """All operations of one setting, modulo lattice translations; x' = W x + w.

    Attributes:
        rotations: [G, 3, 3] int8 W, centring translations included.
        translations: [G, 3] float64 w in [0, 1).
        triplets: the same operations as text, in the same order.
    """

    rotations: np.ndarray
    translations: np.ndarray
    triplets: tuple[str, ...]

    @functools.cached_property
    def is_group(self) -> bool:
        """Whether each has an inverse, and the product of any two is one of them."""
        rotations = self.rotations.astype(int)
        translations = np.round(self.translations * gemmi.Op.DEN).astype(int)
        if np.any(np.abs(np.round(np.linalg.det(rotations))) != 1):
            return False
        codes = _codes(rotations, translations)
        # all pairs of 200 operations at a time: a large cell may have thousands
        for start in range(0, len(codes), 200):
            w = rotations[start : start + 200, None]
            v = translations[start : start + 200, None]
            products = _codes(w @ rotations, (w @ translations[..., None])[..., 0] + v)
            if not np.isin(products, codes).all():
                return False
        return True

    @functools.cached_property
    def space_group(self) -> int | None:
        """Number of the space group that they form; None if they form none."""
        known = gemmi.find_spacegroup_by_ops(self._group())
        return known.number if known else _number(self.rotations, self.translations)

    def combined(self, centrings: "Operations") -> "Operations":
        """Each operation before each of others, which are translations as a rule.

        Raises:
            InputError: one maps space onto a plane.
        """
        for each in (self, centrings):
            flat = np.round(np.linalg.det(each.rotations.astype(int))) == 0
            if np.any(flat):
                shown = each.triplets[int(np.argmax(flat))]
                raise InputError(f"{shown!r} is no symmetry operation")
        return unique_operations(
            [
                gemmi.Op(centring) * gemmi.Op(triplet)
                for centring in centrings.triplets
                for triplet in self.triplets
            ]
        )

    def _group(self) -> gemmi.GroupOps:
        return gemmi.GroupOps([gemmi.Op(triplet) for triplet in self.triplets])


def _codes(rotations: np.ndarray, translations: np.ndarray) -> np.ndarray:
    """One integer for each operation; translations [..., 3] in units of 1/24."""
    w = rotations.reshape(*rotations.shape[:-2], 9)
    # as digits; entries of W, at most 12 in magnitude, stay distinct modulo 25
    digits = np.concatenate([w % 25, translations % gemmi.Op.DEN], axis=-1)
    return digits @ 25 ** np.arange(12)


def _number(rotations: np.ndarray, translations: np.ndarray) -> int | None:
    """Space group of a setting that gemmi's table does not have, from spglib."""
    with warnings.catch_warnings():
        # newer versions of spglib warn that failures will raise errors in the future
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            found = spglib.get_spacegroup_type_from_symmetry(rotations, translations)
        except SpglibError:
            return None
    return found.number if found else None


def unique_operations(ops: Sequence[gemmi.Op]) -> Operations:
    """Distinct operations, with translations in [0, 1)."""
    unique = {op.wrap().triplet(): op for op in ops}
    rotations = np.array([op.rot for op in unique.values()]) // gemmi.Op.DEN
    translations = np.array([op.tran for op in unique.values()]) / gemmi.Op.DEN
    return Operations(rotations.astype(np.int8), translations, tuple(unique))


@functools.lru_cache(maxsize=4096)
def parse_operations(triplets: tuple[str, ...]) -> Operations:
    """Distinct operations from their triplets.

    Raises:
        InputError: a triplet cannot be read.
    """
    if len(triplets) > MOST_OPERATIONS:
        raise InputError(
            f"there are {len(triplets)} symmetry operations: expected at most "
            f"{MOST_OPERATIONS}"
        )
    ops = []
    for triplet in triplets:
        try:
            if not _COORDINATES_ONLY.fullmatch(triplet):
                raise RuntimeError("it is not made of x, y, z and numbers")
            ops.append(gemmi.Op(triplet))
        except RuntimeError as error:
            raise InputError(
                f"symmetry operation {triplet!r} cannot be read ({error}); "
                'expected a triplet such as "-x,y+1/2,z"'
            ) from error
    return unique_operations(ops)
