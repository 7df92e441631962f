"""How a lattice may be strained without breaking its symmetry."""

import numpy as np
from jaxtyping import Float, Int

from xrdjax.crystals.lattices import reciprocal_lattice

# Singular values of a projection are 0 or 1.
_HALF = 0.5


def symmetric_strains(
    lattice: Float[np.ndarray, "3 3"], rotations: Int[np.ndarray, "G 3 3"]
) -> Float[np.ndarray, "K 3 3"]:
    """Independent strains that every operation of a group leaves as they are.

    As many as the lattice has free parameters, from 1 (cubic) to 6 (triclinic): a basis of
    the symmetric matrices e with R e R^T = e for each rotation R, orthonormal. A
    lattice L becomes L (1 + sum_k p_k e_k). Nye, Physical Properties of Crystals (1957).

    Args:
        lattice: [3, 3] rows a, b, c, angstrom.
        rotations: [G, 3, 3] of the space group, on the lattice's own axes.
    """
    lattice = np.asarray(lattice, float)
    inverse = reciprocal_lattice(lattice).T
    # x = f L, with f' = W f as a column
    turned = inverse @ np.swapaxes(rotations, 1, 2) @ lattice
    units = np.eye(9).reshape(9, 3, 3)
    symmetric = (units + np.swapaxes(units, 1, 2)) / 2
    images = np.swapaxes(turned, 1, 2)[:, None] @ symmetric[None] @ turned[:, None]
    _, sizes, basis = np.linalg.svd(images.mean(axis=0).reshape(9, 9))
    return basis[sizes > _HALF].reshape(-1, 3, 3)
