"""Structure factors: form factors of the elements and phases of the atoms."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Complex, Float

from xrdjax.crystals.crystal import Crystal
from xrdjax.crystals.elements import IT92
from xrdjax.crystals.lattices import inverse_spacing
from xrdjax.phases import cos_sin_turns


def form_factors(
    coefficients: Float[Array, "A 9"], stol2: Float[Array, " H"]
) -> Float[Array, "A H"]:
    """Atomic form factors f(s) = sum_i a_i exp(-b_i stol^2) + c, electrons.

    International Tables for Crystallography C (1992), 6.1.1.4.

    Args:
        coefficients: [A, 9] a1..a4, b1..b4, c of each atom or element.
        stol2: [H] (sin(theta) / lambda)^2, 1/square angstrom.
    """
    total = jnp.broadcast_to(
        coefficients[:, 8:], (*coefficients.shape[:1], *stol2.shape)
    )
    for i in range(4):
        a, b = coefficients[:, i, None], coefficients[:, i + 4, None]
        total = total + a * jnp.exp(-b * stol2[None])
    return total


def scattering_powers(
    coefficients: Float[Array, "A 9"],
    occupancies: Float[Array, " A"],
    b_iso: Float[Array, " A"],
    stol2: Float[Array, " H"],
) -> Float[Array, "A H"]:
    """What each atom adds to F, but for its phase: occupancy f exp(-B stol^2).

    The exponential is the isotropic Debye-Waller factor (International Tables
    for Crystallography C, ch. 6.1.1).

    Args:
        coefficients: [A, 9] rows of IT92.
        occupancies: [A]; 0 on padding.
        b_iso: [A] B = 8 pi^2 U, square angstrom.
        stol2: [H] (sin(theta) / lambda)^2, 1/square angstrom.
    """
    damping = jnp.exp(-b_iso[:, None] * stol2[None])
    return occupancies[:, None] * damping * form_factors(coefficients, stol2)


def sum_phases(
    miller: Float[Array, "H 3"],
    positions: Float[Array, "A 3"],
    powers: Float[Array, "A H"],
) -> tuple[Float[Array, " H"], Float[Array, " H"]]:
    """Real and imaginary part of sum_j p_j(h) exp(2 pi i h . x_j).

    Products are formed one by one, never as a matrix product: at the reduced
    precision of matrix units the phases of high orders turn by degrees.

    Args:
        miller: [H, 3] indices.
        positions: [A, 3] fractional coordinates.
        powers: [A, H] scattering power of each atom at each reflection.
    """
    x = positions[:, :, None]
    turns = x[:, 0] * miller[None, :, 0] + x[:, 1] * miller[None, :, 1]
    c, s = cos_sin_turns(turns + x[:, 2] * miller[None, :, 2])
    return jnp.sum(powers * c, axis=0), jnp.sum(powers * s, axis=0)


def structure_factors(
    crystal: Crystal, miller: Float[Array, "H 3"], block: int = 128
) -> Complex[Array, " H"]:
    """Structure factors F(h) = sum_j o_j f_j exp(-B_j stol^2) exp(2 pi i h . x_j).

    The sum runs over the conventional cell: the atoms of the primitive one,
    times the lattice points of the cell, for reflections that the centring
    allows. International Tables for Crystallography B, ch. 1.2.

    Args:
        crystal: atoms of one primitive cell.
        miller: [H, 3] indices in the crystal's setting.
        block: reflections summed together, which bounds the memory.

    Returns:
        [H] complex structure factors, electrons.
    """
    coefficients = jnp.asarray(IT92, jnp.float32)[crystal.elements]

    def sum_block(h):
        stol2 = (inverse_spacing(h, crystal.lattice) / 2) ** 2
        powers = scattering_powers(
            coefficients, crystal.occupancies, crystal.b_iso, stol2
        )
        return sum_phases(h, crystal.positions, powers)

    count = miller.shape[0]
    miller = jnp.pad(miller.astype(jnp.float32), ((0, -count % block), (0, 0)))
    real, imaginary = lax.map(sum_block, miller.reshape(-1, block, 3))
    total = lax.complex(real.reshape(-1)[:count], imaginary.reshape(-1)[:count])
    return crystal.symmetry.centring_order * total
