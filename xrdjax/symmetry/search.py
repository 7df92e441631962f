"""The symmetry of atoms, found by spglib, always in the reference setting."""

import functools
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import spglib
from jaxtyping import Float, Int
from spglib.error import SpglibError

from xrdjax.errors import InputError
from xrdjax.symmetry.space_groups import space_group


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
def _hall_numbers() -> dict[str, int]:
    """The first of spglib's 530 settings with each Hall symbol."""
    numbers: dict[str, int] = {}
    for hall_number in range(1, 531):
        kind = spglib.get_spacegroup_type(hall_number)
        if kind is not None:
            # some versions of spglib write the double prime as "="
            numbers.setdefault(kind.hall_symbol.replace("=", '"'), hall_number)
    return numbers


def reference_hall_number(number: int) -> int:
    """spglib's number (1 to 530) of the reference setting of a space group.

    Raises:
        InputError: the number is not one of 1 to 230.
    """
    return _hall_numbers()[space_group(number).hall]


@dataclass(frozen=True, eq=False)
class StandardCell:
    """A crystal in the conventional cell of its group's reference setting.

    Attributes:
        space_group: number.
        lattice: [3, 3] rows a, b, c, angstrom.
        positions: [M, 3] fractional coordinates of all atoms.
        source: [M] atom of the original cell of which each is an image.
        orbits: [M] number of the orbit that each belongs to, from 0.
        wyckoff_letters: of each of the M atoms.
    """

    space_group: int
    lattice: Float[np.ndarray, "3 3"]
    positions: Float[np.ndarray, "M 3"]
    source: Int[np.ndarray, " M"]
    orbits: Int[np.ndarray, " M"]
    wyckoff_letters: tuple[str, ...]


def _standard_cell(found: Any) -> StandardCell:
    """From an SpglibDataset (which is a mapping, too, with deprecated items)."""
    # primitive atoms are numbered alike in the original and in the standard cell
    _, source = np.unique(found.mapping_to_primitive, return_index=True)
    source = source[found.std_mapping_to_primitive]
    _, orbits = np.unique(found.crystallographic_orbits[source], return_inverse=True)
    return StandardCell(
        space_group=found.number,
        lattice=np.array(found.std_lattice),
        positions=found.std_positions,
        source=source,
        orbits=orbits,
        wyckoff_letters=tuple(found.wyckoffs[atom] for atom in source),
    )


def find_symmetry(
    lattice: Float[np.ndarray, "3 3"],
    positions: Float[np.ndarray, "N 3"],
    species: Int[np.ndarray, " N"],
    symprec: float,
    name: str,
) -> StandardCell:
    """The symmetry of a cell, as spglib finds it.

    Args:
        lattice: [3, 3] rows a, b, c, angstrom; any cell, primitive or not.
        positions: [N, 3] fractional coordinates of all its atoms.
        species: [N] the same number for atoms of the same species.
        symprec: largest distance of atoms from their symmetric positions, angstrom.
        name: of the crystal, for the message.

    Raises:
        InputError: spglib finds no symmetry.
    """
    cell = (lattice.tolist(), positions.tolist(), species.tolist())
    with warnings.catch_warnings():
        # on failure, spglib 2.7 and 2.8 return None and warn of errors in version 3
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            found = spglib.get_symmetry_dataset(cell, symprec)
            if found is not None:
                hall_number = reference_hall_number(found.number)
                # in 24 groups spglib chooses origin choice 1
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
    return _standard_cell(found)
