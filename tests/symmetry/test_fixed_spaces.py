import itertools

import numpy as np
import pytest
from laws import for_each, in_every_group

from xrdjax.symmetry.fixed_spaces import (
    UNIT,
    FixedSpace,
    fixed_spaces,
    solve_congruences,
    to_primitive,
)

# Fractions at which points of any symmetry lie, in 1/24.
SPECIAL = [0, 3, 4, 6, 8, 9, 12, 15, 16, 18, 20, 21]


def contains(space: FixedSpace, points: np.ndarray) -> np.ndarray:
    """Which of the points [n, 3], in 1/24, lie on the space or a translate."""
    if not space.normals:
        return np.ones(len(points), bool)
    levels = points @ np.array(space.normals).T
    return ((levels - np.array(space.levels)) % UNIT == 0).all(axis=1)


@for_each(
    ("a", "b"),
    [
        (((-2, 0, 0), (0, -2, 0), (0, 0, -2)), (0, 12, 0)),  # inversion: points
        (((-2, 0, 0), (0, 0, 0), (0, 0, -2)), (12, 0, 6)),  # twofold axis: lines
        (((-2, 0, 0), (0, 0, 0), (0, 0, 0)), (0, 0, 0)),  # mirror: planes
        (((-2, 0, 0), (0, 0, 0), (0, 0, 0)), (0, 12, 0)),  # glide: nothing
        (((-1, 1, 0), (1, -1, 0), (0, 0, 0)), (6, 18, 0)),
        (((-1, -1, 0), (1, -2, 0), (0, 0, 0)), (8, 16, 0)),  # threefold axis
        (((-1, 1, 0), (-1, -1, 0), (0, 0, -2)), (6, 6, 12)),  # fourfold inversion
        (((0, 0, 0), (0, 0, 0), (0, 0, 0)), (0, 0, 0)),  # identity: all space
    ],
)
def test_solutions_of_congruences_are_all_that_a_search_finds(a, b):
    grid = np.array(list(itertools.product(range(UNIT), repeat=3)))
    searched = ((grid @ np.array(a).T - np.array(b)) % UNIT == 0).all(axis=1)
    found = np.zeros(len(grid), int)
    for space in solve_congruences(a, b):
        found += contains(space, grid)
    np.testing.assert_array_equal(found, searched)  # and none is found twice


def test_a_point_that_is_too_fine_for_the_unit_is_refused():
    with pytest.raises(ArithmeticError, match="1/24"):
        solve_congruences(((5, 0, 0),), (1,))


@in_every_group
def test_every_point_lies_on_spaces_that_explain_its_symmetry(group):
    """The most special space through a point has as many images as its orbit."""
    primitive = to_primitive(group)
    rotations = np.array(primitive.rotations)
    shifts = np.array(primitive.translations)
    rng = np.random.default_rng(group.number)
    points = rng.choice(SPECIAL, (150, 3))
    generic = rng.choice(24, (150, 3))
    points = np.where(rng.random((150, 3)) < 0.7, points, generic)
    images = (np.einsum("gij,nj->ngi", rotations, points) + shifts) % UNIT
    orbit_sizes = [len(np.unique(orbit, axis=0)) for orbit in images]

    explained = np.full(len(points), 0)
    for space in fixed_spaces(primitive):
        point, directions = space.parametric()
        fixes = (rotations @ directions == directions).all(axis=(1, 2))
        fixes &= ((rotations @ point + shifts - point) % UNIT == 0).all(axis=1)
        through = contains(space, images.reshape(-1, 3)).reshape(len(points), -1)
        explained = np.maximum(explained, through.any(axis=1) * fixes.sum())
    np.testing.assert_array_equal(len(rotations) // explained, orbit_sizes)


@in_every_group
def test_the_primitive_basis_has_the_volume_of_a_primitive_cell(group):
    basis = np.array(to_primitive(group).basis) / 6
    volume = abs(np.linalg.det(basis))
    assert volume == pytest.approx(1 / len(group.centring_vectors))
    in_basis = group.centring_vectors @ np.linalg.inv(basis)
    np.testing.assert_allclose(in_basis, np.rint(in_basis), atol=1e-9)
