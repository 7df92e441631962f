"""From cell, sites and operations, as people write them, to a checked `Structure`."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from xrdjax.crystals.crystal import Structure
from xrdjax.crystals.elements import SYMBOLS, atomic_number
from xrdjax.crystals.lattices import lattice_from_parameters
from xrdjax.errors import InputError
from xrdjax.symmetry.space_groups import space_group as reference_setting

# A site this close to its own image, angstrom, has rounded coordinates (0.333 for 1/3
# is 0.02 angstrom off in a long cell) and belongs on the special position. Sites split
# by disorder are farther apart: at least 0.09 angstrom in 550 crystals of the
# Crystallography Open Database.
ROUNDING = 0.05

# Atoms closer than this, angstrom, share one place (those of H2 are 0.74 apart),
# and their occupancies add up to at most one, within the errors of an analysis.
TOO_NEAR = 0.5
FULL = 1.15

# Relative deviation of a cell from the symmetry of its operations that counts as
# rounding.
CELL_TOLERANCE = 0.01

# Distances between sites and images that are in memory at a time.
_BLOCK = 100_000


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


def _nearest_images(
    structure: Structure, origins: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Steps [S, G, 3] from origins to the images of the sites; lengths, angstrom."""
    images = np.einsum("gij,sj->sgi", structure.rotations, structure.positions)
    steps = images + structure.translations - origins[..., None, :]
    steps -= np.round(steps)
    return steps, np.linalg.norm(steps @ structure.lattice, axis=-1)


def _on_special_positions(structure: Structure) -> Structure:
    """Moves sites within ROUNDING of a special position onto it.

    The mean of a site's coincident images is invariant under the operations that
    relate them: it is the special position.
    """
    for _ in range(2):  # again, for images that were just beyond the limit
        steps, distances = _nearest_images(structure, structure.positions)
        near = (distances < ROUNDING)[..., None]
        mean = np.sum(steps * near, axis=1) / np.sum(near, axis=1)
        structure = dataclasses.replace(structure, positions=structure.positions + mean)
    return structure


def _overlaps(structure: Structure) -> tuple[np.ndarray, np.ndarray]:
    """How the sites overlap with images of one another.

    Returns:
        Whether site S' coincides with an image of site S [S, S'], and the occupancy
        that S' adds within TOO_NEAR of site S [S, S'].
    """
    positions = structure.positions
    _, distances = _nearest_images(structure, positions)
    # images on a special position coincide; together they are one atom
    weights = structure.occupancies / np.sum(distances < ROUNDING, axis=1)
    coincide, shares = [], []
    step = max(1, _BLOCK // distances.size)
    for start in range(0, len(positions), step):
        origins = positions[start : start + step, None]
        _, distances = _nearest_images(structure, origins)
        coincide.append(np.any(distances < ROUNDING, axis=-1))
        shares.append(np.sum(distances < TOO_NEAR, axis=-1) * weights)
    return np.concatenate(coincide), np.concatenate(shares)


def _check_occupancy(
    shares: np.ndarray, kept: np.ndarray, labels: Sequence[str]
) -> None:
    """No place may hold more than one atom.

    Args:
        shares: [S, S] from `_overlaps`.
        kept: [S] sites that are not repetitions of others.
        labels: [S] names of the sites.
    """
    totals = np.sum(shares * kept, axis=1)
    if np.any(totals > FULL):
        site = int(np.argmax(totals > FULL))
        others = [
            labels[other]
            for other in np.flatnonzero((shares[site] > 0) & kept).tolist()
            if other != site
        ]
        raise InputError(
            f"site {labels[site]} lies on top of "
            f"{' and '.join(others) or 'its own image'}: the occupancies within "
            f"{TOO_NEAR} angstrom add up to {totals[site]:.3g}, expected at most 1"
        )


def _without_crowding(structure: Structure, labels: Sequence[str]) -> Structure:
    """Drops sites that repeat an earlier one, and refuses overlapping atoms.

    Some files list equivalent atoms one by one and give the operations as well: a
    site that coincides with an image of an earlier one, of the same element and
    occupancy, is a repetition, unless the two share the place.
    """
    coincide, shares = _overlaps(structure)
    elements, occupancies = structure.elements, structure.occupancies
    equal = (elements[:, None] == elements) & (
        np.abs(occupancies[:, None] - occupancies) < 1e-3
    )
    repeats = coincide & equal & (occupancies[:, None] + occupancies > FULL)
    kept = ~np.any(np.tril(repeats, -1), axis=1)
    _check_occupancy(shares, kept, labels)
    return dataclasses.replace(
        structure,
        positions=structure.positions[kept],
        elements=elements[kept],
        occupancies=occupancies[kept],
        b_iso=structure.b_iso[kept],
    )


def checked_structure(
    name: str,
    lattice: np.ndarray,
    labels: Sequence[str],
    positions: np.ndarray,
    elements: Sequence[int],
    occupancies: Sequence[float] | np.ndarray,
    b_iso: Sequence[float] | np.ndarray,
    rotations: np.ndarray,
    translations: np.ndarray,
    space_group: int | None,
) -> Structure:
    """A `Structure` with sites moved onto special positions, or an error.

    Args:
        name, lattice, ..., space_group: as in `Structure`.
        labels: [S] names of the sites, for messages.

    Raises:
        InputError: no sites, a coordinate or occupancy that is not a number, a cell
            without the symmetry of the operations, or sites on top of each other.
    """
    positions = np.asarray(positions, float)
    occupancies = np.asarray(occupancies, float)
    if len(positions) == 0:
        raise InputError("no atoms: expected at least one occupied site")
    for label, position, occupancy in zip(labels, positions, occupancies, strict=True):
        if not np.all(np.isfinite(position)):
            raise InputError(f"site {label} has no fractional coordinates")
        if not 0 < occupancy <= FULL:
            raise InputError(
                f"site {label} has occupancy {occupancy:g}, expected 0 to 1"
            )
    _check_cell_fits(lattice, rotations)
    structure = Structure(
        name=name,
        lattice=lattice,
        positions=positions,
        elements=np.asarray(elements, np.int32),
        occupancies=occupancies,
        b_iso=np.asarray(b_iso, float),
        rotations=rotations,
        translations=translations,
        space_group=space_group,
    )
    return _without_crowding(_on_special_positions(structure), labels)


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
    n = len(symbols)
    try:
        positions = np.asarray(positions, float)
        occupancies = np.asarray(np.ones(n) if occupancies is None else occupancies)
        b_iso = np.asarray(np.zeros(n) if b_iso is None else b_iso)
        shapes = positions.shape, occupancies.shape, b_iso.shape
    except ValueError as error:
        raise InputError(f"{name}: positions, occupancies or b_iso: {error}") from error
    if shapes != ((n, 3), (n,), (n,)):
        raise InputError(
            f"{name}: positions, occupancies and b_iso have shapes {shapes}; expected "
            f"({n}, 3), ({n},) and ({n},) for {n} symbols"
        )
    elements = [atomic_number(symbol) for symbol in symbols]
    return checked_structure(
        name=name,
        lattice=lattice_from_cell(cell),
        labels=[f"{SYMBOLS[z]}{i}" for i, z in enumerate(elements, 1)],
        positions=positions,
        elements=elements,
        occupancies=occupancies,
        b_iso=b_iso,
        rotations=np.tile(group.rotations, (len(group.centring_vectors), 1, 1)),
        translations=np.mod(
            group.centring_vectors[:, None] + group.translations[None], 1.0
        ).reshape(-1, 3),
        space_group=group.number,
    )
