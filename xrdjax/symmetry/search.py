"""The symmetry of atoms, from spglib, always in the reference setting of the group."""

import functools
import warnings
from typing import TypeAlias

import numpy as np
import spglib
from jaxtyping import Float, Int
from spglib.error import SpglibError

from xrdjax.errors import InputError
from xrdjax.symmetry.space_groups import space_group

SymmetryDataset: TypeAlias = spglib.SpglibDataset


@functools.cache
def reference_operations(
    number: int,
) -> tuple[Int[np.ndarray, "G 3 3"], Float[np.ndarray, "G 3"]]:
    """Rotations and translations of a group's reference setting, centring included."""
    group = space_group(number)
    centring = group.centring_vectors
    translations = np.mod(group.translations[None] + centring[:, None], 1.0)
    rotations = np.tile(group.rotations, (len(centring), 1, 1))
    return rotations, translations.reshape(-1, 3)


@functools.cache
def reference_hall_number(number: int) -> int:
    """spglib's number (1 to 530) of the reference setting of a space group.

    Raises:
        InputError: the number is not one of 1 to 230.
    """
    kinds = [spglib.get_spacegroup_type(h) for h in range(1, 531)]
    # Some versions of spglib write the double prime as "=".
    symbols = [
        "" if kind is None else kind.hall_symbol.replace("=", '"') for kind in kinds
    ]
    return 1 + symbols.index(space_group(number).hall)


def find_symmetry(
    lattice: Float[np.ndarray, "3 3"],
    positions: Float[np.ndarray, "N 3"],
    species: Int[np.ndarray, " N"],
    symprec: float,
    name: str,
) -> SymmetryDataset:
    """spglib's symmetry of a cell, with the standard cell in the reference setting.

    Args:
        lattice: [3, 3] rows a, b, c, angstrom; any cell, primitive or not.
        positions: [N, 3] fractional coordinates of all its atoms.
        species: [N] the same number for atoms of the same species.
        symprec: how far atoms may be from their symmetric places, angstrom.
        name: of the crystal, for the message.

    Raises:
        InputError: spglib finds no symmetry.
    """
    cell = (lattice.tolist(), positions.tolist(), species.tolist())
    with warnings.catch_warnings():
        # on failure, spglib 2.7 and 2.8 answer None and warn of raising in version 3
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            found = spglib.get_symmetry_dataset(cell, symprec)
            if found is not None:
                hall_number = reference_hall_number(found.number)
                # spglib's own choice has origin choice 1 in 24 groups
                if found.hall_number != hall_number:
                    found = spglib.get_symmetry_dataset(
                        cell, symprec, hall_number=hall_number
                    )
        except SpglibError:
            found = None
    if found is None:
        raise InputError(
            f"spglib finds no space group for {name} within {symprec} angstrom: "
            "check that no two atoms overlap, or use another symprec"
        )
    return found
