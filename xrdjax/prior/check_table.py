"""Tables of the symmetry check: cosets and reflections of each space group, weights."""

import functools
import itertools
import math

import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from xrdjax.symmetry.space_groups import SPACE_GROUPS, SpaceGroup

# Reflections that are compared, and the largest number of cosets of a point group in
# its holohedry, the group itself included (such as 3 in 6/mmm).
TESTS = 12
MAX_COSETS = 8
# Rotations that generate the holohedry of each lattice system with the inversion.
_GENERATORS = {
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
    """Tables of the check; row `number` belongs to that space group.

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

    Then a translation that leaves all their structure factors unchanged is one of
    the group's own. The index of the sublattice is the greatest common divisor of
    all minors.
    """
    minors = [
        round(np.linalg.det(miller[list(rows)]))
        for rows in itertools.combinations(range(len(miller)), 3)
    ]
    return math.gcd(*minors) == len(group.centring_vectors)


def _test_reflections(group: SpaceGroup) -> np.ndarray:
    """Low general reflections, [TESTS, 3], that the group allows.

    The indices of each differ in magnitude, so that no mirror of the holohedry maps it
    onto itself. Reflections of various lengths discriminate best.
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
    """The table of all 230 groups, with NumPy leaves.

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
