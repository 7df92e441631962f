"""Systematic absences of reflections, from the operations of a space group.

An operation x' = W x + w that maps a reflection onto itself, h W = h, multiplies its
structure factor by exp(2 pi i h.w); unless h.w is an integer, the reflection is absent
(International Tables A, 5th edition, ch. 2.2.13).
"""

import functools

import numpy as np
from jaxtyping import Bool, Float, Int

from xrdjax.symmetry.space_groups import SpaceGroup

# Translations are integers in units of 1/24.
_UNIT = 24
# The largest modulus of a condition is that of the screw axis 61.
_LARGEST = 6


def systematic_absences(
    rotations: Int[np.ndarray, "G 3 3"],
    translations: Float[np.ndarray, "G 3"],
    miller: Int[np.ndarray, "H 3"],
) -> Bool[np.ndarray, " H"]:
    """Whether each reflection is systematically absent, whatever the atoms.

    Args:
        rotations: [G, 3, 3] W of all operations, centring translations included.
        translations: [G, 3] w of the same operations.
        miller: [H, 3] h, k, l.
    """
    absent = np.zeros(len(miller), bool)
    # integers held in float64, whose matrix products are many times faster
    h = miller.astype(float)
    shifts = np.rint(_UNIT * translations)
    for rotation, shift in zip(rotations.astype(float), shifts, strict=True):
        if shift.any():
            (fixed,) = np.nonzero(np.all(h @ rotation == h, axis=1))
            absent[fixed] |= h[fixed] @ shift % _UNIT != 0
    return absent


def centring_absences(
    group: SpaceGroup, miller: Int[np.ndarray, "H 3"]
) -> Bool[np.ndarray, " H"]:
    """Which reflections the centring of a group alone forbids, [H]."""
    vectors = group.centring_vectors
    unit = np.broadcast_to(np.eye(3, dtype=int), (len(vectors), 3, 3))
    return systematic_absences(unit, vectors, miller)


def group_absences(
    group: SpaceGroup, miller: Int[np.ndarray, "H 3"]
) -> Bool[np.ndarray, " H"]:
    """Systematic absences of a space group in its reference setting, [H]."""
    # where the centring allows a reflection, its vectors change no phase
    absent = systematic_absences(group.rotations, group.translations, miller)
    return absent | centring_absences(group, miller)


@functools.cache
def distinguishing_reflections() -> Int[np.ndarray, "H 3"]:
    """Reflections that distinguish all conditions; closed under permutations.

    Only reflections in a zone that some operation maps onto itself have conditions
    beyond those of the centring, and no condition has a modulus above 6; general
    reflections with indices up to 4 (such as 124) show the centring. One of each
    Friedel pair.
    """
    axis = np.arange(-_LARGEST, _LARGEST + 1)
    h, k, l = (index.ravel() for index in np.meshgrid(axis, axis, axis, indexing="ij"))
    in_a_zone = (h * k * l == 0) | (h == k) | (k == l) | (l == h)
    low = np.maximum(np.maximum(abs(h), abs(k)), abs(l)) <= 4
    first_of_pair = (h + k + l > 0) | ((h + k + l == 0) & (h * k * l >= 0))
    return np.stack([h, k, l], axis=1)[(in_a_zone | low) & first_of_pair]
