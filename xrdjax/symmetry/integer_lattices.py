"""Exact linear algebra of integer matrices: normal forms and congruences.

Matrices are tuples of rows of Python integers: exact, hashable, and few enough that
results are cached (a few thousand occur in all space groups).
"""

import functools

import numpy as np

Vector = tuple[int, ...]
Matrix = tuple[Vector, ...]


def rounded(array: np.ndarray) -> np.ndarray:
    """An array of floats that hold integers, as integers.

    Raises:
        ArithmeticError: an entry is further than 1e-6 from an integer.
    """
    integers = np.rint(array).astype(int)
    if np.abs(array - integers).max(initial=0.0) > 1e-6:
        raise ArithmeticError(f"expected integers, got {array}")
    return integers


def to_matrix(array: np.ndarray) -> Matrix:
    """The exact form of a two-dimensional array that holds integers."""
    return tuple(tuple(row) for row in rounded(array).tolist())


def identity(n: int) -> Matrix:
    """The n x n unit matrix."""
    return tuple(tuple(int(i == j) for j in range(n)) for i in range(n))


def multiply(a: Matrix, b: Matrix) -> Matrix:
    """Matrix product a b."""
    columns = tuple(zip(*b, strict=True))
    return tuple(
        tuple(
            sum(x * y for x, y in zip(row, column, strict=True)) for column in columns
        )
        for row in a
    )


def apply(a: Matrix, x: Vector) -> Vector:
    """Matrix times vector, a x."""
    return tuple(sum(p * q for p, q in zip(row, x, strict=True)) for row in a)


@functools.cache
def hermite_form(a: Matrix) -> tuple[Matrix, Matrix]:
    """Row echelon form of a matrix by unimodular row operations.

    H = T A with T unimodular; pivots are positive, entries above a pivot lie
    in [0, pivot), so that the rows of two matrices span the same lattice if
    and only if their non-zero rows of H agree.

    Args:
        a: k x n.

    Returns:
        (H, T), k x n and k x k.
    """
    rows = [list(row + unit) for row, unit in zip(a, identity(len(a)), strict=True)]
    width = len(a[0])
    done = 0
    for column in range(width):
        while True:
            filled = [i for i in range(done, len(rows)) if rows[i][column]]
            if not filled:
                break
            # Euclid: the smallest entry is moved to the top and subtracted from the others.
            least = min(filled, key=lambda i: abs(rows[i][column]))
            rows[done], rows[least] = rows[least], rows[done]
            if rows[done][column] < 0:
                rows[done] = [-entry for entry in rows[done]]
            pivot = rows[done]
            for i in range(len(rows)):
                if i != done:
                    quotient = rows[i][column] // pivot[column]
                    rows[i] = [
                        p - quotient * q for p, q in zip(rows[i], pivot, strict=True)
                    ]
            if not any(rows[i][column] for i in range(done + 1, len(rows))):
                done += 1
                break
    return (
        tuple(tuple(row[:width]) for row in rows),
        tuple(tuple(row[width:]) for row in rows),
    )


@functools.cache
def diagonal_form(a: Matrix) -> tuple[Matrix, Vector, Matrix]:
    """Diagonal form of a matrix by unimodular row and column operations.

    U A V = diag(s); the entries s need not divide each other as in Smith's form.

    Args:
        a: k x n.

    Returns:
        (U, s, V): k x k, the r positive entries, n x n.
    """
    left, right = identity(len(a)), identity(len(a[0]))
    while True:
        a, step = hermite_form(a)
        left = multiply(step, left)
        transposed, step = hermite_form(tuple(zip(*a, strict=True)))
        a = tuple(zip(*transposed, strict=True))
        right = multiply(right, tuple(zip(*step, strict=True)))
        if not any(a[i][j] for i in range(len(a)) for j in range(len(a[0])) if i != j):
            break
    size = min(len(a), len(a[0]))
    return left, tuple(a[i][i] for i in range(size) if a[i][i]), right
