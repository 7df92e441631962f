"""Whether a random crystal has exactly the symmetry it was sampled with, compiled.

Special positions with few elements often have more symmetry than intended. An
operation (W, w) maps the crystal onto itself if and only if

    F(h) = exp(2 pi i h.w) F(hW)    for all h,

where F is the sum of exp(2 pi i h.x) over the atoms with a weight for each element.
With generic complex weights a dozen reflections h decide. Any operation beyond the
group's own has its rotation W in the holohedry of the lattice, so one representative
of each coset of the point group is enough; and it takes an atom of the rarest element
to another, which leaves few translations w to try. W = 1 finds lattice translations
beyond the group's own.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from xrdjax.crystals.lattices import inverse_spacing
from xrdjax.ops.phases import cos_sin_turns
from xrdjax.prior.check_table import MAX_COSETS, TESTS, CheckTable

# Atoms closer than this to their symmetric positions count as symmetric, angstrom: more
# than the 0.001 at which labels are checked, so that no label depends on rounding.
TOLERANCE = 2e-3
# Atoms summed, and translations tried, at once.
_BLOCK = 16
_CANDIDATES = 4


@dataclass(frozen=True)
class Atoms:
    """Atoms of the primitive cell by their index, computed on demand.

    Attributes:
        at: gives positions [A, 3] and atomic numbers [A] of the atoms with indices
            [A]; atomic number 0 past the last atom.
        count: [] number of atoms.
    """

    at: Callable[[Array], tuple[Array, Array]]
    count: Int[Array, ""]


def _weighted_sums(
    miller: Float[Array, "H 3"],
    positions: Float[Array, "A 3"],
    weights: Float[Array, "A 2"],
) -> Float[Array, "2 H"]:
    """Real and imaginary part of sum_j c_j exp(2 pi i h . x_j)."""
    h, x = miller[:, None], positions[None]
    turns = h[..., 0] * x[..., 0] + h[..., 1] * x[..., 1] + h[..., 2] * x[..., 2]
    c, s = cos_sin_turns(turns)
    real, imaginary = weights[None, :, 0], weights[None, :, 1]
    return jnp.stack(
        [
            jnp.sum(real * c - imaginary * s, axis=-1),
            jnp.sum(real * s + imaginary * c, axis=-1),
        ]
    )


def has_coincident_atoms(
    atoms: Atoms,
    first_atoms: Int[Array, " S"],
    site_count: Int[Array, ""],
    lattice: Float[Array, "3 3"],
    centring: Float[Array, "C 3"],
) -> Bool[Array, ""]:
    """Whether two atoms coincide, or nearly.

    Such a crystal has no definite symmetry. It suffices to compare the first atom of
    each site with all others.

    Args:
        atoms: of the primitive cell.
        first_atoms: [S] index of the first atom of each site.
        site_count: [] sites; the rest of first_atoms is padding.
        lattice: [3, 3] rows a, b, c, angstrom.
        centring: [C, 3] centring vectors, some of which may be repeated.
    """

    def compare_sites(i, found):
        site = i * _CANDIDATES + jnp.arange(_CANDIDATES)
        first = first_atoms[jnp.minimum(site, first_atoms.shape[0] - 1)]
        origins, _ = atoms.at(first)

        def compare_atoms(j, found):
            number = j * _BLOCK + jnp.arange(_BLOCK)
            positions, _ = atoms.at(number)
            # [C, S, A] each of three fractional components, then Cartesian ones
            shifts = [
                origins[None, :, None, n]
                - positions[None, None, :, n]
                - c[:, None, None]
                for n, c in enumerate(centring.T)
            ]
            shifts = [d - jnp.round(d) for d in shifts]
            squared = sum(
                sum(d * lattice[n, m] for n, d in enumerate(shifts)) ** 2
                for m in range(3)
            )
            near = jnp.any(squared < TOLERANCE**2, axis=0)
            near &= (number[None] != first[:, None]) & (number < atoms.count)[None]
            return found | jnp.any(near & (site < site_count)[:, None])

        return lax.fori_loop(0, -(-atoms.count // _BLOCK), compare_atoms, found)

    blocks = -(-site_count // _CANDIDATES)
    return lax.fori_loop(0, blocks, compare_sites, jnp.bool_(False))


def _coset_sums(
    atoms: Atoms,
    miller: Float[Array, "H 3"],
    cosets: Float[Array, "C 3 3"],
    coset_count: Int[Array, ""],
    element_weights: Float[Array, "Z 2"],
) -> Float[Array, "C 2 H"]:
    """Weighted structure factors F(hW) of a rotation W of each coset; 0 on padding."""

    def weighted_sum(rotation):
        # h W, term by term: small integers, exact
        turned = jnp.sum(miller[:, :, None] * rotation[None], axis=1)

        def add(i, total):
            positions, elements = atoms.at(i * _BLOCK + jnp.arange(_BLOCK))
            weights = jnp.where((elements > 0)[:, None], element_weights[elements], 0.0)
            return total + _weighted_sums(turned, positions, weights)

        return lax.fori_loop(0, -(-atoms.count // _BLOCK), add, jnp.zeros((2, TESTS)))

    return lax.fori_loop(
        0,
        coset_count,
        lambda r, sums: sums.at[r].set(weighted_sum(cosets[r])),
        jnp.zeros((MAX_COSETS, 2, TESTS)),
    )


def _sum_tolerance(
    miller: Float[Array, "H 3"],
    lattice: Float[Array, "3 3"],
    atom_count: Int[Array, ""],
) -> Float[Array, " H"]:
    """Largest deviation of a structure factor from its symmetric value.

    An atom displaced by u changes its term by at most 2 pi |s| u; the second term
    is rounding.
    """
    size = atom_count.astype(jnp.float32)
    spacing = inverse_spacing(miller, lattice)
    return 2 * jnp.pi * TOLERANCE * spacing * jnp.sqrt(size) + 1e-5 * size


def _suspect_cosets(
    sums: Float[Array, "C 2 H"],
    tolerance: Float[Array, " H"],
    coset_count: Int[Array, ""],
) -> Bool[Array, " C"]:
    """Cosets that may hold a symmetry operation, judged by the magnitudes of the sums.

    A rotation preserves all magnitudes, |F(hW)| = |F(h)|; a translation, W = 1,
    extinguishes some reflections.
    """
    magnitudes = jnp.sqrt(jnp.sum(sums**2, axis=1))
    equal = jnp.all(jnp.abs(magnitudes - magnitudes[:1]) < 2 * tolerance[None], axis=-1)
    extinct = jnp.any(magnitudes[0] < 2 * tolerance)
    coset = jnp.arange(MAX_COSETS)
    return jnp.where(coset == 0, extinct, equal & (coset < coset_count))


def _are_symmetries(
    translations: Float[Array, "C A 3"],
    sums: Float[Array, "C 2 H"],
    miller: Float[Array, "H 3"],
    tolerance: Float[Array, " H"],
) -> Bool[Array, "C A"]:
    """Whether F(h) = exp(2 pi i h.w) F(hW) for A candidate translations w of each W."""
    turns = jnp.sum(translations[:, :, None] * miller[None, None], axis=-1)
    c, s = cos_sin_turns(turns)
    real, imaginary = sums[:, 0, None], sums[:, 1, None]
    difference = (sums[0, 0][None, None] - (c * real - s * imaginary)) ** 2
    difference += (sums[0, 1][None, None] - (s * real + c * imaginary)) ** 2
    return jnp.all(difference < (3 * tolerance[None, None]) ** 2, axis=-1)


def has_supergroup_symmetry(
    atoms: Atoms,
    rare_first: Int[Array, ""],
    rare_count: Int[Array, ""],
    lattice: Float[Array, "3 3"],
    space_group: Int[Array, ""],
    table: CheckTable,
) -> Bool[Array, ""]:
    """Whether a crystal is invariant under an operation that its group does not have.

    Args:
        atoms: of the primitive cell.
        rare_first: [] index of the first atom of the rarest element.
        rare_count: [] atoms of that element, which have consecutive indices.
        lattice: [3, 3] rows a, b, c, angstrom.
        space_group: [] number of the group the crystal was sampled in.
        table: from `check_table`.
    """
    miller = jnp.asarray(table.miller)[space_group].astype(jnp.float32)
    cosets = jnp.asarray(table.cosets)[space_group].astype(jnp.float32)
    coset_count = jnp.asarray(table.coset_count)[space_group]
    sums = _coset_sums(atoms, miller, cosets, coset_count, jnp.asarray(table.weights))
    tolerance = _sum_tolerance(miller, lattice, atoms.count)
    suspect = _suspect_cosets(sums, tolerance, coset_count)
    origin = atoms.at(rare_first[None])[0][0]
    turned_origin = jnp.sum(cosets * origin[None, None], axis=-1)

    def unfinished(state):
        first, found = state
        return jnp.any(suspect) & ~found & (first < rare_count)

    def try_translations(state):
        first, found = state
        candidate = first + jnp.arange(_CANDIDATES)
        positions, _ = atoms.at(rare_first + candidate)
        translations = positions[None] - turned_origin[:, None]
        same = _are_symmetries(translations, sums, miller, tolerance)
        same &= suspect[:, None] & (candidate < rare_count)[None]
        is_identity = (jnp.arange(MAX_COSETS) == 0)[:, None] & (candidate == 0)[None]
        return first + _CANDIDATES, found | jnp.any(same & ~is_identity)

    start = (jnp.int32(0), jnp.bool_(False))
    _, found = lax.while_loop(unfinished, try_translations, start)
    return found
