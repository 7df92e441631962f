"""Unit-cell parameters, lattice vectors, and the reciprocal lattice.

A lattice is [3, 3]; its rows are the vectors a, b, c in angstrom. The functions work
on NumPy arrays in float64 (files, checks) and on JAX arrays, traced or not (sampling,
diffraction), and return what they are given.
"""

from typing import TypeVar, overload

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Float, Int

from xrdjax.ops.compensated import total_of, two_product
from xrdjax.ops.namespaces import namespace
from xrdjax.ops.safe import safe_divide, safe_sqrt

AnyArray = TypeVar("AnyArray", bound=Array | np.ndarray)


@overload
def lattice_from_parameters(
    a: Array, b: Array, c: Array, alpha: Array, beta: Array, gamma: Array
) -> Float[Array, "3 3"]: ...
@overload
def lattice_from_parameters(
    a: float, b: float, c: float, alpha: float, beta: float, gamma: float
) -> Float[np.ndarray, "3 3"]: ...
def lattice_from_parameters(
    a: ArrayLike,
    b: ArrayLike,
    c: ArrayLike,
    alpha: ArrayLike,
    beta: ArrayLike,
    gamma: ArrayLike,
) -> Float[Array | np.ndarray, "3 3"]:
    """Lattice vectors with a along x and b in the x-y plane.

    c = c (cos beta, (cos alpha - cos beta cos gamma) / sin gamma, v / sin gamma),
    v^2 = 1 - cos^2 alpha - cos^2 beta - cos^2 gamma
          + 2 cos alpha cos beta cos gamma.
    International Tables for Crystallography B, ch. 3.3.

    Args:
        a, b, c: [] lengths, angstrom.
        alpha, beta, gamma: [] angles, radians.

    Returns:
        [3, 3] rows a, b, c. Angles that close no cell (v^2 <= 0) give a flat one, of
        volume zero, so that gradients elsewhere in a batch stay finite.
    """
    xp = namespace(a, b, c, alpha, beta, gamma)
    cos_alpha, cos_beta, cos_gamma = xp.cos(alpha), xp.cos(beta), xp.cos(gamma)
    sin_gamma = xp.sin(gamma)
    squared = (
        1
        - cos_alpha**2
        - cos_beta**2
        - cos_gamma**2
        + 2 * cos_alpha * cos_beta * cos_gamma
    )
    v = safe_sqrt(squared)
    zero = xp.zeros_like(v)
    return xp.stack(
        [
            xp.stack([a + zero, zero, zero]),
            xp.stack([b * cos_gamma, b * sin_gamma, zero]),
            xp.stack(
                [
                    c * cos_beta,
                    c * (cos_alpha - cos_beta * cos_gamma) / sin_gamma,
                    c * v / sin_gamma,
                ]
            ),
        ]
    )


def parameters_from_lattice(lattice: Float[AnyArray, "3 3"]) -> Float[AnyArray, "6"]:
    """Unit-cell parameters (a, b, c in angstrom, alpha, beta, gamma in radians).

    Args:
        lattice: [3, 3] rows a, b, c, angstrom.
    """
    xp = namespace(lattice)
    lengths = xp.sqrt(xp.sum(lattice**2, axis=1))
    directions = lattice / lengths[:, None]
    # alpha is between b and c, beta between c and a, gamma between a and b
    cosines = xp.sum(
        directions[xp.array([1, 2, 0])] * directions[xp.array([2, 0, 1])], axis=1
    )
    return xp.concatenate([lengths, xp.arccos(xp.clip(cosines, -1.0, 1.0))])


def unit_cell_volume(lattice: Float[AnyArray, "3 3"]) -> Float[AnyArray, ""]:
    """Volume a . (b x c), cubic angstrom; negative for a left-handed cell.

    Args:
        lattice: [3, 3] rows a, b, c, angstrom.
    """
    xp = namespace(lattice)
    # NumPy's sums are scalars, not arrays
    return xp.asarray(xp.sum(lattice[0] * xp.cross(lattice[1], lattice[2])))


def metric_tensor(lattice: Float[AnyArray, "3 3"]) -> Float[AnyArray, "3 3"]:
    """Metric tensor G_ij = a_i . a_j, square angstrom: |x|^2 = x G x.

    International Tables for Crystallography A (2016), ch. 1.3.

    Args:
        lattice: [3, 3] rows a, b, c, angstrom.
    """
    xp = namespace(lattice)
    return xp.sum(lattice[:, None, :] * lattice[None, :, :], axis=-1)


