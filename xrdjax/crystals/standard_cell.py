"""One unit cell for each lattice: what a network is asked for, and answers are compared by.

The reference setting of a space group does not fix the cell: in P 21 21 21 the axes may
be called by any of their permutations, and in P -1 any cell will do. Here the cell of a
lattice is unique, given its Bravais lattice:

| Bravais lattice | cell |
| --- | --- |
| cubic, tetragonal, hexagonal, rhombohedral | that of the setting; R on hexagonal axes |
| oP, oI, oF | a <= b <= c |
| oS | C-centred (from A: b, c, a), a <= b |
| mP | unique axis b; a and c the shortest, a <= c, beta >= 90 degrees |
| mS | unique axis b, C-centred; a and c as short as can be, beta >= 90 degrees |
| aP | reduced: the three shortest vectors, a <= b <= c, all angles acute or none |

All functions work on one lattice and are traced; nothing is differentiated.
"""

import functools

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from xrdjax.crystals.lattices import lattice_from_parameters, parameters_from_lattice
from xrdjax.symmetry.extinction import classification
from xrdjax.symmetry.space_groups import space_group

BRAVAIS_LATTICES = (
    *("aP", "mP", "mS", "oP", "oS", "oI", "oF"),
    *("tP", "tI", "hP", "hR", "cP", "cI", "cF"),
)

# Which of a, b, c, alpha, beta, gamma are free, which length each length is equal to,
# and angles that are not free, for each family.
_FREE = {
    "a": (1, 1, 1, 1, 1, 1),
    "m": (1, 1, 1, 0, 1, 0),
    "o": (1, 1, 1, 0, 0, 0),
    "t": (1, 0, 1, 0, 0, 0),
    "h": (1, 0, 1, 0, 0, 0),
    "c": (1, 0, 0, 0, 0, 0),
}
_TIES = {"t": (0, 0, 2), "h": (0, 0, 2), "c": (0, 0, 0)}
FREE = np.array([_FREE[name[0]] for name in BRAVAIS_LATTICES], bool)
"""[L, 6] which parameters of each of BRAVAIS_LATTICES are free."""
TIES = np.array([_TIES.get(name[0], (0, 1, 2)) for name in BRAVAIS_LATTICES], np.int32)
"""[L, 3] which of a, b, c each length is equal to."""
ANGLES = np.array(
    [[90, 90, 120 if name[0] == "h" else 90] for name in BRAVAIS_LATTICES]
)
"""[L, 3] degrees of the angles that are not free."""

# Rows are vectors of a primitive cell on those of the conventional one.
_PRIMITIVE = {
    "P": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "S": ((0.5, 0.5, 0), (-0.5, 0.5, 0), (0, 0, 1)),
    "I": ((-0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0.5, 0.5, -0.5)),
    "F": ((0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)),
    "R": ((2 / 3, 1 / 3, 1 / 3), (-1 / 3, 1 / 3, 1 / 3), (-1 / 3, -2 / 3, 1 / 3)),
}
_PRIMITIVES = np.array([_PRIMITIVE[name[1]] for name in BRAVAIS_LATTICES], np.float32)

# Steps that reduce any cell of known crystals many times over.
_STEPS = 24
# Cosines below this are those of right angles, in single precision.
_RIGHT = 1e-5


@functools.cache
def bravais_rows() -> Int[np.ndarray, "231"]:
    """Row of each space group's lattice in BRAVAIS_LATTICES; row 0 of none is 0."""
    rows = [
        BRAVAIS_LATTICES.index(classification(number).bravais_lattice)
        for number in range(1, 231)
    ]
    return np.array([0, *rows], np.int32)


@functools.cache
def _axes() -> Int[np.ndarray, "231 3"]:
    """Axes of each group's setting that make a C-centred cell of an A-centred one."""
    is_a_centred = [n > 0 and space_group(n).centring == "A" for n in range(231)]
    return np.where(np.array(is_a_centred)[:, None], [1, 2, 0], [0, 1, 2])


def _sorted_lengths(
    cell: Float[Array, "6"], bravais: Int[Array, ""]
) -> Float[Array, "6"]:
    """A cell of right angles with a <= b <= c, or only a <= b where it is C-centred."""
    base = jnp.sort(cell[:2])
    lengths = jnp.sort(cell[:3])
    is_based = bravais == BRAVAIS_LATTICES.index("oS")
    lengths = jnp.where(is_based, jnp.concatenate([base, cell[2:3]]), lengths)
    return jnp.concatenate([lengths, cell[3:]])


