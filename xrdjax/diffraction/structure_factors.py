"""Structure factors: form factors of the elements and phases of the atoms."""

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax
from jaxtyping import Array, Bool, Complex, Float, Int

from xrdjax.crystals.crystal import Crystal
from xrdjax.crystals.elements import IT92
from xrdjax.crystals.lattices import inverse_spacing
from xrdjax.ops.phases import cos_sin_turns

# Atoms whose phases are summed in one pass.
ATOM_BLOCK = 8


def form_factors(
    coefficients: Float[Array, "E 9"], stol2: Float[Array, " H"]
) -> Float[Array, "E H"]:
    """Atomic form factors f(s) = sum_i a_i exp(-b_i stol^2) + c, electrons.

    International Tables for Crystallography C (1992), 6.1.1.4; the fit holds for
    stol < 2 / angstrom.

    Args:
        coefficients: [E, 9] a1..a4, b1..b4, c of each element.
        stol2: [H] (sin(theta) / lambda)^2, 1/square angstrom.
    """
    total = jnp.broadcast_to(
        coefficients[:, 8:], (*coefficients.shape[:1], *stol2.shape)
    )
    for i in range(4):
        a, b = coefficients[:, i, None], coefficients[:, i + 4, None]
        total = total + a * jnp.exp(-b * stol2[None])
    return total


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


@struct.dataclass
class Scatterers:
    """Atoms of a crystal as the sums over blocks of them take them.

    Attributes:
        coefficients: [E, 9] rows of IT92 of its distinct elements, with f' in c.
        absorption: [E] f'' of these elements, electrons; None without dispersion.
        rows: [Z + 1] row of each element in them.
        elements: [N] atomic numbers; N is a whole number of blocks.
        positions: [N, 3] fractional coordinates.
        occupancies: [N]; 0 on padding.
        b_iso: [N] B, square angstrom; None where no atom has any.
        crowded: [] whether there are more than E elements.
    """

    coefficients: Float[Array, "E 9"]
    absorption: Float[Array, " E"] | None
    rows: Int[Array, " Z"]
    elements: Int[Array, " N"]
    positions: Float[Array, "N 3"]
    occupancies: Float[Array, " N"]
    b_iso: Float[Array, " N"] | None
    crowded: Bool[Array, ""]


def scatterers_of(
    crystal: Crystal,
    max_elements: int,
    blocks: Int[Array, ""] | int,
    anomalous: Float[Array | np.ndarray, "Z 2"] | None = None,
) -> Scatterers:
    """The atoms in the first blocks of a crystal, and the form factors they need.

    Args:
        crystal: atoms first, padding after.
        max_elements: room E for distinct elements.
        blocks: [] number of blocks that hold atoms.
        anomalous: [Z, 2] f' and f'' of each element; None for f0 alone.
    """
    padding = (0, -crystal.elements.shape[0] % ATOM_BLOCK)
    elements = jnp.pad(crystal.elements, padding)
    count = IT92.shape[0]

    def note(j, present):
        block = lax.dynamic_slice_in_dim(elements, j * ATOM_BLOCK, ATOM_BLOCK)
        return present.at[block].set(True)

    present = lax.fori_loop(0, blocks, note, jnp.zeros(count, bool))
    present = present.at[0].set(False)  # padding
    rows = jnp.cumsum(present, dtype=jnp.int32) - 1
    slot = jnp.where(present, rows, max_elements)
    distinct = jnp.zeros(max_elements, jnp.int32)
    distinct = distinct.at[slot].set(jnp.arange(count, dtype=jnp.int32), mode="drop")
    coefficients, absorption = jnp.asarray(IT92, jnp.float32)[distinct], None
    if anomalous is not None:
        dispersion = jnp.asarray(anomalous)[distinct]
        coefficients = coefficients.at[:, 8].add(dispersion[:, 0])
        absorption = dispersion[:, 1]
    return Scatterers(
        coefficients=coefficients,
        absorption=absorption,
        rows=jnp.maximum(rows, 0),
        elements=elements,
        positions=jnp.pad(crystal.positions, (padding, (0, 0))),
        occupancies=jnp.pad(crystal.occupancies, padding),
        b_iso=None if crystal.b_iso is None else jnp.pad(crystal.b_iso, padding),
        crowded=rows[-1] >= max_elements,
    )


