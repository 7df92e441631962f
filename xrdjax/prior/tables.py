"""Statistics of known crystals, from which synthetic crystals are sampled.

They are those of Schopmans, Reiser and Friederich, Digital Discovery 2 (2023), doi
10.1039/D3DD00071K: for each space group, how many elements, which, on how many sites,
on which Wyckoff positions, and in how much volume; for each lattice system, the shape
of the cell. Everything refers to the reference setting and its conventional cell.
"""

import dataclasses

import jax
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from xrdjax.errors import InputError
from xrdjax.symmetry.space_groups import LATTICE_SYSTEMS, space_group

# Fields of Statistics with a row for each group.
_BY_GROUP = (
    "space_groups",
    "frequencies",
    "element_counts",
    "elements",
    "site_counts",
    "wyckoff",
    "volume_bandwidths",
    "lattice_systems",
)


@struct.dataclass
class Statistics:
    """Frequencies and kernel densities of known crystals; float32 and int32 leaves.

    K groups in ascending order. V crystals for volumes and M for shapes, sorted by
    lattice system, then group: the same ones, unless some groups borrow from others.

    Attributes:
        space_groups: [K] number of each group.
        frequencies: [K] share of each group among the crystals.
        element_counts: [K, E] probability of n distinct elements in column n - 1.
        elements: [K, Z + 1] relative frequency of each element among the group's
            crystals (each counts once per crystal); column 0 is padding.
        site_counts: [K, S] probability that an element occupies n sites, column n - 1.
        wyckoff: [K, 27] share of each letter among the sites; column 0 is "a".
        group_ranges: [K, 2] the group's volumes are those from the first index to the
            second, exclusive.
        atomic_volumes: [V] sum of atomic volumes in the conventional cell, angstrom^3.
        packing_factors: [V] volume of the cell divided by that sum.
        volume_bandwidths: [K, 2] kernel widths of the sum (angstrom^3) and the factor.
        lattice_systems: [K] index of each group's lattice system in LATTICE_SYSTEMS.
        system_ranges: [7, 2] the same for the shapes of each lattice system.
        shapes: [M, 6] a, b, c divided by the cube root of the volume, and alpha,
            beta, gamma in radians.
        shape_bandwidths: [7, 6] their kernel widths; 0 where the lattice system
            fixes a value (angles of 90 and 120 degrees, everything in a cubic cell) or
            ties it to a (b where a = b).
    """

    space_groups: Int[Array | np.ndarray, " K"]
    frequencies: Float[Array | np.ndarray, " K"]
    element_counts: Float[Array | np.ndarray, "K E"]
    elements: Float[Array | np.ndarray, "K Z"]
    site_counts: Float[Array | np.ndarray, "K S"]
    wyckoff: Float[Array | np.ndarray, "K 27"]
    group_ranges: Int[Array | np.ndarray, "K 2"]
    atomic_volumes: Float[Array | np.ndarray, " V"]
    packing_factors: Float[Array | np.ndarray, " V"]
    volume_bandwidths: Float[Array | np.ndarray, "K 2"]
    lattice_systems: Int[Array | np.ndarray, " K"]
    system_ranges: Int[Array | np.ndarray, "7 2"]
    shapes: Float[Array | np.ndarray, "M 6"]
    shape_bandwidths: Float[Array | np.ndarray, "7 6"]


def group_row(statistics: Statistics, number: int) -> int:
    """Row of a space group in the statistics.

    Args:
        statistics: with concrete values.
        number: of the space group, 1 to 230.

    Raises:
        InputError: there is no such space group, or it has no statistics.
    """
    if isinstance(statistics.space_groups, jax.core.Tracer):
        raise InputError(
            f"the row of space group {number} in traced statistics is unknown: call "
            "group_row outside jit, and pass the row to the compiled function"
        )
    symbol = space_group(number).hermann_mauguin
    numbers = np.asarray(statistics.space_groups)
    (rows,) = np.nonzero(numbers == number)
    if len(rows) == 0:
        nearest = np.sort(numbers[np.argsort(np.abs(numbers - number))[:6]])
        raise InputError(
            f"space group {number} ({symbol}) has no statistics, as too few crystals "
            f"of it are known: expected one of the {len(numbers)} groups that have them, "
            f"of which the nearest are {', '.join(map(str, nearest))}"
        )
    return int(rows[0])


def select_groups(
    statistics: Statistics, space_groups: Int[np.ndarray, " k"]
) -> Statistics:
    """Statistics of some of the groups, with the frequencies that they have among them.

    Args:
        statistics: with concrete values.
        space_groups: [k] numbers of the groups, ascending.

    Raises:
        InputError: a group has no statistics, or the numbers do not ascend.
    """
    if np.any(np.diff(space_groups) <= 0):
        raise InputError(
            f"the space groups {', '.join(map(str, space_groups))} do not ascend: sort "
            "them, each once"
        )
    rows = np.array([group_row(statistics, int(n)) for n in space_groups])
    ranges = np.asarray(statistics.group_ranges)[rows]
    systems, group_ranges, _ = row_ranges(space_groups, np.diff(ranges)[:, 0])
    crystals = np.concatenate(
        [np.arange(*ranges[k]) for k in np.argsort(systems, kind="stable")]
    )
    by_group = {name: np.asarray(getattr(statistics, name))[rows] for name in _BY_GROUP}
    frequencies = by_group["frequencies"].astype(np.float64)
    return dataclasses.replace(
        statistics,
        **by_group
        | {
            "frequencies": (frequencies / frequencies.sum()).astype(np.float32),
            "group_ranges": group_ranges,
            "atomic_volumes": np.asarray(statistics.atomic_volumes)[crystals],
            "packing_factors": np.asarray(statistics.packing_factors)[crystals],
        },
    )


def row_ranges(space_groups: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, ...]:
    """Ranges of the crystals of each group, sorted by lattice system, then group.

    Args:
        space_groups: [K] numbers, ascending.
        counts: [K] crystals of each group.

    Returns:
        Lattice systems [K], ranges of the groups [K, 2] and of the systems [7, 2].
    """
    systems = np.array(
        [
            LATTICE_SYSTEMS.index(space_group(n).lattice_system)
            for n in space_groups.tolist()
        ]
    )
    order = np.argsort(systems, kind="stable")
    past = np.empty_like(counts)
    past[order] = np.cumsum(counts[order])
    ends = np.cumsum(np.bincount(systems, counts, len(LATTICE_SYSTEMS)))
    group_ranges = np.stack([past - counts, past], axis=1)
    system_ranges = np.stack([np.r_[0, ends[:-1]], ends], axis=1)
    return systems, group_ranges.astype(np.int32), system_ranges.astype(np.int32)
