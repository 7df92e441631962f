"""Symmetry operations of a setting: from triplets such as "-x,y+1/2,z", or from names."""

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


def _operations(ops: Sequence[gemmi.Op]) -> Operations:
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
    ops = []
    for triplet in triplets:
        try:
            ops.append(gemmi.Op(triplet))
        except RuntimeError as error:
            raise InputError(
                f"symmetry operation {triplet!r} cannot be read ({error}); "
                'expected a triplet such as "-x,y+1/2,z"'
            ) from error
    return _operations(ops)


def _gemmi_setting(name: str) -> str:
    """A name with its setting as gemmi writes it: ":1", ":2", ":H", ":R"."""
    name = re.sub(r"_|\((\d)\)", r"\1", name.strip())  # P 2_1/c, P 2(1)/c
    name = re.sub(r"\(?origin choice ([12])\)?", r":\1", name, flags=re.IGNORECASE)
    name = re.sub(
        r"\((hexagonal|rhombohedral) axes\)", _axes, name, flags=re.IGNORECASE
    )
    name = re.sub(r"[\s:]+S$", ":1", name)
    name = re.sub(r"[\s:]+Z$", ":2", name)
    return re.sub(r"\s*:\s*", ":", name)


def _axes(match: re.Match) -> str:
    return f":{match[1][0].upper()}"


def _short_name(name: str) -> str:
    """Short Hermann-Mauguin symbol of a full one: "P 4/n 21/c 2/c" is "P 4/n c c".

    A mirror or glide plane implies the twofold axis along its normal; in cubic groups
    ("-3" in second place) it implies the fourfold axis, too.
    """
    axes = "2|21|4|41|42|43" if "-3" in name.split()[2:3] else "2|21"
    return re.sub(rf"(?<= )(?:{axes})/([a-emn])(?![a-z])", r"\1", name)


def _from_hall(symbol: str) -> list[gemmi.Op] | None:
    try:
        return list(gemmi.symops_from_hall(symbol.replace("_", " ")))
    except (RuntimeError, ValueError):
        return None


def _from_name(name: str, alpha_deg: float, gamma_deg: float) -> list[gemmi.Op] | None:
    name = _gemmi_setting(name)
    for candidate in (name, _short_name(name)):
        # of two origins, the one at the inversion; of two axes, those of the angles
        group = gemmi.find_spacegroup_by_name(
            candidate, alpha_deg, gamma_deg, prefer="2"
        )
        if group is not None:
            return list(group.operations())
    # a setting may be given where there is only one: "P 6/m c c S"
    group = gemmi.find_spacegroup_by_name(name.partition(":")[0])
    if group is not None and ":" not in group.xhm():
        return list(group.operations())
    return None


def _from_number(
    number: int, alpha_deg: float, gamma_deg: float
) -> list[gemmi.Op] | None:
    for group in gemmi.spacegroup_table():
        if group.number == number and group.is_reference_setting():
            return _from_name(group.hm, alpha_deg, gamma_deg)
    return None


def named_operations(
    hall: str, hermann_mauguin: str, number: int, alpha_deg: float, gamma_deg: float
) -> Operations | None:
    """Operations of a named space group: the Hall symbol first, then H-M, then number.

    Args:
        hall: Hall symbol, or "".
        hermann_mauguin: short or full symbol, with or without a setting such as
            ":2", "Z", ":H" or "(origin choice 2)", or "".
        number: 1 to 230, or 0.
        alpha_deg, gamma_deg: of the cell; they distinguish rhombohedral from
            hexagonal axes.

    Returns:
        None if no name is that of a known group.
    """
    ops = _from_hall(hall) if hall else None
    ops = ops or _from_name(hermann_mauguin, alpha_deg, gamma_deg)
    # "P 42/m m c (a,b+1/2,c)" moves the origin, which the number does not
    if ops is None and hermann_mauguin.count(",") != 2:
        ops = _from_number(number, alpha_deg, gamma_deg)
    return _operations(ops) if ops else None
