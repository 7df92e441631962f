"""Miller indices of a family of reflections, as crystallographers write them."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int

from xrdjax.crystals.crystal import Crystal
from xrdjax.symmetry.space_groups import Symmetry

# Indices are below 512; those of equivalent reflections are below 1024.
_LIMIT = 1024


def _rank(
    miller: Int[Array | np.ndarray, "H 3"],
) -> tuple[Int[Array | np.ndarray, " H"], Int[Array | np.ndarray, " H"]]:
    """Two numbers, to be compared one after the other: the smaller, the more usual."""
    h, k, l = miller[:, 0], miller[:, 1], miller[:, 2]
    negative = (miller < 0).astype(miller.dtype)
    signs = 2 * negative.sum(axis=1, dtype=miller.dtype) + negative[:, 2]
    first = signs * 2 * _LIMIT + _LIMIT - h
    return first, (_LIMIT - k) * 2 * _LIMIT + _LIMIT - l


def conventional_indices(
    miller: Int[Array, "H 3"], symmetry: Symmetry
) -> Int[Array, "H 3"]:
    """The member of each family of reflections that is usually written.

    Of the equivalents h W and their Friedel mates it is the one with the fewest
    negative indices; of several, one with l >= 0; of these the one with the largest h,
    then k, then l. So quartz has 100, 101, 110 and 102, and a monoclinic crystal has
    -111 beside 111. The rule needs the operations alone and holds in any setting.

    Args:
        miller: [H, 3] one reflection of each family.
        symmetry: operations of the crystal's setting.
    """

    def visit(g, best):
        image = miller @ symmetry.rotations[g].astype(miller.dtype)
        for candidate in (image, -image):
            (first, second), (least, then) = _rank(candidate), _rank(best)
            better = (first < least) | ((first == least) & (second < then))
            best = jnp.where(better[:, None], candidate, best)
        return best

    return lax.fori_loop(0, jnp.asarray(symmetry.order), visit, miller)


def equivalent_reflections(
    crystal: Crystal, miller: tuple[int, int, int]
) -> Int[np.ndarray, "m 3"]:
    """All members of a reflection's family, Friedel mates included.

    Args:
        crystal: whose operations make reflections equivalent, h' = +-h W.
        miller: indices of one of them, in the crystal's setting.

    Returns:
        [m, 3], the one that is usually written first (see `conventional_indices`), and
        m is the multiplicity.
    """
    order = int(crystal.symmetry.order)
    images = np.asarray(miller) @ np.asarray(crystal.symmetry.rotations)[:order]
    members = np.unique(np.concatenate([images, -images]), axis=0)
    first, second = _rank(members)
    return members[np.lexsort((second, first))]
