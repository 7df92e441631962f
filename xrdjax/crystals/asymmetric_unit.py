"""From cell, sites and operations, as people write them, to a checked `Structure`."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from xrdjax.crystals.crowding import (
    FULL,
    TOO_NEAR,
    Overlaps,
    on_special_positions,
    overlaps,
)
from xrdjax.crystals.crystal import Structure
from xrdjax.crystals.elements import SYMBOLS, atomic_number
from xrdjax.crystals.lattices import lattice_from_parameters
from xrdjax.errors import InputError
from xrdjax.symmetry.space_groups import space_group as reference_setting

# Relative deviation of a cell from the symmetry of its operations that counts as
# rounding.
CELL_TOLERANCE = 0.01

# Larger numbers are no fractions of a cell, smaller and larger edges no angstroms.
MOST_FRACTION = 2.0
EDGES = (0.7, 10_000.0)
LONGEST_EDGE = 2.0  # at least this

# A larger B scatters nothing, square angstrom.
LARGEST_B = 10_000.0


@dataclasses.dataclass(frozen=True, eq=False)
class Sites:
    """Sites as they are listed, checked or not.

    Attributes:
        labels: [S] names of the sites, for messages.
        positions: [S, 3] fractional coordinates.
        elements: [S] atomic numbers.
        occupancies: [S].
        b_iso: [S] B = 8 pi^2 U, square angstrom.
    """

    labels: Sequence[str]
    positions: np.ndarray
    elements: Sequence[int] | np.ndarray
    occupancies: Sequence[float] | np.ndarray
    b_iso: Sequence[float] | np.ndarray


def lattice_from_cell(cell: Sequence[float] | np.ndarray) -> np.ndarray:
    """Lattice [3, 3] of (a, b, c, alpha_deg, beta_deg, gamma_deg), checked.

    Raises:
        InputError: a length or angle is not a positive number, or the angles close
            no cell.
    """
    cell = np.asarray(cell, float)
    shown = " ".join(f"{value:g}" for value in np.ravel(cell))
    if cell.shape != (6,) or not np.all(np.isfinite(cell)) or np.any(cell <= 0):
        raise InputError(
            f"unit cell ({shown}): expected three lengths in angstrom and three "
            "angles in degrees, all positive"
        )
    shortest, longest = np.min(cell[:3]), np.max(cell[:3])
    if shortest < EDGES[0] or not LONGEST_EDGE <= longest <= EDGES[1]:
        raise InputError(
            f"unit cell ({shown}): expected edges in angstrom, {EDGES[0]:g} to "
            f"{EDGES[1]:g} and one of at least {LONGEST_EDGE:g}; convert lengths in "
            "nanometres or picometres"
        )
    if np.any(cell[3:] <= np.pi):
        raise InputError(
            f"unit cell ({shown}): the angles look like radians, convert them to degrees"
        )
    lattice = lattice_from_parameters(*cell[:3], *np.deg2rad(cell[3:]))
    if np.any(cell[3:] >= 180) or lattice[2, 2] < 1e-3 * cell[2]:
        raise InputError(
            f"unit cell ({shown}): the three angles close no cell; expected each "
            "below the sum of the other two, and the sum below 360 degrees"
        )
    return lattice


def _check_cell_fits(lattice: np.ndarray, rotations: np.ndarray) -> None:
    """Every rotation must preserve the metric: W^T G W = G."""
    metric = lattice @ lattice.T
    lengths = np.sqrt(np.diag(metric))
    change = np.swapaxes(rotations, 1, 2) @ metric @ rotations - metric
    worst = np.max(np.abs(change) / np.outer(lengths, lengths))
    if worst > CELL_TOLERANCE:
        raise InputError(
            "the unit cell does not have the symmetry of the operations "
            f"(relative difference {worst:.2g}): expected a cell of the same "
            "system and axes"
        )


def _check_occupancy(
    overlap: Overlaps, kept: np.ndarray, labels: Sequence[str]
) -> None:
    """No place may hold more than one atom.

    Args:
        overlap: of the sites.
        kept: [S] sites that are not repetitions of others.
        labels: [S] names of the sites.
    """
    both = kept[overlap.first] & kept[overlap.second]
    totals = np.bincount(overlap.first, overlap.share * both, len(kept))
    if np.any(totals > FULL):
        site = int(np.argmax(totals > FULL))
        near = overlap.second[both & (overlap.first == site)].tolist()
        others = [labels[other] for other in near if other != site]
        shown = " and ".join(others[:3]) + (" and others" if len(others) > 3 else "")
        raise InputError(
            f"site {labels[site]} lies on top of "
            f"{shown or 'its own image'}: the occupancies within "
            f"{TOO_NEAR} angstrom add up to {totals[site]:.3g}, expected at most 1"
        )


def _without_crowding(
    structure: Structure, labels: Sequence[str]
) -> tuple[Structure, np.ndarray]:
    """Drops sites that repeat an earlier one, and refuses overlapping atoms.

    Some files list equivalent atoms one by one and give the operations as well: a
    site that coincides with an image of an earlier one, of the same element and
    occupancy, is a repetition, unless the two share the place.

    Returns:
        The structure, and [S] which sites it has kept.
    """
    overlap = overlaps(structure)
    first, second = overlap.first, overlap.second
    elements, occupancies = structure.elements, structure.occupancies
    repeats = (
        overlap.coincide
        & (second < first)
        & (elements[first] == elements[second])
        & (np.abs(occupancies[first] - occupancies[second]) < 1e-3)
        & (occupancies[first] + occupancies[second] > FULL)
    )
    kept = np.ones(len(elements), bool)
    kept[first[repeats]] = False
    _check_occupancy(overlap, kept, labels)
    return dataclasses.replace(
        structure,
        positions=structure.positions[kept],
        elements=elements[kept],
        occupancies=occupancies[kept],
        b_iso=structure.b_iso[kept],
    ), kept


def _check_sites(sites: Sites) -> None:
    """Refuses numbers that describe no atom."""
    if len(sites.positions) == 0:
        raise InputError("no atoms: expected at least one occupied site")
    for label, position, occupancy, b in zip(
        sites.labels, sites.positions, sites.occupancies, sites.b_iso, strict=True
    ):
        if not np.all(np.isfinite(position)):
            raise InputError(f"site {label} has no fractional coordinates")
        largest = max(position, key=abs)
        if abs(largest) >= MOST_FRACTION:
            raise InputError(
                f"site {label} has the coordinate {largest:g}, expected fractions of the "
                "cell edges between -2 and 2: divide Cartesian coordinates by the cell"
            )
        if not 0 < occupancy <= FULL:
            raise InputError(
                f"site {label} has occupancy {occupancy:g}, expected 0 to 1"
            )
        if not 0 <= b <= LARGEST_B:
            raise InputError(
                f"site {label} has a displacement parameter B of {b:g} square angstrom, "
                f"expected 0 to {LARGEST_B:g}"
            )


def checked_sites(
    name: str,
    lattice: np.ndarray,
    sites: Sites,
    rotations: np.ndarray,
    translations: np.ndarray,
    space_group: int | None,
) -> tuple[Structure, np.ndarray]:
    """A `Structure` with sites moved onto special positions, or an error.

    Args:
        name, lattice, rotations, translations, space_group: as in `Structure`.
        sites: as they are listed.

    Returns:
        The structure, and [S] which of the sites it has: repetitions are left out.

    Raises:
        InputError: no sites, a coordinate, occupancy or displacement that none can be,
            a cell without the symmetry of the operations, or sites on top of each
            other.
    """
    _check_sites(sites)
    _check_cell_fits(lattice, rotations)
    structure = Structure(
        name=name,
        lattice=lattice,
        positions=np.asarray(sites.positions, float),
        elements=np.asarray(sites.elements, np.int32),
        occupancies=np.asarray(sites.occupancies, float),
        b_iso=np.asarray(sites.b_iso, float),
        rotations=rotations,
        translations=translations,
        space_group=space_group,
    )
    return _without_crowding(on_special_positions(structure), sites.labels)


def structure_from_sites(
    name: str,
    space_group: int,
    cell: Sequence[float],
    symbols: Sequence[str],
    positions: Sequence[Sequence[float]] | np.ndarray,
    occupancies: Sequence[float] | np.ndarray | None = None,
    b_iso: Sequence[float] | np.ndarray | None = None,
) -> Structure:
    """A structure from a list of sites, in the reference setting of its space group.

        >>> salt = structure_from_sites(
        ...     "halite", 225, (5.64, 5.64, 5.64, 90, 90, 90),
        ...     ["Na", "Cl"], [(0, 0, 0), (0.5, 0.5, 0.5)],
        ... )
        >>> salt.formula
        'ClNa'

    Args:
        name: for messages and tables.
        space_group: 1 to 230; origin choice 2, hexagonal axes for R, unique axis b.
        cell: (a, b, c, alpha_deg, beta_deg, gamma_deg), angstrom and degrees.
        symbols: [S] element symbols, with or without charges.
        positions: [S, 3] fractional coordinates of the asymmetric unit.
        occupancies: [S], 1 without it.
        b_iso: [S] B = 8 pi^2 U, square angstrom, 0 without it.

    Raises:
        InputError: the input is wrong; the message states how.
    """
    group = reference_setting(space_group)
    if isinstance(symbols, str):
        raise InputError(
            f"{name}: symbols is the text {symbols!r}, expected a list of element "
            'symbols such as ["Na", "Cl"]'
        )
    n = len(symbols)
    try:
        positions = np.asarray(positions, float)
        occupancies = np.asarray(
            np.ones(n) if occupancies is None else occupancies, float
        )
        b_iso = np.asarray(np.zeros(n) if b_iso is None else b_iso, float)
        shapes = positions.shape, occupancies.shape, b_iso.shape
    except (ValueError, TypeError) as error:
        raise InputError(f"{name}: positions, occupancies or b_iso: {error}") from error
    if shapes != ((n, 3), (n,), (n,)):
        raise InputError(
            f"{name}: positions, occupancies and b_iso have shapes {shapes}; expected "
            f"({n}, 3), ({n},) and ({n},) for {n} symbols"
        )
    elements = [atomic_number(symbol) for symbol in symbols]
    labels = [f"{SYMBOLS[z]}{i}" for i, z in enumerate(elements, 1)]
    structure, _ = checked_sites(
        name=name,
        lattice=lattice_from_cell(cell),
        sites=Sites(labels, positions, elements, occupancies, b_iso),
        rotations=np.tile(group.rotations, (len(group.centring_vectors), 1, 1)),
        translations=np.mod(
            group.centring_vectors[:, None] + group.translations[None], 1.0
        ).reshape(-1, 3),
        space_group=group.number,
    )
    return structure
