"""From analysed crystals to statistics: what is counted, and how wide the kernels are.

Synthetic crystals are ordered, so a mixed site counts as its majority element (the
lighter one of two equal parts), and every site counts as fully occupied.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xrdjax.crystals.elements import ATOMIC_VOLUMES, SYMBOLS
from xrdjax.crystals.lattices import parameters_from_lattice
from xrdjax.crystals.structure_types import Analysis
from xrdjax.errors import InputError
from xrdjax.prior.tables import Statistics, row_ranges
from xrdjax.symmetry.space_groups import LATTICE_SYSTEMS
from xrdjax.symmetry.wyckoff import LETTERS

MAX_VOLUME = 7000.0  # angstrom^3, conventional cell; as in the paper
MAX_SITES = 100  # in the asymmetric unit; as in the paper

_A, _B, _C, _ALPHA, _BETA, _GAMMA = range(6)
# Cell parameters that each lattice system leaves free.
_FREE = {
    "triclinic": (_A, _B, _C, _ALPHA, _BETA, _GAMMA),
    "monoclinic": (_A, _B, _C, _BETA),
    "orthorhombic": (_A, _B, _C),
    "tetragonal": (_A, _C),
    "rhombohedral": (_A, _C),
    "hexagonal": (_A, _C),
    "cubic": (),
}


@dataclass(frozen=True)
class EligibleCrystals:
    """Which crystals enter statistics, and why the others do not.

    Attributes:
        analyses: of those that do.
        left_out: number of the others by reason.
    """

    analyses: tuple[Analysis, ...]
    left_out: dict[str, int]


def eligible_crystals(
    analyses: Sequence[Analysis], min_crystals: int = 50
) -> EligibleCrystals:
    """Leaves out large crystals, and then groups with too few.

    Args:
        analyses: of known crystals.
        min_crystals: a group with fewer gets no statistics.
    """
    large = f"cell over {MAX_VOLUME:g} A^3"
    complex_ = f"over {MAX_SITES} sites"
    rare = f"group with fewer than {min_crystals} crystals"
    left_out = dict.fromkeys((large, complex_, rare), 0)
    fitting = []
    for analysis in analyses:
        if analysis.standard.volume > MAX_VOLUME:
            left_out[large] += 1
        elif analysis.sites[-1] + 1 > MAX_SITES:
            left_out[complex_] += 1
        else:
            fitting.append(analysis)
    crystals = Counter(analysis.space_group for analysis in fitting)
    kept = [a for a in fitting if crystals[a.space_group] >= min_crystals]
    left_out[rare] = len(fitting) - len(kept)
    return EligibleCrystals(tuple(kept), left_out)


@dataclass(frozen=True)
class _Crystal:
    """What statistics count of one crystal; a site is (element, letter, multiplicity)."""

    sites: tuple[tuple[int, int, int], ...]
    atomic_volume: float
    packing_factor: float
    shape: tuple[float, ...]


def _crystal(analysis: Analysis) -> _Crystal:
    standard = analysis.standard
    sites: dict[int, tuple[int, int, int]] = {}
    # rows of a site ascend by element; the sort is stable, so the lighter one wins
    for row in np.argsort(-standard.occupancies, kind="stable"):
        element = int(standard.elements[row])
        letter = LETTERS.index(analysis.wyckoff_letters[row])
        site = (element, letter, analysis.multiplicities[row])
        sites.setdefault(analysis.sites[row], site)
    atomic_volume = sum(ATOMIC_VOLUMES[z] * m for z, _, m in sites.values())
    shape = parameters_from_lattice(standard.lattice)
    shape[:3] /= np.cbrt(standard.volume)
    return _Crystal(
        sites=tuple(sites.values()),
        atomic_volume=atomic_volume,
        packing_factor=standard.volume / atomic_volume,
        shape=tuple(shape.tolist()),
    )


def _bandwidths(samples: np.ndarray, variables: int) -> np.ndarray:
    """Kernel widths [D] by the normal reference rule, for n samples [n, D].

    h_j = 1.06 sigma_j n^(-1 / (4 + d)), d variables estimated together, sigma_j the
    smaller of the standard deviation and the interquartile range / 1.349, which are
    equal for a normal distribution. Otherwise one crystal with a vast, empty cell
    would widen the kernels of its group tenfold.
    Silverman, Density Estimation for Statistics and Data Analysis (1986), ch. 3.4
    and 4.3.
    """
    sigma = np.std(samples, axis=0)
    quartiles = np.quantile(samples, [0.25, 0.75], axis=0)
    middle = (quartiles[1] - quartiles[0]) / 1.349
    # where more than half are equal, the quartiles say nothing
    sigma = np.where(middle > 0, np.minimum(sigma, middle), sigma)
    return 1.06 * sigma * len(samples) ** (-1 / (4 + variables))


def _shares(values: Sequence[int], size: int) -> np.ndarray:
    """Relative frequency [size] of each of the numbers 0, 1, ..., size - 1."""
    return np.bincount(values, minlength=size) / len(values)


def _group_shares(
    crystals: Sequence[_Crystal], most_elements: int, most_sites: int
) -> dict[str, np.ndarray]:
    """Rows of one group: elements, sites and letters of its crystals."""
    counts = [Counter(z for z, _, _ in crystal.sites) for crystal in crystals]
    letters = [letter for crystal in crystals for _, letter, _ in crystal.sites]
    return {
        "element_counts": _shares([len(c) - 1 for c in counts], most_elements),
        "elements": _shares([z for c in counts for z in c], len(SYMBOLS)),
        "site_counts": _shares([n - 1 for c in counts for n in c.values()], most_sites),
        "wyckoff": _shares(letters, len(LETTERS)),
    }


def _volume_bandwidths(crystals: Sequence[_Crystal]) -> np.ndarray:
    """Kernel widths [2] of the sum of atomic volumes and of the packing factor."""
    samples = np.array([(c.atomic_volume, c.packing_factor) for c in crystals])
    # identical crystals (or a single one) must not give a kernel of zero width
    return np.maximum(_bandwidths(samples, 2), 1e-3 * samples.mean(axis=0))


def _shape_bandwidths(system: str, shapes: np.ndarray) -> np.ndarray:
    """Kernel widths [6] of the cell shapes [n, 6] of a lattice system; 0 unless free."""
    widths = np.zeros(6)
    free = list(_FREE[system])
    if len(shapes) and free:
        widths[free] = _bandwidths(shapes[:, free], len(free))
    return widths


def _by_group(analyses: Sequence[Analysis]) -> dict[int, list[_Crystal]]:
    """The crystals of each space group, groups in ascending order.

    Sorted, so that the statistics do not depend on the order of the analyses.
    """
    groups: dict[int, list[_Crystal]] = {}
    for analysis in analyses:
        groups.setdefault(analysis.space_group, []).append(_crystal(analysis))
    return {
        number: sorted(
            groups[number], key=lambda c: (c.atomic_volume, c.packing_factor, c.shape)
        )
        for number in sorted(groups)
    }


def _frequencies(groups: Sequence[Sequence[_Crystal]]) -> dict[str, np.ndarray]:
    """Rows of all groups: shares of crystals, elements, sites and letters."""
    in_elements = [Counter(z for z, _, _ in c.sites) for g in groups for c in g]
    most_elements = max(map(len, in_elements))
    most_sites = max(max(sites.values()) for sites in in_elements)
    shares = [_group_shares(g, most_elements, most_sites) for g in groups]
    counts = np.array([len(crystals) for crystals in groups])
    return {
        "frequencies": (counts / counts.sum()).astype(np.float32),
        **{k: np.stack([s[k] for s in shares]).astype(np.float32) for k in shares[0]},
    }


def compute_statistics(
    analyses: Sequence[Analysis], min_crystals: int = 50
) -> Statistics:
    """Statistics of known crystals; their order does not matter.

    Args:
        analyses: of the crystals that may be known: not the held-out ones.
        min_crystals: a group with fewer gets no statistics.

    Returns:
        Statistics with NumPy leaves.

    Raises:
        InputError: no group has enough crystals.
    """
    by_group = _by_group(eligible_crystals(analyses, min_crystals).analyses)
    if not by_group:
        raise InputError(
            f"no space group has {min_crystals} crystals among the {len(analyses)} that "
            "were given: give more crystals, or a smaller min_crystals"
        )
    numbers, groups = np.array(list(by_group)), list(by_group.values())
    counts = np.array([len(crystals) for crystals in groups])
    systems, group_ranges, system_ranges = row_ranges(numbers, counts)
    crystals = [c for k in np.argsort(group_ranges[:, 0]) for c in groups[k]]
    shapes = np.array([c.shape for c in crystals])
    shape_bandwidths = [
        _shape_bandwidths(system, shapes[first:last])
        for system, (first, last) in zip(LATTICE_SYSTEMS, system_ranges, strict=True)
    ]
    return Statistics(
        space_groups=numbers.astype(np.int32),
        **_frequencies(groups),
        group_ranges=group_ranges,
        atomic_volumes=np.array([c.atomic_volume for c in crystals], np.float32),
        packing_factors=np.array([c.packing_factor for c in crystals], np.float32),
        volume_bandwidths=np.array([_volume_bandwidths(g) for g in groups], np.float32),
        lattice_systems=systems.astype(np.int32),
        system_ranges=system_ranges,
        shapes=shapes.astype(np.float32),
        shape_bandwidths=np.array(shape_bandwidths, np.float32),
    )
