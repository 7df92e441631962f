"""Sites and images that coincide or come too near, by a k-d tree: memory grows with atoms."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from xrdjax.crystals.crystal import Structure
from xrdjax.crystals.elements import COVALENT_RADII
from xrdjax.crystals.lattices import reciprocal_lattice
from xrdjax.errors import InputError

# A site this close to its own image, angstrom, has rounded coordinates (0.333 for 1/3
# is 0.02 angstrom off in a long cell) and belongs on the special position. Sites split
# by disorder are farther apart: at least 0.09 angstrom in 550 crystals of the
# Crystallography Open Database.
ROUNDING = 0.05

# Atoms closer than this, angstrom, share one place (those of H2 are 0.74 apart),
# and their occupancies add up to at most one, within the errors of an analysis.
TOO_NEAR = 0.5
FULL = 1.15

# Images that are in memory at a time.
_BLOCK = 200_000

# Images of all sites together, and pairs of near ones: more come from no analysis.
_MOST_IMAGES = 4_000_000
_MOST_PAIRS = 4_000_000


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Sites and near images of sites, each entry one image.

    Attributes:
        site: [P] that the image is near to.
        image_of: [P] site whose image it is.
        distance: [P] angstrom.
    """

    site: Int[np.ndarray, " P"]
    image_of: Int[np.ndarray, " P"]
    distance: Float[np.ndarray, " P"]


def _blocks(structure: Structure) -> list[slice]:
    """Slices of the sites with at most _BLOCK images, or one site, each."""
    step = max(1, _BLOCK // len(structure.rotations))
    return [slice(i, i + step) for i in range(0, len(structure.positions), step)]


def _images(structure: Structure, sites: slice) -> Float[np.ndarray, "s G 3"]:
    """Fractional coordinates of all images of some sites."""
    images = np.einsum("gij,sj->sgi", structure.rotations, structure.positions[sites])
    return images + structure.translations


def _own_images(
    structure: Structure, sites: slice
) -> tuple[Float[np.ndarray, "s G 3"], Float[np.ndarray, "s G"]]:
    """Shortest steps from sites to their own images; lengths, angstrom."""
    steps = _images(structure, sites) - structure.positions[sites, None]
    steps -= np.round(steps)
    return steps, np.linalg.norm(steps @ structure.lattice, axis=-1)


def on_special_positions(structure: Structure) -> Structure:
    """Moves sites within ROUNDING of a special position onto it.

    The mean of a site's coincident images is invariant under the operations that
    relate them: it is the special position.
    """
    for _ in range(2):  # again, for images that were just beyond the limit
        positions = structure.positions.copy()
        for block in _blocks(structure):
            steps, distances = _own_images(structure, block)
            near = (distances < ROUNDING)[..., None]
            positions[block] += np.sum(steps * near, axis=1) / np.sum(near, axis=1)
        structure = dataclasses.replace(structure, positions=positions)
    return structure


def site_multiplicities(structure: Structure) -> Int[np.ndarray, " S"]:
    """Atoms of each site in the conventional cell: G over those that keep it."""
    kept = [
        np.sum(_own_images(structure, block)[1] < ROUNDING, axis=1)
        for block in _blocks(structure)
    ]
    return len(structure.rotations) // np.concatenate(kept)


def _check_images(count: int) -> None:
    if count > _MOST_IMAGES:
        raise InputError(
            f"the cell holds {count} images of its sites: expected at most "
            f"{_MOST_IMAGES}"
        )


def _with_neighbours(
    fractional: Float[np.ndarray, "n 3"],
    sites: Int[np.ndarray, " n"],
    axis: int,
    reach: float,
) -> tuple[Float[np.ndarray, "m 3"], Int[np.ndarray, " m"]]:
    """Points and their copies in the cells before and after that are within reach."""
    points, owners = [fractional], [sites]
    along = fractional[:, axis]
    for shift in range(1, int(np.ceil(reach)) + 1):
        for step in (shift, -shift):
            near = np.abs(along + step - 0.5) <= 0.5 + reach
            points.append(fractional[near] + step * np.eye(3)[axis])
            owners.append(sites[near])
        _check_images(sum(map(len, owners)))
    return np.concatenate(points), np.concatenate(owners)


def near_pairs(structure: Structure, distance: float) -> Pairs:
    """All images of sites within a distance of a site, itself included.

    The images are taken into the cell, and those near its faces once more on the
    opposite side, so that any cell is searched in full.

    Raises:
        InputError: there are more images or pairs than any crystal has.
    """
    count = len(structure.positions) * len(structure.rotations)
    _check_images(count)
    fractional = np.concatenate(
        [np.mod(_images(structure, b), 1.0).reshape(-1, 3) for b in _blocks(structure)]
    )
    sites = np.repeat(np.arange(len(structure.positions)), len(structure.rotations))
    # a sphere reaches this far along each axis, as a fraction of it
    reach = distance * np.linalg.norm(reciprocal_lattice(structure.lattice), axis=1)
    for axis in range(3):
        fractional, sites = _with_neighbours(fractional, sites, axis, reach[axis])
    origins = cKDTree(np.mod(structure.positions, 1.0) @ structure.lattice)
    images = cKDTree(fractional @ structure.lattice)
    if origins.count_neighbors(images, distance) > _MOST_PAIRS:
        raise InputError(
            f"more than {_MOST_PAIRS} pairs of atoms lie within {distance:g} angstrom: "
            "expected each atom at a place of its own"
        )
    found = origins.sparse_distance_matrix(images, distance, output_type="ndarray")
    return Pairs(found["i"], sites[found["j"]], found["v"])


def shortest_contact(structure: Structure) -> float:
    """Smallest distance of two full atoms over the sum of their covalent radii.

    Atoms that share a place, or replace each other in disorder, do not touch.
    """
    largest = 2 * float(np.max(COVALENT_RADII[structure.elements]))
    pairs = near_pairs(structure, largest)
    apart = pairs.distance > ROUNDING
    occupancy = (
        structure.occupancies[pairs.site] + structure.occupancies[pairs.image_of]
    )
    radii = COVALENT_RADII[structure.elements]
    ratio = pairs.distance / (radii[pairs.site] + radii[pairs.image_of])
    ratio = ratio[apart & (occupancy > FULL)]
    return float(np.min(ratio, initial=np.inf))


@dataclasses.dataclass(frozen=True)
class Overlaps:
    """Pairs of sites of which an image of the second is near to the first.

    Attributes:
        first, second: [Q] sites.
        coincide: [Q] within ROUNDING.
        share: [Q] occupancy that the second adds within TOO_NEAR of the first.
    """

    first: Int[np.ndarray, " Q"]
    second: Int[np.ndarray, " Q"]
    coincide: Bool[np.ndarray, " Q"]
    share: Float[np.ndarray, " Q"]


def overlaps(structure: Structure) -> Overlaps:
    """How the sites overlap with images of one another.

    Raises:
        InputError: as `near_pairs`.
    """
    count = len(structure.positions)
    # images on a special position coincide; together they are one atom
    order = len(structure.rotations) / site_multiplicities(structure)
    weights = structure.occupancies / order
    pairs = near_pairs(structure, TOO_NEAR)
    keys, index = np.unique(pairs.site * count + pairs.image_of, return_inverse=True)
    coincide = np.zeros(len(keys), bool)
    np.logical_or.at(coincide, index, pairs.distance < ROUNDING)
    share = np.bincount(index, weights[pairs.image_of], len(keys))
    return Overlaps(keys // count, keys % count, coincide, share)
