"""Preferred orientation of the crystallites."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from xrdjax.crystals.lattices import reciprocal_lattice
from xrdjax.ops.safe import safe_reciprocal, safe_sqrt
from xrdjax.symmetry.space_groups import Symmetry


def equivalent_axes(
    axis: Float[Array, " 3"], lattice: Float[Array, "3 3"], symmetry: Symmetry
) -> Float[Array, "G 3"]:
    """Unit normals of the planes that symmetry makes of one, on Cartesian axes.

    Args:
        axis: [3] Miller indices of the plane.
        lattice: [3, 3] rows a, b, c, angstrom.
        symmetry: of the crystal; rows past its order are zero.
    """
    miller = jnp.einsum("i,gij->gj", axis, symmetry.rotations.astype(jnp.float32))
    normals = miller @ reciprocal_lattice(lattice)
    length = safe_sqrt(jnp.sum(normals**2, axis=-1, keepdims=True))
    return normals * safe_reciprocal(length)


def march_dollase(
    miller: Float[Array, "H 3"],
    s: Float[Array, " H"],
    lattice: Float[Array, "3 3"],
    axes: Float[Array, "G 3"],
    march: Float[Array, ""],
    order: Int[Array, ""],
    rounds: Int[Array, ""] | int,
) -> Float[Array, " H"]:
    """Factor of each family's intensity in a textured powder, mean over its members.

    (r^2 cos^2 alpha + sin^2 alpha / r)^(-3/2), alpha the angle between the reflection
    and the axis; its mean over all directions is 1. Dollase, J. Appl. Cryst. 19 (1986)
    267. Equivalent reflections about one axis stand as one reflection about equivalent
    axes.

    Args:
        miller: [H, 3] indices.
        s: [H] 1/d, 1/angstrom.
        lattice: [3, 3] rows a, b, c, angstrom.
        axes: [G, 3] from `equivalent_axes`.
        march: [] r.
        order: [] how many of the axes count.
        rounds: [] how many to loop over; order or more.
    """
    vectors = miller @ reciprocal_lattice(lattice)
    unit = vectors / jnp.where(s > 0, s, 1.0)[:, None]
    x, y, z = unit[:, 0], unit[:, 1], unit[:, 2]
    slope = march**2 - 1 / march

    def add(g, total):
        cosine = x * axes[g, 0] + y * axes[g, 1] + z * axes[g, 2]
        root = lax.rsqrt(1 / march + slope * cosine**2)
        return total + jnp.where(g < order, root * root * root, 0.0)

    total = lax.fori_loop(0, rounds, add, jnp.zeros_like(s))
    return total / order.astype(jnp.float32)
