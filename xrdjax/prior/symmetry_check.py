"""Whether a drawn crystal has just the symmetry it was drawn with, compiled.

Special positions with few elements often have more symmetry than was asked. An
operation (W, w) maps the crystal onto itself if and only if

    F(h) = exp(2 pi i h.w) F(hW)    for all h,

where F is the sum of exp(2 pi i h.x) over the atoms with a weight for each
element. With generic complex weights a dozen reflections h tell. Any operation
beyond the group's own has its rotation W in the holohedry of the lattice, so one
representative of each coset of the point group is enough; and it takes some atom
of the rarest element to another, which leaves few translations w to try. W = 1
finds lattice translations beyond the group's own.
"""

import functools
import itertools
import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from xrdjax.crystals.lattices import inverse_spacing
from xrdjax.ops.phases import cos_sin_turns
from xrdjax.symmetry.space_groups import SPACE_GROUPS, SpaceGroup

# Reflections that are compared, and most cosets of a point group in its
# holohedry, the group itself included (3 in 6/mmm, say).
TESTS = 12
MAX_COSETS = 8
# Atoms nearer than this to symmetric places count as symmetric, angstrom: above
# the 0.001 at which labels are checked, so that no label depends on rounding.
TOLERANCE = 2e-3
# Atoms summed, and translations tried, together.
_BLOCK = 16
_CANDIDATES = 4
_GENERATORS = {
    # rotations that generate the holohedry together with the inversion
    "triclinic": [],
    "monoclinic": [[[-1, 0, 0], [0, 1, 0], [0, 0, -1]]],
    "orthorhombic": [
        [[-1, 0, 0], [0, 1, 0], [0, 0, -1]],
        [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
    ],
    "tetragonal": [
        [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
        [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
    ],
    "rhombohedral": [
        [[0, -1, 0], [1, -1, 0], [0, 0, 1]],
        [[0, 1, 0], [1, 0, 0], [0, 0, -1]],
    ],
    "hexagonal": [
        [[1, -1, 0], [1, 0, 0], [0, 0, 1]],
        [[0, 1, 0], [1, 0, 0], [0, 0, -1]],
    ],
    "cubic": [
        [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
        [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
    ],
}


@struct.dataclass
class CheckTable:
    """What the check needs of each space group; row `number` is that group's.

    Attributes:
        cosets: [231, C, 3, 3] a rotation of each coset of the point group in the
            holohedry, the identity first; zero matrices on padding.
        coset_count: [231] cosets.
        miller: [231, H, 3] reflections that are compared.
        weights: [Z + 1, 2] complex weight of each element (real, imaginary).
    """

    cosets: Int[Array | np.ndarray, "G C 3 3"]
    coset_count: Int[Array | np.ndarray, " G"]
    miller: Int[Array | np.ndarray, "G H 3"]
    weights: Float[Array | np.ndarray, "Z 2"]


def holohedry(lattice_system: str) -> np.ndarray:
    """Point group [G, 3, 3] of a lattice, in the basis of the reference setting.

    International Tables A (2016), ch. 3.1.
    """
    generators = [-np.eye(3, dtype=int)]
    generators += [np.array(g) for g in _GENERATORS[lattice_system]]
    found = {np.eye(3, dtype=int).tobytes(): np.eye(3, dtype=int)}
    fresh = list(found.values())
    while fresh:
        products = [g @ w for g in generators for w in fresh]
        fresh = []
        for product in products:
            if product.tobytes() not in found:
                found[product.tobytes()] = product
                fresh.append(product)
    return np.array(list(found.values()))


def _coset_representatives(group: SpaceGroup) -> np.ndarray:
    """One rotation of each coset W P in the holohedry, the identity first."""
    point_group = group.rotations.astype(int)
    representatives: list[np.ndarray] = []
    covered: set[bytes] = set()
    for rotation in holohedry(group.lattice_system):
        if rotation.tobytes() in covered:
            continue
        representatives.append(rotation)
        covered.update((rotation @ p).tobytes() for p in point_group)
    return np.array(representatives)


def _are_present(group: SpaceGroup, miller: np.ndarray) -> np.ndarray:
    """Which reflections [H, 3] centring, screw axes and glide planes allow."""
    images = np.einsum("hi,gij->ghj", miller, group.rotations.astype(int))
    same = np.all(images == miller, axis=-1)
    phases = np.concatenate(
        [
            group.centring_vectors @ miller.T,
            np.where(same, group.translations @ miller.T, 0.0),
        ]
    )
    return np.all(np.abs(phases - np.round(phases)) < 1e-3, axis=0)


def _generates_lattice(group: SpaceGroup, miller: np.ndarray) -> bool:
    """Whether integer combinations of reflections reach all that centring allows.

    Then a translation that leaves all of their structure factors alone is one of
    the group's own. The index of the sublattice is the divisor of all minors.
    """
    minors = [
        round(np.linalg.det(miller[list(rows)]))
        for rows in itertools.combinations(range(len(miller)), 3)
    ]
    return math.gcd(*minors) == len(group.centring_vectors)


def _test_reflections(group: SpaceGroup) -> np.ndarray:
    """Low general reflections, [TESTS, 3], that the group allows.

    None has two indices alike in magnitude, so that no mirror of the holohedry
    leaves one of them alone. Mixed lengths tell more than one length.
    """
    pool = np.array(list(itertools.product(range(1, 8), *[range(-7, 8)] * 2)))
    magnitudes = np.sort(np.abs(pool), axis=1)
    pool = pool[
        (magnitudes[:, 0] > 0)
        & np.all(np.diff(magnitudes, axis=1) > 0, axis=1)
        & (np.sum(pool**2, axis=1) < 70)
    ]
    pool = pool[_are_present(group, pool)]
    rng = np.random.default_rng(group.number)
    while True:
        chosen = pool[rng.choice(len(pool), TESTS, replace=False)]
        if _generates_lattice(group, chosen):
            return chosen


@functools.cache
def check_table(elements: int = 99) -> CheckTable:
    """The table for all 230 groups, with NumPy leaves.

    Args:
        elements: rows of the element table.
    """
    cosets = np.zeros((231, MAX_COSETS, 3, 3), np.int32)
    counts = np.ones(231, np.int32)
    miller = np.zeros((231, TESTS, 3), np.int32)
    for group in SPACE_GROUPS:
        representatives = _coset_representatives(group)
        cosets[group.number, : len(representatives)] = representatives
        counts[group.number] = len(representatives)
        miller[group.number] = _test_reflections(group)
    rng = np.random.default_rng(0)
    magnitude = rng.uniform(0.7, 1.3, elements)
    phase = rng.uniform(0, 2 * np.pi, elements)
    weights = magnitude[:, None] * np.stack([np.cos(phase), np.sin(phase)], axis=1)
    return CheckTable(cosets, counts, miller, weights.astype(np.float32))


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


def has_coinciding_atoms(
    atoms: Callable[[Array], tuple[Array, Array]],
    atom_count: Int[Array, ""],
    first_atoms: Int[Array, " S"],
    site_count: Int[Array, ""],
    lattice: Float[Array, "3 3"],
    centring: Float[Array, "C 3"],
) -> Bool[Array, ""]:
    """Whether two atoms are in one place, or so near that they count as in one.

    Such a crystal has no definite symmetry. Of two equivalent atoms it is enough
    to look at the first of the site.

    Args:
        atoms: as in `has_more_symmetry`.
        atom_count: [] atoms of the primitive cell.
        first_atoms: [S] number of the first atom of each site.
        site_count: [] sites; the rest of first_atoms is padding.
        lattice: [3, 3] rows a, b, c, angstrom.
        centring: [C, 3] centring vectors; copies do no harm.
    """

    def look_at_sites(i, found):
        site = i * _CANDIDATES + jnp.arange(_CANDIDATES)
        first = first_atoms[jnp.minimum(site, first_atoms.shape[0] - 1)]
        origins, _ = atoms(first)

        def look_at_atoms(j, found):
            number = j * _BLOCK + jnp.arange(_BLOCK)
            positions, _ = atoms(number)
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
            near &= (number[None] != first[:, None]) & (number < atom_count)[None]
            return found | jnp.any(near & (site < site_count)[:, None])

        return lax.fori_loop(0, -(-atom_count // _BLOCK), look_at_atoms, found)

    blocks = -(-site_count // _CANDIDATES)
    return lax.fori_loop(0, blocks, look_at_sites, jnp.bool_(False))


def has_more_symmetry(
    atoms: Callable[[Array], tuple[Array, Array]],
    atom_count: Int[Array, ""],
    rare_first: Int[Array, ""],
    rare_count: Int[Array, ""],
    lattice: Float[Array, "3 3"],
    space_group: Int[Array, ""],
    table: CheckTable,
) -> Bool[Array, ""]:
    """Whether a crystal is left alone by an operation that its group does not have.

    Args:
        atoms: gives positions [A, 3] and atomic numbers [A] (0 past the last atom)
            of the atoms [A] with given numbers in the primitive cell.
        atom_count: [] atoms of the primitive cell.
        rare_first: [] number of the first atom of the rarest element.
        rare_count: [] atoms of that element, numbered one after the other.
        lattice: [3, 3] rows a, b, c, angstrom.
        space_group: [] number of the group the crystal was drawn from.
        table: from `check_table`.
    """
    miller = jnp.asarray(table.miller)[space_group].astype(jnp.float32)
    cosets = jnp.asarray(table.cosets)[space_group].astype(jnp.float32)
    coset_count = jnp.asarray(table.coset_count)[space_group]
    element_weights = jnp.asarray(table.weights)

    def weighted_sum(rotation):
        # h W, term by term: small integers, exact
        turned = jnp.sum(miller[:, :, None] * rotation[None], axis=1)

        def add(i, total):
            positions, elements = atoms(i * _BLOCK + jnp.arange(_BLOCK))
            weights = jnp.where((elements > 0)[:, None], element_weights[elements], 0.0)
            return total + _weighted_sums(turned, positions, weights)

        return lax.fori_loop(0, -(-atom_count // _BLOCK), add, jnp.zeros((2, TESTS)))

    sums = lax.fori_loop(
        0,
        coset_count,
        lambda r, sums: sums.at[r].set(weighted_sum(cosets[r])),
        jnp.zeros((MAX_COSETS, 2, TESTS)),
    )
    # an atom off its symmetric place by u changes its term by 2 pi |s| u at most;
    # the last term is rounding
    size = atom_count.astype(jnp.float32)
    spacing = inverse_spacing(miller, lattice)
    tolerance = 2 * jnp.pi * TOLERANCE * spacing * jnp.sqrt(size) + 1e-5 * size
    magnitudes = jnp.sqrt(jnp.sum(sums**2, axis=1))
    # a rotation keeps all magnitudes; a translation extinguishes some reflections
    equal = jnp.all(jnp.abs(magnitudes - magnitudes[:1]) < 2 * tolerance[None], axis=-1)
    extinct = jnp.any(magnitudes[0] < 2 * tolerance)
    coset = jnp.arange(MAX_COSETS)
    suspect = jnp.where(coset == 0, extinct, equal & (coset < coset_count))
    origin = atoms(rare_first[None])[0][0]
    turned_origin = jnp.sum(cosets * origin[None, None], axis=-1)

    def unfinished(state):
        first, found = state
        return jnp.any(suspect) & ~found & (first < rare_count)

    def look(state):
        first, found = state
        candidate = first + jnp.arange(_CANDIDATES)
        positions, _ = atoms(rare_first + candidate)
        shift = positions[None] - turned_origin[:, None]  # [C, A, 3]
        turns = jnp.sum(shift[:, :, None] * miller[None, None], axis=-1)
        c, s = cos_sin_turns(turns)
        real, imaginary = sums[:, 0, None], sums[:, 1, None]
        difference = (sums[0, 0][None, None] - (c * real - s * imaginary)) ** 2
        difference += (sums[0, 1][None, None] - (s * real + c * imaginary)) ** 2
        same = jnp.all(difference < (3 * tolerance[None, None]) ** 2, axis=-1)
        same &= suspect[:, None] & (candidate < rare_count)[None]
        same &= (coset[:, None] > 0) | (candidate > 0)[None]  # not the identity
        return first + _CANDIDATES, found | jnp.any(same)

    _, found = lax.while_loop(unfinished, look, (jnp.int32(0), jnp.bool_(False)))
    return found
