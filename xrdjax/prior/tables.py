"""Statistics of known crystals, from which random ones are drawn.

They are those of Schopmans, Reiser and Friederich, Digital Discovery 2 (2023), doi
10.1039/D3DD00071K: for each space group, how many elements, which, on how many sites,
on which Wyckoff positions, and in how much volume; for each lattice system, the shape
of the cell. All refers to the reference setting and its conventional cell.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from xrdjax.crystals.elements import SYMBOLS
from xrdjax.errors import InputError
from xrdjax.files import read_npz, write_npz
from xrdjax.symmetry.space_groups import LATTICE_SYSTEMS, space_group
from xrdjax.symmetry.wyckoff import wyckoff_table

BUNDLED = Path(__file__).parent / "data" / "statistics.npz"


@struct.dataclass
class Statistics:
    """What random crystals are drawn from; float32 and int32 leaves.

    K groups ascend by number; M crystals are sorted by lattice system, then group.

    Attributes:
        space_groups: [K] number of each group.
        frequencies: [K] share of each group among the crystals.
        element_counts: [K, E] probability of n distinct elements in column n - 1.
        elements: [K, Z + 1] relative frequency of each element among the group's
            crystals (each counts once a crystal); column 0 is padding.
        site_counts: [K, S] probability that an element is on n sites, column n - 1.
        wyckoff: [K, 27] share of each letter among the sites; column 0 is "a".
        group_rows: [K, 2] first and past-last row of the group's crystals.
        atomic_volumes: [M] sum of atomic volumes in the conventional cell, angstrom^3.
        packing_factors: [M] volume of the cell divided by that sum.
        volume_bandwidths: [K, 2] kernel widths of the sum (angstrom^3) and the factor.
        lattice_systems: [K] index of each group's lattice system in LATTICE_SYSTEMS.
        system_rows: [7, 2] first and past-last row of the lattice system's crystals.
        shapes: [M, 6] a, b, c divided by the cube root of the volume, and alpha,
            beta, gamma in radians.
        shape_bandwidths: [7, 6] kernel widths of the same; 0 where the lattice system
            fixes a value (angles of 90 and 120 degrees, all of a cubic cell) or ties
            it to a (b where a = b).
    """

    space_groups: Int[Array | np.ndarray, " K"]
    frequencies: Float[Array | np.ndarray, " K"]
    element_counts: Float[Array | np.ndarray, "K E"]
    elements: Float[Array | np.ndarray, "K Z"]
    site_counts: Float[Array | np.ndarray, "K S"]
    wyckoff: Float[Array | np.ndarray, "K 27"]
    group_rows: Int[Array | np.ndarray, "K 2"]
    atomic_volumes: Float[Array | np.ndarray, " M"]
    packing_factors: Float[Array | np.ndarray, " M"]
    volume_bandwidths: Float[Array | np.ndarray, "K 2"]
    lattice_systems: Int[Array | np.ndarray, " K"]
    system_rows: Int[Array | np.ndarray, "7 2"]
    shapes: Float[Array | np.ndarray, "M 6"]
    shape_bandwidths: Float[Array | np.ndarray, "7 6"]


# Number type and shape of each field; equal letters are equal sizes.
_LAYOUT = {
    "space_groups": (np.int32, ("K",)),
    "frequencies": (np.float32, ("K",)),
    "element_counts": (np.float32, ("K", "E")),
    "elements": (np.float32, ("K", len(SYMBOLS))),
    "site_counts": (np.float32, ("K", "S")),
    "wyckoff": (np.float32, ("K", 27)),
    "group_rows": (np.int32, ("K", 2)),
    "atomic_volumes": (np.float32, ("M",)),
    "packing_factors": (np.float32, ("M",)),
    "volume_bandwidths": (np.float32, ("K", 2)),
    "lattice_systems": (np.int32, ("K",)),
    "system_rows": (np.int32, (len(LATTICE_SYSTEMS), 2)),
    "shapes": (np.float32, ("M", 6)),
    "shape_bandwidths": (np.float32, (len(LATTICE_SYSTEMS), 6)),
}
_PROBABILITIES = (
    "frequencies",
    "element_counts",
    "elements",
    "site_counts",
    "wyckoff",
)
_ROWS = ("lattice_systems", "group_rows", "system_rows")
_POSITIVE = ("atomic_volumes", "packing_factors", "volume_bandwidths", "shapes")


def group_index(statistics: Statistics, number: int) -> int:
    """Row of a space group in the statistics.

    Raises:
        InputError: no such space group, or none with statistics.
    """
    symbol = space_group(number).hermann_mauguin
    numbers = np.asarray(statistics.space_groups)
    (rows,) = np.nonzero(numbers == number)
    if len(rows) == 0:
        nearest = np.sort(numbers[np.argsort(np.abs(numbers - number))[:6]])
        raise InputError(
            f"space group {number} ({symbol}) has no statistics, for want of known "
            f"crystals: expected one of the {len(numbers)} groups that have them, of "
            f"which the nearest are {', '.join(map(str, nearest))}"
        )
    return int(rows[0])


def row_ranges(space_groups: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, ...]:
    """How the crystals of K groups lie in M rows: by lattice system, then group.

    Args:
        space_groups: [K] numbers, ascending.
        counts: [K] crystals of each group.

    Returns:
        Lattice systems [K], rows of each group [K, 2], rows of each system [7, 2].
    """
    systems = np.array(
        [LATTICE_SYSTEMS.index(space_group(n).lattice_system) for n in space_groups]
    )
    order = np.argsort(systems, kind="stable")
    past = np.empty_like(counts)
    past[order] = np.cumsum(counts[order])
    ends = np.cumsum(np.bincount(systems, counts, len(LATTICE_SYSTEMS)))
    group_rows = np.stack([past - counts, past], axis=1)
    system_rows = np.stack([np.r_[0, ends[:-1]], ends], axis=1)
    return systems, group_rows.astype(np.int32), system_rows.astype(np.int32)


def _fault(statistics: Statistics) -> str | None:
    """What keeps statistics from outside from being used; None when nothing does."""
    sizes: dict[str, int] = {}
    for name, (dtype, shape) in _LAYOUT.items():
        array = getattr(statistics, name)
        if array.dtype != dtype or array.ndim != len(shape) or 0 in array.shape:
            return f"{name} is {array.dtype} of shape {array.shape}"
        for axis, size in zip(shape, array.shape, strict=True):
            if size != (
                axis if isinstance(axis, int) else sizes.setdefault(axis, size)
            ):
                return f"{name} has the shape {array.shape}"
        if not np.all(np.isfinite(array)):
            return f"{name} has values that are not finite"
        if name in _POSITIVE and np.any(array <= 0):
            return f"{name} has values that are not positive"
        if np.any(array < 0):
            return f"{name} has negative values"
        if name in _PROBABILITIES and np.any(np.abs(array.sum(axis=-1) - 1) > 1e-4):
            return f"{name} has probabilities that do not add up to 1"
    numbers = np.asarray(statistics.space_groups)
    if numbers[0] < 1 or numbers[-1] > 230 or np.any(np.diff(numbers) <= 0):
        return "space_groups does not ascend between 1 and 230"
    absent = wyckoff_table().multiplicity[numbers] == 0
    if np.any(statistics.wyckoff[absent] > 0) or np.any(statistics.elements[:, 0] > 0):
        return "wyckoff or elements has what does not exist"
    if np.any(statistics.shapes[:, 3:] >= np.pi):
        return "shapes has angles that are not in radians"
    counts = np.diff(statistics.group_rows)[:, 0]
    if np.any(counts < 1) or counts.sum() != sizes["M"]:
        return "group_rows does not cover the crystals"
    expected = row_ranges(numbers, counts)
    for name, array in zip(_ROWS, expected, strict=True):
        if np.any(getattr(statistics, name) != array):
            return f"{name} does not suit the space groups"
    return None


def save_statistics(
    path: str | Path,
    statistics: Statistics,
    provenance: Mapping,
    *,
    overwrite: bool = False,
) -> None:
    """Writes statistics and where they come from, whole or not at all.

    Args:
        path: file to write, customarily .npz.
        statistics: as `load_statistics` gives them.
        provenance: source, licence, counts and so on; must be plain JSON.
        overwrite: replace a file that exists.

    Raises:
        InputError: the file exists, or cannot be written.
    """
    path = Path(path)
    arrays: dict[str, Any] = {
        name: np.asarray(getattr(statistics, name), dtype)
        for name, (dtype, _) in _LAYOUT.items()
    }
    text = json.dumps(dict(provenance), ensure_ascii=False, sort_keys=True)
    write_npz(path, arrays | {"provenance": np.array(text)}, overwrite=overwrite)


def _read(path: str | Path | None) -> tuple[Statistics, dict]:
    """Statistics and provenance of a file, checked."""
    path = BUNDLED if path is None else Path(path)
    mend = "expected a file made by `python -m xrdjax.statistics`"
    arrays = read_npz(path, (*_LAYOUT, "provenance"), "statistics", mend)
    try:
        provenance = json.loads(str(arrays.pop("provenance")))
    except ValueError as error:
        raise InputError(
            f"{str(path)!r} is damaged or no statistics file: {mend}"
        ) from error
    statistics = Statistics(**arrays)
    fault = _fault(statistics)
    if fault or not isinstance(provenance, dict):
        raise InputError(
            f"{str(path)!r} holds statistics that cannot be used "
            f"({fault or 'the provenance is no mapping'}): {mend}"
        )
    return statistics, provenance


def load_statistics(path: str | Path | None = None) -> Statistics:
    """Statistics from a file, checked, with NumPy leaves; the bundled ones without path.

    Raises:
        InputError: no such file, damaged, or not what random crystals can be drawn from.
    """
    return _read(path)[0]


def read_provenance(path: str | Path | None = None) -> dict:
    """Where the statistics of a file come from: source, licence, counts, split.

    Raises:
        InputError: as `load_statistics`.
    """
    return _read(path)[1]
