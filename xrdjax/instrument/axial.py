"""Axial divergence: rays that leave the plane of the goniometer."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# Parts of a line where many patterns are formed at once: at 2 theta = 20 degrees and
# H / L = 0.02 they are 0.04 degrees apart at most, less than a laboratory's peaks are wide.
FEW_PARTS = 6
# Right to 1e-4 for H / L = 0.03 and peaks of 0.07 degrees at 2 theta = 12 degrees.
MANY_PARTS = 32


def axial_divergence(
    u: Float[Array, " H"], axial: Float[Array, ""], parts: int = FEW_PARTS
) -> tuple[Float[Array, "K H"], Float[Array, "K H"]]:
    """How far the parts of each line are moved, and their shares of its intensity.

    A ray that crosses specimen and slit at heights that differ by h appears at 2 phi with

        cos 2phi = cos 2theta sqrt(1 + (h / L)^2)

    and for a specimen as long as the slit, 2 H, the density over 0 < h < 2 H is

        (2 H - h) / (cos^2 2phi sin 2phi)

    Finger, Cox and Jephcoat, J. Appl. Cryst. 27 (1994) 892, eqs. 5 to 10, with h in place
    of 2 phi as the variable, in which nothing diverges.

    Args:
        u: [H] 2 sin(theta), above 0.
        axial: [] H / L = S / L.
        parts: number K of nodes of a Gauss-Legendre quadrature over 0 < h / (2 H) < 1.

    Returns:
        Change of u, and share, of each of the K parts.
    """
    nodes, weight = np.polynomial.legendre.leggauss(parts)
    places = (1 + nodes) / 2
    t = jnp.asarray(places, jnp.float32)[:, None]
    squared = (2 * axial * t) ** 2  # (h / L)^2
    stretch = jnp.sqrt(1 + squared)
    # cos 2theta = 1 - u^2 / 2, and cos 2phi likewise
    place = u[None] ** 2
    change = (place - 2) * squared / (1 + stretch)
    change = jnp.clip(change, 1e-6 - place, 4.0 - 1e-6 - place)
    moved = place + change
    sine = jnp.sqrt(moved * (1 - moved / 4))  # of 2 phi
    weights = jnp.asarray(weight * (1 - places), jnp.float32)[:, None] / (
        stretch**2 * sine
    )
    shares = weights / jnp.sum(weights, axis=0, keepdims=True)
    return change / (jnp.sqrt(moved) + u[None]), shares
