"""Points, lines and planes that are invariant under site-symmetry groups, exactly.

The points fixed by a site-symmetry group are an intersection of the fixed spaces
of single operations (W, w + t), t any lattice translation. A Wyckoff position is
an orbit of such spaces under the space group (International Tables A, ch. 1.4.4).
Everything is integer arithmetic in a primitive basis, where the lattice is Z^3 and
"modulo the lattice" means "modulo 1", so that infinitely many t are one system of
congruences:

    x is fixed by (W, w + t) for some t   <=>   (W - 1) x = -w  (mod 1)
"""

import itertools
from dataclasses import dataclass

import numpy as np

from xrdjax.symmetry.integer_lattices import (
    Matrix,
    Vector,
    apply,
    diagonal_form,
    hermite_form,
    identity,
    multiply,
    to_matrix,
)
from xrdjax.symmetry.space_groups import SpaceGroup

# Coordinates are integers in units of 1/24: no group needs a finer fraction.
UNIT = 24

# Primitive vectors are integers in units of 1/6: halves, and thirds for R.
BASIS_UNIT = 6


@dataclass(frozen=True)
class FixedSpace:
    """All x with normals x = levels (mod 1): a space and its lattice translates.

    Attributes:
        normals: Hermite form of the primitive integer vectors normal to it.
        levels: in units of 1/24, in [0, 24).
    """

    normals: Matrix
    levels: Vector

    @property
    def dimension(self) -> int:
        """0 for a point, 1 for a line, 2 for a plane, 3 for all space."""
        return 3 - len(self.normals)

    def parametric(self) -> tuple[np.ndarray, np.ndarray]:
        """A point of the space and the directions that span it.

        Returns:
            [3] integers in units of 1/24, and [3, dimension] primitive integer
            columns.
        """
        if not self.normals:
            return np.zeros(3, int), np.eye(3, dtype=int)
        # U N V = (1 0): the normals are primitive, so that all scales are 1.
        left, scales, right = diagonal_form(self.normals)
        columns = np.array(right)
        point = columns[:, : len(scales)] @ np.array(apply(left, self.levels))
        return point, columns[:, len(scales) :]


@dataclass(frozen=True)
class PrimitiveGroup:
    """Operations of a space group in a primitive basis, translations modulo 1.

    Attributes:
        basis: rows are primitive vectors in conventional coordinates, in units
            of 1/6.
        rotations: W.
        inverses: W^-1.
        translations: w in units of 1/24.
    """

    basis: Matrix
    rotations: tuple[Matrix, ...]
    inverses: tuple[Matrix, ...]
    translations: tuple[Vector, ...]


def to_primitive(group: SpaceGroup) -> PrimitiveGroup:
    """The operations of a group in a basis of its lattice."""
    generators = np.vstack([np.eye(3), group.centring_vectors])
    basis = hermite_form(to_matrix(BASIS_UNIT * generators))[0][:3]
    # x = B^T u / 6, so that W' = B^-T W B^T and w' = 6 B^-T w.
    transpose = np.array(basis).T
    inverse = np.linalg.inv(transpose)
    rotations = tuple(to_matrix(inverse @ w @ transpose) for w in group.rotations)
    return PrimitiveGroup(
        basis=basis,
        rotations=rotations,
        inverses=tuple(hermite_form(w)[1] for w in rotations),
        translations=to_matrix(BASIS_UNIT * UNIT * group.translations @ inverse.T),
    )


def _fixed_space(normals: Matrix, levels: Vector) -> FixedSpace:
    if not normals:
        return FixedSpace((), ())
    hermite, step = hermite_form(normals)
    return FixedSpace(hermite, tuple(level % UNIT for level in apply(step, levels)))


def solve_congruences(a: Matrix, b: Vector) -> list[FixedSpace]:
    """All solutions of A x = b (mod 1), as the spaces that they form.

    With U A V = diag(s), y = V^-1 x: s_i y_i = (U b)_i (mod 1) has the s_i
    solutions ((U b)_i + k) / s_i; a row without s_i requires (U b)_i = 0 (mod 1).

    Args:
        a: k x 3 integers.
        b: k, in units of 1/24.
    """
    left, scales, right = diagonal_form(a)
    levels = apply(left, b)
    if any(level % UNIT for level in levels[len(scales) :]):
        return []
    normals = hermite_form(right)[1][: len(scales)]  # rows of V^-1
    solutions = []
    for turns in itertools.product(*map(range, scales)):
        values = []
        for scale, level, turn in zip(scales, levels, turns, strict=False):
            value, rest = divmod(level + UNIT * turn, scale)
            if rest:
                raise ArithmeticError(f"a fixed point is not a multiple of 1/{UNIT}")
            values.append(value)
        solutions.append(_fixed_space(normals, tuple(values)))
    return solutions


def _image(space: FixedSpace, inverse: Matrix, translation: Vector) -> FixedSpace:
    """Image of a space under x' = W x + w: N W^-1 (x' - w) = n."""
    normals = multiply(space.normals, inverse)
    shift = apply(normals, translation)
    levels = tuple(p + q for p, q in zip(space.levels, shift, strict=True))
    return _fixed_space(normals, levels)


def fixed_spaces(group: PrimitiveGroup) -> list[FixedSpace]:
    """One fixed space of each Wyckoff position of a group, modulo the lattice.

    Spaces of single operations are intersected until nothing new appears; the
    group acts on the intersections, so one member of each orbit is enough.
    """
    single: list[FixedSpace] = []
    for rotation, w in zip(group.rotations, group.translations, strict=True):
        displacement = tuple(
            tuple(p - q for p, q in zip(*rows, strict=True))
            for rows in zip(rotation, identity(3), strict=True)
        )
        single += solve_congruences(displacement, tuple(-entry for entry in w))

    seen: set[FixedSpace] = set()
    orbits: list[FixedSpace] = []

    def add(space: FixedSpace) -> None:
        if space not in seen:
            orbits.append(space)
            seen.update(
                _image(space, inverse, w)
                for inverse, w in zip(group.inverses, group.translations, strict=True)
            )

    for space in single:
        add(space)
    extended = sorted(
        {s for s in single if 0 < s.dimension < 3}, key=lambda s: (s.normals, s.levels)
    )
    for space in orbits:  # grows during the iteration
        if space.dimension == 0 or space.dimension == 3:
            continue
        for other in extended:
            normals = space.normals + other.normals
            for common in solve_congruences(normals, space.levels + other.levels):
                add(common)
    return orbits
