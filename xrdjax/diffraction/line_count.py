"""How many lines a powder pattern has."""

import numpy as np

from xrdjax.crystals.crystal import Structure
from xrdjax.crystals.lattices import reciprocal_metric
from xrdjax.symmetry.absences import systematic_absences

# 1/d^2 that agree to this share are one line.
_SAME = 1e-6


def line_count(structure: Structure, s_range: tuple[float, float]) -> int:
    """Number of different d spacings that the symmetry allows in a range.

    Reflections of the same spacing count once, whether or not they are equivalent;
    systematic absences do not count.

    Args:
        structure: its lattice and all of its operations count, not its atoms.
        s_range: least and largest 1/d, 1/angstrom.
    """
    low, high = s_range
    # |h| <= s |a|, as h = s . a; half of the box has one of each Friedel pair
    h_max, k_max, l_max = (
        int(s) for s in high * np.linalg.norm(structure.lattice, axis=1) * (1 + _SAME)
    )
    h, k, l = np.ogrid[: h_max + 1, -k_max : k_max + 1, -l_max : l_max + 1]
    g = reciprocal_metric(structure.lattice)
    squared = g[0, 0] * h * h + g[1, 1] * k * k + g[2, 2] * l * l
    squared = squared + 2 * (g[0, 1] * h * k + g[0, 2] * h * l + g[1, 2] * k * l)
    found = np.nonzero((squared >= low**2) & (squared <= high**2))
    miller = np.stack(found, axis=1) - np.array([0, k_max, l_max])
    absent = systematic_absences(structure.rotations, structure.translations, miller)
    spacings = np.sort(squared[found][~absent])
    if not len(spacings):
        return 0
    return 1 + int(np.sum(np.diff(spacings) > _SAME * spacings[1:]))