def _monoclinic(cell: Float[Array, "6"], bravais: Int[Array, ""]) -> Float[Array, "6"]:
    """Reduces a and c in their plane, as far as the centring leaves them a choice.

    c may become c + n a, and a may become a + n c, in mS with an even n.
    """
    a = jnp.stack([cell[0], jnp.zeros_like(cell[0])])
    c = cell[2] * jnp.stack([jnp.cos(cell[4]), jnp.sin(cell[4])])
    is_centred = bravais == BRAVAIS_LATTICES.index("mS")
    even = jnp.where(is_centred, 2.0, 1.0)

    def reduce(_, vectors):
        a, c = vectors
        c = c - jnp.round(jnp.sum(a * c) / jnp.sum(a**2)) * a
        a = a - jnp.round(jnp.sum(a * c) / jnp.sum(c**2) / even) * even * c
        return a, c

    a, c = lax.fori_loop(0, _STEPS, reduce, (a, c))
    a_length, c_length = jnp.sqrt(jnp.sum(a**2)), jnp.sqrt(jnp.sum(c**2))
    cosine = -jnp.abs(jnp.sum(a * c)) / (a_length * c_length)
    swap = ~is_centred & (a_length > c_length)
    first = jnp.where(swap, c_length, a_length)
    last = jnp.where(swap, a_length, c_length)
    beta = jnp.arccos(jnp.clip(cosine, -1.0, 1.0))
    return jnp.stack([first, cell[1], last, cell[3], beta, cell[5]])


def reduced_cell(lattice: Float[Array, "3 3"]) -> Float[Array, "6"]:
    """The reduced cell of a primitive lattice: its three shortest vectors.

    Semaev, Lect. Notes Comput. Sci. 2146 (2001) 181, "A 3-dimensional lattice reduction
    algorithm". But where vectors are of equal length, or angles right, it is the cell
    of Niggli (International Tables A (2016), ch. 3.1.3).

    Args:
        lattice: [3, 3] rows a, b, c, angstrom.

    Returns:
        [6] a <= b <= c (angstrom), alpha, beta, gamma (radians), all below 90 degrees
        or none.
    """
    near = jnp.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)], jnp.float32)

    def by_length(vectors):
        return vectors[jnp.argsort(jnp.sum(vectors**2, axis=1))]

    def reduce(_, vectors):
        a, b, c = by_length(vectors)
        b = b - jnp.round(jnp.sum(a * b) / jnp.sum(a**2)) * a
        aa, bb, ab = jnp.sum(a * a), jnp.sum(b * b), jnp.sum(a * b)
        ac, bc = jnp.sum(a * c), jnp.sum(b * c)
        scale = aa * bb - ab**2
        i, j = (bb * ac - ab * bc) / scale, (aa * bc - ab * ac) / scale
        steps = jnp.round(jnp.stack([i, j]))[None] + near
        shifts = steps[:, :1] * a[None] + steps[:, 1:] * b[None]
        candidates = c[None] - shifts
        c = candidates[jnp.argmin(jnp.sum(candidates**2, axis=1))]
        return jnp.stack([a, b, c])

    vectors = by_length(lax.fori_loop(0, _STEPS, reduce, lattice))
    cell = parameters_from_lattice(vectors)
    cosines = jnp.cos(cell[3:])
    is_right = jnp.min(jnp.abs(cosines)) < _RIGHT
    acute = ~is_right & (jnp.prod(cosines) > 0)
    sizes = jnp.abs(cosines)
    return jnp.concatenate(
        [cell[:3], jnp.arccos(jnp.clip(jnp.where(acute, sizes, -sizes), -1.0, 1.0))]
    )


def standard_cell(
    cell: Float[Array, "6"], space_group: Int[Array, ""]
) -> Float[Array, "6"]:
    """The cell of a lattice that this module's table describes.

    Args:
        cell: [6] a, b, c (angstrom), alpha, beta, gamma (radians) in the reference
            setting of the group.
        space_group: [] its number.

    Returns:
        [6] as `cell`.
    """
    bravais = jnp.asarray(bravais_rows())[space_group]
    axes = jnp.asarray(_axes())[space_group]
    cell = jnp.concatenate([cell[:3][axes], cell[3:][axes]])
    is_triclinic, is_monoclinic, is_orthorhombic = (
        jnp.asarray([name[0] == family for name in BRAVAIS_LATTICES])[bravais]
        for family in "amo"
    )
    result = jnp.where(is_orthorhombic, _sorted_lengths(cell, bravais), cell)
    result = jnp.where(is_monoclinic, _monoclinic(cell, bravais), result)
    return jnp.where(is_triclinic, reduced_cell(lattice_from_parameters(*cell)), result)


def primitive_cell(
    cell: Float[Array, "6"], bravais: Int[Array, ""]
) -> Float[Array, "6"]:
    """The reduced primitive cell of a standard one.

    Args:
        cell: [6] a, b, c (angstrom), alpha, beta, gamma (radians), of `standard_cell`.
        bravais: [] row of its lattice in BRAVAIS_LATTICES.
    """
    vectors = jnp.asarray(_PRIMITIVES)[bravais]
    lattice = lattice_from_parameters(*cell)
    # a sum, as a matrix product is of low precision on accelerators
    return reduced_cell(jnp.sum(vectors[:, :, None] * lattice[None], axis=1))