def symmetric_lattice(
    lattice: Float[AnyArray, "3 3"],
    rotations: Int[Array | np.ndarray, "G 3 3"],
    order: Int[Array | np.ndarray, ""] | None = None,
) -> Float[AnyArray, "3 3"]:
    """The lattice that obeys the symmetry of a group exactly, with a along x.

    The mean of the metric tensor over the group, G' = 1/|P| sum_W W^T G W, obeys
    W^T G' W = G' for each W.

    Args:
        lattice: [3, 3] rows a, b, c, angstrom, nearly symmetric.
        rotations: [G, 3, 3] of the group, each equally often.
        order: [] how many there are, if zero matrices follow.
    """
    xp = namespace(lattice)
    # sums, as matrix products are of low precision on accelerators
    vectors = lattice.astype(float)[None, :, None, :]
    turned = xp.sum(rotations.astype(float)[..., None] * vectors, axis=1)  # W^T L
    images = xp.sum(turned[:, :, None] * turned[:, None], axis=-1)
    order = xp.asarray(len(rotations) if order is None else order).astype(float)
    return xp.linalg.cholesky(xp.sum(images, axis=0) / order)


def reciprocal_lattice(lattice: Float[AnyArray, "3 3"]) -> Float[AnyArray, "3 3"]:
    """Reciprocal vectors a* = b x c / V and cyclic, without 2 pi.

    Args:
        lattice: [3, 3] rows a, b, c, angstrom.

    Returns:
        [3, 3] rows a*, b*, c*, 1/angstrom.
    """
    xp = namespace(lattice)
    a, b, c = lattice[0], lattice[1], lattice[2]
    crosses = xp.stack([xp.cross(b, c), xp.cross(c, a), xp.cross(a, b)])
    return crosses / unit_cell_volume(lattice)


def reciprocal_metric(lattice: Float[AnyArray, "3 3"]) -> Float[AnyArray, "3 3"]:
    """Reciprocal metric tensor G*, 1/square angstrom: 1/d^2 = h G* h.

    Args:
        lattice: [3, 3] rows a, b, c, angstrom.
    """
    return metric_tensor(reciprocal_lattice(lattice))


def inverse_spacing(
    miller: Float[Array, "H 3"], lattice: Float[Array | np.ndarray, "3 3"]
) -> Float[Array, " H"]:
    """s = 1/d = |h a* + k b* + l c*|, 1/angstrom.

    Args:
        miller: [H, 3] indices; (0, 0, 0) gives 0 with a gradient of 0.
        lattice: [3, 3] rows a, b, c, angstrom.
    """
    x, y, z = _reciprocal_vectors(miller, reciprocal_lattice(lattice))
    return safe_sqrt(x**2 + y**2 + z**2)


def _reciprocal_vectors(
    miller: Float[Array, "H 3"], basis: Float[Array | np.ndarray, "3 3"]
) -> tuple[Float[Array, " H"], ...]:
    """x, y and z of h a* + k b* + l c*, with a*, b*, c* the rows of a basis."""
    h, k, l = miller[:, 0], miller[:, 1], miller[:, 2]
    # component by component: short sums over the last axis do not vectorise
    return tuple(h * a + k * b + l * c for a, b, c in basis.T)


def spacing_remainder(
    miller: Float[Array, "H 3"],
    s: Float[Array, " H"],
    lattice: Float[Array, "3 3"],
) -> Float[Array, " H"]:
    """What has to be added to 1/d in float32 to have it at twice the precision.

    A vector g near h a* + k b* + l c* misses it by B (h - L g), where the rows of L are
    a, b, c and those of B^T are a*, b*, c*; and 1/d = s + (|g|^2 - s^2 + 2 g . missed) / 2s.
    No gradient flows through it, as it is that of a rounding error.

    Args:
        miller: [H, 3] indices.
        s: [H] from `inverse_spacing`; the remainder of 0 is 0.
        lattice: [3, 3] rows a, b, c, angstrom.
    """
    miller, s, lattice = lax.stop_gradient((miller, s, lattice))
    basis = reciprocal_lattice(lattice)
    g = _reciprocal_vectors(miller, basis)
    residual = jnp.stack(
        [
            total_of([(index, jnp.zeros_like(index)), *map(two_product, -row, g)])
            for index, row in zip(miller.T, lattice, strict=True)
        ],
        axis=-1,
    )
    missed = _reciprocal_vectors(residual, basis)
    change = sum(2 * x * rest for x, rest in zip(g, missed, strict=True))
    squares = [two_product(x, x) for x in (*g, s)]
    squares[-1] = (-squares[-1][0], -squares[-1][1])
    return safe_divide(total_of(squares) + change, 2 * s)
