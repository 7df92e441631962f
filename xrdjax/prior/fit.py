"""From analysed crystals to statistics: which count, and how wide the kernels are."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xrdjax.crystals.structure_types import Analysis
from xrdjax.errors import InputError
from xrdjax.prior.backing_off import (
    BackingOff,
    Borrower,
    choose_kernels,
    estimate_shares,
    lend,
)
from xrdjax.prior.counted import (
    Columns,
    CountedCrystal,
    columns_for,
    count_by_group,
    count_traits,
)
from xrdjax.prior.tables import Statistics, row_ranges
from xrdjax.symmetry.space_groups import LATTICE_SYSTEMS, space_group

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
    """The crystals that statistics are made from, and why the others are left out.

    Attributes:
        analyses: of the crystals that are used.
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
    left_out = dict.fromkeys((large, complex_), 0)
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
    if min_crystals > 1:
        left_out[rare] = len(fitting) - len(kept)
    return EligibleCrystals(tuple(kept), left_out)


def _bandwidths(samples: np.ndarray, variables: int) -> np.ndarray:
    """Kernel widths [D] by the normal reference rule, for n samples [n, D].

    h_j = 1.06 sigma_j n^(-1 / (4 + d)), d variables estimated together, sigma_j the
    smaller of the standard deviation and the interquartile range / 1.349, which are
    equal for a normal distribution. With the standard deviation alone, one crystal with
    a large, empty cell would widen the kernels of its group tenfold.
    Silverman, Density Estimation for Statistics and Data Analysis (1986), ch. 3.4
    and 4.3.
    """
    sigma = np.std(samples, axis=0)
    quartiles = np.quantile(samples, [0.25, 0.75], axis=0)
    middle = (quartiles[1] - quartiles[0]) / 1.349
    # where more than half are equal, the interquartile range is zero
    sigma = np.where(middle > 0, np.minimum(sigma, middle), sigma)
    return 1.06 * sigma * len(samples) ** (-1 / (4 + variables))


def _volume_bandwidths(crystals: Sequence[CountedCrystal]) -> np.ndarray:
    """Kernel widths [2] of the sum of atomic volumes and of the packing factor."""
    samples = np.array([(c.atomic_volume, c.packing_factor) for c in crystals])
    # identical crystals, or a single one, must not give a kernel of zero width
    return np.maximum(_bandwidths(samples, 2), 1e-3 * samples.mean(axis=0))


def _shape_bandwidths(system: str, shapes: np.ndarray) -> np.ndarray:
    """Kernel widths [6] of the cell shapes [n, 6] of a lattice system; 0 unless free."""
    widths = np.zeros(6)
    free = list(_FREE[system])
    if len(shapes) and free:
        widths[free] = _bandwidths(shapes[:, free], len(free))
    return widths


@dataclass(frozen=True)
class _Group:
    """The contribution of one space group to the statistics.

    Attributes:
        number: of the group.
        frequency: number of crystals.
        shares: its rows of the tables of shares, by name.
        kernels: crystals whose volumes and packing factors it uses.
        shapes: crystals that it adds to the shapes of its lattice system.
    """

    number: int
    frequency: float
    shares: dict[str, np.ndarray]
    kernels: Sequence[CountedCrystal]
    shapes: Sequence[CountedCrystal]


def _own(number: int, crystals: Sequence[CountedCrystal], columns: Columns) -> _Group:
    """A group with enough crystals of its own."""
    counts = count_traits(crystals, columns)
    shares = {name: found / found.sum() for name, found in counts.items()}
    return _Group(number, len(crystals), shares, crystals, crystals)


def _all_groups(
    by_group: dict[int, list[CountedCrystal]],
    min_crystals: int,
    columns: Columns,
    backing_off: BackingOff,
) -> list[_Group]:
    """All 230 groups; those with few crystals borrow."""
    lent = lend(by_group, columns, backing_off.borrowed)
    with_shapes = _with_shapes(by_group, min_crystals)
    groups = []
    for number in range(1, 231):
        crystals = by_group.get(number, [])
        if len(crystals) >= min_crystals:
            groups.append(_own(number, crystals, columns))
            continue
        borrower = Borrower(number, crystals, lent, backing_off.borrowed)
        groups.append(
            _Group(
                number,
                max(len(crystals), backing_off.floor),
                estimate_shares(borrower, columns),
                choose_kernels(borrower),
                crystals if number in with_shapes else [],
            )
        )
    return groups


