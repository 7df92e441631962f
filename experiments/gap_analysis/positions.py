"""The Wyckoff position of an atom of a known crystal."""

import numpy as np
from jaxtyping import Float

from xrdjax.crystals.crystal import SAME_ATOM, Structure
from xrdjax.errors import InputError
from xrdjax.symmetry.wyckoff import WyckoffPosition, wyckoff_positions


def wyckoff_position(
    structure: Structure, position: Float[np.ndarray, "3"]
) -> WyckoffPosition:
    """The most special Wyckoff position that holds an atom.

    Args:
        structure: in the reference setting of its space group.
        position: [3] fractional coordinates of the atom.

    Raises:
        InputError: the structure has no space group.
    """
    if structure.space_group is None:
        raise InputError(
            f"{structure.name} has no space group, expected the reference setting of "
            "one: take the `standard` of its analysis"
        )
    images = structure.rotations @ position + structure.translations
    for candidate in wyckoff_positions(structure.space_group):
        representative = candidate.maps[0]
        steps = images @ representative[:, :3].T + representative[:, 3] - images
        steps -= np.round(steps)
        # two images of an atom are twice as far apart as it is from the position
        if np.any(np.sum((steps @ structure.lattice) ** 2, axis=1) < SAME_ATOM**2 / 4):
            return candidate
    raise AssertionError("the general position holds every atom")
