import numpy as np
import pytest
from laws import for_each

from xrdjax.symmetry.integer_lattices import (
    apply,
    diagonal_form,
    hermite_form,
    identity,
    multiply,
    rounded,
    to_matrix,
)

MATRICES = [
    np.random.default_rng(seed).integers(-3, 4, shape)
    for seed in range(30)
    for shape in [(1, 3), (2, 3), (3, 3), (5, 3), (2, 2)]
]
for_each_matrix = for_each("matrix", MATRICES)


def is_unimodular(matrix) -> bool:
    return round(abs(np.linalg.det(np.array(matrix)))) == 1


@for_each_matrix
def test_hermite_form_is_an_echelon_reached_by_a_unimodular_step(matrix):
    form, step = hermite_form(to_matrix(matrix))
    assert is_unimodular(step)
    np.testing.assert_array_equal(np.array(step) @ matrix, form)
    last = -1
    for index, row in enumerate(np.array(form)):
        if not row.any():
            assert not np.array(form)[index:].any()
            break
        column = int(np.flatnonzero(row)[0])
        above = np.array(form)[:index, column]
        assert column > last and row[column] > 0
        assert ((above >= 0) & (above < row[column])).all()
        last = column


@for_each_matrix
def test_hermite_form_depends_on_the_lattice_of_the_rows_only(matrix):
    mixed = np.tril(np.ones((len(matrix), len(matrix)), int)) @ matrix[::-1]
    assert hermite_form(to_matrix(mixed))[0] == hermite_form(to_matrix(matrix))[0]


@for_each_matrix
def test_diagonal_form_is_reached_by_unimodular_steps(matrix):
    left, scales, right = diagonal_form(to_matrix(matrix))
    assert is_unimodular(left) and is_unimodular(right)
    diagonal = np.zeros(matrix.shape, int)
    np.fill_diagonal(diagonal, [*scales, *[0] * (min(matrix.shape) - len(scales))])
    np.testing.assert_array_equal(np.array(left) @ matrix @ np.array(right), diagonal)
    assert all(scale > 0 for scale in scales)
    assert len(scales) == np.linalg.matrix_rank(matrix)


def test_products_are_those_of_numpy():
    a, b = MATRICES[2], MATRICES[7]
    np.testing.assert_array_equal(multiply(to_matrix(a), to_matrix(b)), a @ b)
    np.testing.assert_array_equal(apply(to_matrix(a), (1, -2, 3)), a @ [1, -2, 3])
    np.testing.assert_array_equal(identity(3), np.eye(3))


def test_a_fraction_is_not_taken_for_an_integer():
    np.testing.assert_array_equal(rounded(np.array([1 + 1e-9, -2.0])), [1, -2])
    with pytest.raises(ArithmeticError, match="expected integers"):
        rounded(np.array([0.5]))