def _with_shapes(
    by_group: dict[int, list[CountedCrystal]], min_crystals: int
) -> set[int]:
    """Groups with few crystals whose shapes are used nevertheless.

    They belong to lattice systems in which no group has enough crystals. All other
    lattice systems have the shapes of the groups with enough, as without backing off.
    """
    system_of = {n: space_group(n).lattice_system for n in range(1, 231)}
    served = {system_of[n] for n, c in by_group.items() if len(c) >= min_crystals}
    missing = set(LATTICE_SYSTEMS) - {system_of[n] for n in by_group}
    if missing:
        raise InputError(
            f"no crystal is {' or '.join(sorted(missing))}, so that the shapes of such "
            "cells are unknown: for all groups, give crystals of all lattice systems, "
            "or make statistics without --all_groups"
        )
    return {n for n in by_group if system_of[n] not in served}


def compute_statistics(
    analyses: Sequence[Analysis],
    min_crystals: int = 50,
    backing_off: BackingOff | None = None,
) -> Statistics:
    """Statistics of known crystals; their order does not matter.

    Args:
        analyses: of the crystals to use, without those held out.
        min_crystals: a group with fewer gets no statistics, or borrows.
        backing_off: how groups with fewer borrow; None leaves them out.

    Returns:
        Statistics with NumPy leaves.

    Raises:
        InputError: no group has enough crystals, or all groups are asked for and a
            lattice system has no crystal.
    """
    least = min_crystals if backing_off is None else 1
    by_group = count_by_group(eligible_crystals(analyses, least).analyses)
    if not by_group:
        raise InputError(
            f"no space group has {least} crystals among the {len(analyses)} that "
            "were given: give more crystals, or a smaller min_crystals"
        )
    columns = columns_for(c for crystals in by_group.values() for c in crystals)
    if backing_off is None:
        groups = [_own(number, c, columns) for number, c in by_group.items()]
    else:
        groups = _all_groups(by_group, min_crystals, columns, backing_off)
    return _statistics(groups)


def _statistics(groups: Sequence[_Group]) -> Statistics:
    """Tables of groups in ascending order."""
    numbers = np.array([group.number for group in groups])
    systems, group_ranges, _ = row_ranges(
        numbers, np.array([len(group.kernels) for group in groups])
    )
    _, _, system_ranges = row_ranges(
        numbers, np.array([len(group.shapes) for group in groups])
    )
    in_order = [groups[k] for k in np.argsort(systems, kind="stable")]
    kernels = [crystal for group in in_order for crystal in group.kernels]
    shapes = np.array([c.shape for group in in_order for c in group.shapes])
    shape_bandwidths = [
        _shape_bandwidths(system, shapes[first:last])
        for system, (first, last) in zip(LATTICE_SYSTEMS, system_ranges, strict=True)
    ]
    frequencies = np.array([group.frequency for group in groups])
    return Statistics(
        space_groups=numbers.astype(np.int32),
        frequencies=(frequencies / frequencies.sum()).astype(np.float32),
        **{
            name: np.stack([group.shares[name] for group in groups]).astype(np.float32)
            for name in groups[0].shares
        },
        group_ranges=group_ranges,
        atomic_volumes=np.array([c.atomic_volume for c in kernels], np.float32),
        packing_factors=np.array([c.packing_factor for c in kernels], np.float32),
        volume_bandwidths=np.array(
            [_volume_bandwidths(group.kernels) for group in groups], np.float32
        ),
        lattice_systems=systems.astype(np.int32),
        system_ranges=system_ranges,
        shapes=shapes.astype(np.float32),
        shape_bandwidths=np.array(shape_bandwidths, np.float32),
    )
