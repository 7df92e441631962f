"""The prior over crystals, written once more in NumPy, one crystal at a time.

It follows the seven steps of Schopmans, Reiser and Friederich, Digital Discovery 2
(2023), and shares no code with the package: Wyckoff positions are PyXtal's, the check
of the space group is spglib's, and nothing is batched, padded or compiled.

`statistics` is a plain dict of NumPy arrays with the field names of the package's
`Statistics`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from oracles.symmetry import Position, positions, spglib_group

MAX_SITES = 100
MAX_VOLUME = 7000.0  # angstrom^3


@dataclass(frozen=True)
class Draw:
    """One crystal of the prior.

    Attributes:
        space_group: number in International Tables, reference setting.
        sites: atomic number and Wyckoff letter of each site.
        coordinates: [S, 3] the values put for x, y, z of each site, in [0, 1).
        lattice: [3, 3] rows are the conventional vectors a, b, c, angstrom.
        attempts: draws that it took, this one included.
    """

    space_group: int
    sites: tuple[tuple[int, str], ...]
    coordinates: np.ndarray
    lattice: np.ndarray
    attempts: int


def statistics_dict(statistics: object) -> dict[str, np.ndarray]:
    """The fields of a `Statistics` pytree as float64 and integer NumPy arrays."""
    arrays = {name: np.asarray(value) for name, value in vars(statistics).items()}
    return {
        name: array.astype(float if array.dtype.kind == "f" else int)
        for name, array in arrays.items()
    }


def draw_crystal(
    rng: np.random.Generator,
    statistics: Mapping[str, np.ndarray],
    atomic_volumes: np.ndarray,
    space_group: int | None = None,
    check: bool = True,
) -> Draw:
    """Draws one crystal; a rejected draw is repeated in the same group.

    Args:
        rng: source of random numbers.
        statistics: arrays of the `Statistics` file.
        atomic_volumes: [Z] volume of each element's atom, angstrom^3.
        space_group: number; drawn by its frequency if absent.
        check: whether spglib must find the group that was drawn, and no smaller cell.
    """
    groups = statistics["space_groups"]
    if space_group is None:
        space_group = int(rng.choice(groups, p=_normalised(statistics["frequencies"])))
    row = int(np.flatnonzero(groups == space_group)[0])
    attempts = 0
    while True:
        attempts += 1
        sites = _draw_sites(rng, statistics, row, space_group)
        if sites is None:
            continue
        volume = _draw_volume(rng, statistics, row, sites, atomic_volumes)
        if not 0 < volume <= MAX_VOLUME:
            continue
        lattice = _draw_lattice(rng, statistics, row, volume)
        if lattice is None:
            continue
        coordinates = rng.random((len(sites), 3))
        if check and not _has_its_group(space_group, sites, coordinates, lattice):
            continue
        letters = tuple((z, position.letter) for z, position in sites)
        return Draw(space_group, letters, coordinates, lattice, attempts)


def atoms_of_primitive_cell(
    sites: list[tuple[int, Position]], coordinates: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Atomic numbers [N] and fractional coordinates [N, 3] on the conventional cell."""
    numbers, atoms = [], []
    for (z, position), xyz in zip(sites, coordinates, strict=True):
        orbit = position.maps @ np.append(xyz, 1.0)
        numbers += [z] * len(orbit)
        atoms.append(orbit)
    return np.array(numbers), np.concatenate(atoms)


def lattice_of_shape(shape: np.ndarray, volume: float) -> np.ndarray | None:
    """Rows a, b, c of the cell of a given volume, angstrom; a along x, b in the xy plane.

    Args:
        shape: a, b, c in any unit, then alpha, beta, gamma in radians.
        volume: angstrom^3.

    Returns:
        [3, 3]; None if no cell has these angles.
    """
    lengths, angles = shape[:3], shape[3:]
    if np.any(lengths <= 0) or np.any(angles <= 0) or np.any(angles >= np.pi):
        return None
    alpha, beta, gamma = np.cos(angles)
    metric = np.array([[1, gamma, beta], [gamma, 1, alpha], [beta, alpha, 1]])
    if np.linalg.det(metric) <= 1e-9:
        return None
    rows = np.linalg.cholesky(metric) * lengths[:, None]
    return rows * (volume / np.linalg.det(rows)) ** (1 / 3)


