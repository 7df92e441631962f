"""Structure factors: form factors of the elements and phases of the atoms."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Complex, Float

from xrdjax.crystals.crystal import Crystal
from xrdjax.crystals.elements import IT92
from xrdjax.crystals.lattices import inverse_spacing
from xrdjax.ops.phases import cos_sin_turns

# Atoms whose phases are summed in one pass.
ATOM_BLOCK = 8


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
    b_iso: Float[Array, " A"],
    stol2: Float[Array, " H"],
) -> Float[Array, "A H"]:
    """What a whole atom adds to F, but for its phase: f exp(-B stol^2), electrons.

    The exponential is the isotropic Debye-Waller factor (International Tables
    for Crystallography C, ch. 6.1.1).

    Args:
        coefficients: [A, 9] rows of IT92.
        b_iso: [A] B = 8 pi^2 U, square angstrom.
        stol2: [H] (sin(theta) / lambda)^2, 1/square angstrom.
    """
    damping = jnp.exp(-b_iso[:, None] * stol2[None])
    return damping * form_factors(coefficients, stol2)


def sum_phases(
    miller: Float[Array, "H 3"],
    positions: Float[Array, "A 3"],
    occupancies: Float[Array, " A"],
    powers: Float[Array, "A H"],
) -> tuple[Float[Array, " H"], Float[Array, " H"]]:
    """Real and imaginary part of sum_j o_j p_j(h) exp(2 pi i h . x_j), for a few atoms.

    The products are formed one by one, never as a matrix product: at the reduced
    precision of matrix units the phases of high orders turn by degrees. The atoms
    are unrolled into one vectorised pass over the reflections.

    Args:
        miller: [H, 3] indices.
        positions: [A, 3] fractional coordinates; A is a handful.
        occupancies: [A]; 0 on padding.
        powers: [A, H] scattering power of each atom at each reflection.
    """
    h, k, l = miller[:, 0], miller[:, 1], miller[:, 2]
    real, imaginary = jnp.zeros_like(h), jnp.zeros_like(h)
    for (x, y, z), o, power in zip(positions, occupancies, powers, strict=True):
        c, s = cos_sin_turns(h * x + k * y + l * z)
        real, imaginary = real + o * power * c, imaginary + o * power * s
    return real, imaginary


def structure_factors(
    crystal: Crystal, miller: Float[Array, "H 3"]
) -> Complex[Array, " H"]:
    """Structure factors F(h) = sum_j o_j f_j exp(-B_j stol^2) exp(2 pi i h . x_j).

    The sum runs over the conventional cell: the atoms of the primitive one,
    times the lattice points of the cell, for reflections that the centring
    allows. International Tables for Crystallography B, ch. 1.2.

    Args:
        crystal: atoms of one primitive cell.
        miller: [H, 3] indices in the crystal's setting.

    Returns:
        [H] complex structure factors, electrons.
    """
    miller = miller.astype(jnp.float32)
    stol2 = (inverse_spacing(miller, crystal.lattice) / 2) ** 2
    padding = -crystal.elements.shape[0] % ATOM_BLOCK
    atoms = jax.tree.map(
        lambda x: jnp.pad(x, ((0, padding), *((0, 0),) * (x.ndim - 1))).reshape(
            -1, ATOM_BLOCK, *x.shape[1:]
        ),
        (crystal.positions, crystal.elements, crystal.occupancies, crystal.b_iso),
    )

    def add_atoms(total, block):
        positions, elements, occupancies, b_iso = block
        coefficients = jnp.asarray(IT92, jnp.float32)[elements]
        powers = scattering_powers(coefficients, b_iso, stol2)
        real, imaginary = sum_phases(miller, positions, occupancies, powers)
        return (total[0] + real, total[1] + imaginary), None

    zero = jnp.zeros(miller.shape[0])
    (real, imaginary), _ = lax.scan(add_atoms, (zero, zero), atoms)
    return lax.complex(real, imaginary) * crystal.symmetry.centring_order