def sum_over_atoms(
    miller: Float[Array, "H 3"],
    stol2: Float[Array, " H"],
    atoms: Scatterers,
    blocks: Int[Array, ""] | int,
) -> tuple[Float[Array, " H"], ...]:
    """Real and imaginary part of A(h), then of B(h), of F = A + i B of the primitive cell.

    A(h) = sum_j o_j (f0_j + f'_j) exp(-B_j stol^2) exp(2 pi i h . x_j), and B(h) the same
    with f''_j; International Tables for Crystallography B, ch. 1.2, and C, ch. 6.1.1 for
    the Debye-Waller factor, ch. 4.2.6 for dispersion. Without dispersion, F is A, and
    there is no B. A and B of -h are the complex conjugates of those of h, so that the
    mean |F|^2 of Friedel mates, which a powder shows as one line, is |A|^2 + |B|^2.

    Args:
        miller: [H, 3] indices in the crystal's setting.
        stol2: [H] (sin(theta) / lambda)^2 = 1 / (2 d)^2, 1/square angstrom.
        atoms: from `scatterers_of`.
        blocks: [] number of blocks of atoms that are summed.

    Returns:
        Two or four sums [H], electrons.
    """
    powers = lax.optimization_barrier(form_factors(atoms.coefficients, stol2))

    def add_atoms(j, total):
        def block(array):
            return lax.dynamic_slice_in_dim(array, j * ATOM_BLOCK, ATOM_BLOCK)

        row = atoms.rows[block(atoms.elements)]
        amplitudes = [powers[row]]
        if atoms.absorption is not None:
            absorption = atoms.absorption[row][:, None]
            amplitudes.append(jnp.broadcast_to(absorption, amplitudes[0].shape))
        if atoms.b_iso is not None:
            damping = jnp.exp(-block(atoms.b_iso)[:, None] * stol2[None])
            amplitudes = [amplitude * damping for amplitude in amplitudes]
        terms = [
            term
            for amplitude in amplitudes
            for term in sum_phases(
                miller, block(atoms.positions), block(atoms.occupancies), amplitude
            )
        ]
        return tuple(map(jnp.add, total, terms))

    zero = jnp.zeros(miller.shape[0])
    sums = 2 if atoms.absorption is None else 4
    return lax.fori_loop(0, blocks, add_atoms, (zero,) * sums)


def structure_factors(
    crystal: Crystal,
    miller: Float[Array, "H 3"],
    anomalous: Float[Array | np.ndarray, "Z 2"] | None = None,
) -> Complex[Array, " H"]:
    """Structure factors F(h) of the conventional cell, by `sum_over_atoms`.

    The sum over the primitive cell, times the lattice points of the conventional one,
    for reflections that the centring allows.

    Args:
        crystal: atoms of one primitive cell.
        miller: [H, 3] indices in the crystal's setting.
        anomalous: [Z, 2] f' and f'' from `anomalous_scattering`; None for f0 alone.

    Returns:
        [H] complex structure factors, electrons.
    """
    miller = jnp.asarray(miller, jnp.float32)
    stol2 = (inverse_spacing(miller, jnp.asarray(crystal.lattice)) / 2) ** 2
    blocks = -(-crystal.elements.shape[0] // ATOM_BLOCK)
    elements = min(crystal.elements.shape[0], IT92.shape[0] - 1)
    atoms = scatterers_of(crystal, elements, blocks, anomalous)
    real, imaginary, *absorbed = sum_over_atoms(miller, stol2, atoms, blocks)
    if absorbed:
        real, imaginary = real - absorbed[1], imaginary + absorbed[0]
    points = jnp.asarray(crystal.symmetry.centring_order, jnp.float32)
    return lax.complex(real * points, imaginary * points)