@lru_cache
def _wyckoff(space_group: int) -> dict[int, Position]:
    """Positions of a group by the column of their letter in the statistics."""
    return {
        "abcdefghijklmnopqrstuvwxyzA".index(p.letter): p for p in positions(space_group)
    }


def _draw_sites(rng, statistics, row, space_group):
    """Steps 2 and 3: elements, how often each, and where; None if impossible."""
    count = 1 + rng.choice(
        statistics["element_counts"].shape[1],
        p=_normalised(statistics["element_counts"][row]),
    )
    left = statistics["elements"][row].copy()
    elements = []
    for _ in range(count):
        if left.sum() <= 0:
            return None
        elements.append(int(rng.choice(len(left), p=_normalised(left))))
        left[elements[-1]] = 0
    site_counts = _normalised(statistics["site_counts"][row])
    numbers = [1 + int(rng.choice(len(site_counts), p=site_counts)) for _ in elements]
    if sum(numbers) > MAX_SITES:
        return None
    available = statistics["wyckoff"][row].copy()
    sites = []
    for z, number in zip(elements, numbers, strict=True):
        for _ in range(number):
            if available.sum() <= 0:
                return None
            column = int(rng.choice(len(available), p=_normalised(available)))
            position = _wyckoff(space_group)[column]
            sites.append((z, position))
            if not any(position.free):
                available[column] = 0
    return sites


def _draw_volume(rng, statistics, row, sites, atomic_volumes):
    """Step 4: cell volume from the density conditional on the atoms' own volume.

    p(f | V) = sum_i K((V - V_i) / h_V) K((f - f_i) / h_f) / sum_i K((V - V_i) / h_V)
    """
    own = sum(position.multiplicity * atomic_volumes[z] for z, position in sites)
    first, last = statistics["group_ranges"][row]
    width, noise = statistics["volume_bandwidths"][row]
    exponents = -0.5 * ((own - statistics["atomic_volumes"][first:last]) / width) ** 2
    weights = np.exp(exponents - exponents.max())
    picked = first + rng.choice(last - first, p=_normalised(weights))
    factor = statistics["packing_factors"][picked] + noise * rng.standard_normal()
    return own * factor


def _draw_lattice(rng, statistics, row, volume):
    """Step 5: cell of the given volume, its shape from the lattice system's density.

    None if the parameters are those of no cell.
    """
    system = int(statistics["lattice_systems"][row])
    first, last = statistics["system_ranges"][system]
    shape = statistics["shapes"][rng.integers(first, last)].copy()
    noise = statistics["shape_bandwidths"][system] * rng.standard_normal(6)
    match system:
        case 0:  # triclinic
            shape += noise
        case 1:  # monoclinic, unique axis b
            shape[[0, 1, 2, 4]] += noise[[0, 1, 2, 4]]
        case 2:  # orthorhombic
            shape[:3] += noise[:3]
        case 3 | 4 | 5:  # tetragonal, rhombohedral on hexagonal axes, hexagonal
            shape[[0, 2]] += noise[[0, 2]]
            shape[1] = shape[0]
    return lattice_of_shape(shape, volume)


def _has_its_group(space_group, sites, coordinates, lattice):
    """Step 7: spglib finds the group that was drawn, in a primitive cell.

    With three sites in general position no operation beyond the group's can map all
    their atoms onto atoms, as their coordinates are independent: spglib, which is slow
    with many atoms, is not asked.
    """
    if sum(all(position.free) for _, position in sites) >= 3:
        return True
    numbers, atoms = atoms_of_primitive_cell(sites, coordinates)
    return spglib_group(space_group, lattice, atoms, numbers) == (
        space_group,
        len(numbers),
    )


def _normalised(weights: np.ndarray) -> np.ndarray:
    return weights / math.fsum(weights)
