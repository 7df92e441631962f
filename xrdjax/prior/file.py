"""The file of statistics: written atomically, and checked when it is read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from xrdjax.crystals.elements import SYMBOLS
from xrdjax.errors import InputError
from xrdjax.files import read_npz, write_npz
from xrdjax.prior.tables import Statistics, row_ranges, select_groups
from xrdjax.symmetry.space_groups import LATTICE_SYSTEMS
from xrdjax.symmetry.wyckoff import wyckoff_table

BUNDLED = Path(__file__).parent / "data" / "statistics.npz"

# Number type and shape of each field; equal letters are equal sizes.
_LAYOUT = {
    "space_groups": (np.int32, ("K",)),
    "frequencies": (np.float32, ("K",)),
    "element_counts": (np.float32, ("K", "E")),
    "elements": (np.float32, ("K", len(SYMBOLS))),
    "site_counts": (np.float32, ("K", "S")),
    "wyckoff": (np.float32, ("K", 27)),
    "group_ranges": (np.int32, ("K", 2)),
    "atomic_volumes": (np.float32, ("V",)),
    "packing_factors": (np.float32, ("V",)),
    "volume_bandwidths": (np.float32, ("K", 2)),
    "lattice_systems": (np.int32, ("K",)),
    "system_ranges": (np.int32, (len(LATTICE_SYSTEMS), 2)),
    "shapes": (np.float32, ("M", 6)),
    "shape_bandwidths": (np.float32, (len(LATTICE_SYSTEMS), 6)),
}
# Names in the file that differ from those of the fields.
_STORED_AS = {"group_ranges": "group_rows", "system_ranges": "system_rows"}
_PROBABILITIES = (
    "frequencies",
    "element_counts",
    "elements",
    "site_counts",
    "wyckoff",
)
_POSITIVE = ("atomic_volumes", "packing_factors", "volume_bandwidths", "shapes")
_HINT = "expected a file made by `python -m xrdjax.statistics`"


def _array_fault(name: str, array: np.ndarray, sizes: dict[str, int]) -> str | None:
    """What is wrong with one array, or with its shape in relation to the others.

    Args:
        name: of the field.
        array: as read.
        sizes: of the axes by their letters, as far as known; completed here.
    """
    dtype, shape = _LAYOUT[name]
    if array.dtype != dtype or array.ndim != len(shape) or 0 in array.shape:
        return f"{name} is {array.dtype} of shape {array.shape}"
    for axis, size in zip(shape, array.shape, strict=True):
        expected = axis if isinstance(axis, int) else sizes.setdefault(axis, size)
        if size != expected:
            return f"{name} has the shape {array.shape}"
    if not np.all(np.isfinite(array)):
        return f"{name} has values that are not finite"
    if name in _POSITIVE and np.any(array <= 0):
        return f"{name} has values that are not positive"
    if np.any(array < 0):
        return f"{name} has negative values"
    if name in _PROBABILITIES and np.any(np.abs(array.sum(axis=-1) - 1) > 1e-4):
        return f"{name} has probabilities that do not add up to 1"
    return None


def _fault(statistics: Statistics) -> str | None:
    """Why statistics that were read cannot be used; None if they can."""
    sizes: dict[str, int] = {}
    for name in _LAYOUT:
        if fault := _array_fault(name, getattr(statistics, name), sizes):
            return fault
    numbers = np.asarray(statistics.space_groups)
    if numbers[0] < 1 or numbers[-1] > 230 or np.any(np.diff(numbers) <= 0):
        return "space_groups does not ascend between 1 and 230"
    absent = wyckoff_table().multiplicity[numbers] == 0
    if np.any(statistics.wyckoff[absent] > 0) or np.any(statistics.elements[:, 0] > 0):
        return (
            "wyckoff or elements has values for positions or elements that do not exist"
        )
    if np.any(statistics.shapes[:, 3:] >= np.pi):
        return "shapes has angles that are not in radians"
    counts = np.diff(statistics.group_ranges)[:, 0]
    if np.any(counts < 1) or counts.sum() != sizes["V"]:
        return "group_ranges does not cover the crystals"
    systems, ranges, _ = row_ranges(numbers, counts)
    if np.any(statistics.lattice_systems != systems):
        return "lattice_systems does not match the space groups"
    if np.any(statistics.group_ranges != ranges):
        return "group_ranges does not match the space groups"
    bounds = np.asarray(statistics.system_ranges)
    shapes = np.diff(bounds)[:, 0]
    ends = np.cumsum(shapes)
    if (
        np.any(bounds != np.stack([ends - shapes, ends], axis=1))
        or ends[-1] != sizes["M"]
        or np.any((shapes < 1)[systems])
    ):
        return "system_ranges does not match the shapes"
    return None


def save_statistics(
    path: str | Path,
    statistics: Statistics,
    provenance: Mapping,
    *,
    overwrite: bool = False,
) -> None:
    """Writes statistics and their provenance, whole or not at all.

    Args:
        path: file to write, usually .npz.
        statistics: as `load_statistics` gives them.
        provenance: source, licence, counts and so on; must be plain JSON.
        overwrite: replace a file that exists.

    Raises:
        InputError: the file exists, or cannot be written.
    """
    arrays: dict[str, Any] = {
        _STORED_AS.get(name, name): np.asarray(getattr(statistics, name), dtype)
        for name, (dtype, _) in _LAYOUT.items()
    }
    text = json.dumps(dict(provenance), ensure_ascii=False, sort_keys=True)
    write_npz(path, arrays | {"provenance": np.array(text)}, overwrite=overwrite)


def _read(path: str | Path | None) -> tuple[Statistics, dict]:
    """Statistics and provenance of a file, checked."""
    path = BUNDLED if path is None else Path(path)
    stored = {name: _STORED_AS.get(name, name) for name in _LAYOUT}
    arrays = read_npz(path, (*stored.values(), "provenance"), "statistics", _HINT)
    try:
        provenance = json.loads(str(arrays["provenance"]))
    except ValueError as error:
        raise InputError(
            f"{str(path)!r} is damaged or no statistics file: {_HINT}"
        ) from error
    statistics = Statistics(**{name: arrays[key] for name, key in stored.items()})
    fault = _fault(statistics)
    if fault or not isinstance(provenance, dict):
        raise InputError(
            f"{str(path)!r} holds statistics that cannot be used "
            f"({fault or 'the provenance is not a mapping'}): {_HINT}"
        )
    return statistics, provenance


def load_statistics(
    path: str | Path | None = None, *, min_crystals: int = 0
) -> Statistics:
    """Statistics from a file, checked, with NumPy leaves.

    Args:
        path: of the file; None for the bundled one, which has all 230 groups.
        min_crystals: groups of fewer known crystals are left out.

    Raises:
        InputError: no such file, damaged, unfit for sampling crystals, or no group has
            that many crystals.
    """
    statistics, provenance = _read(path)
    counts = crystals_of_groups(statistics, provenance)
    enough = np.asarray(statistics.space_groups)[counts >= min_crystals]
    if len(enough) == 0:
        raise InputError(
            f"min_crystals is {min_crystals}, but no group has more than "
            f"{counts.max()} known crystals: choose that or less"
        )
    return (
        statistics if len(enough) == len(counts) else select_groups(statistics, enough)
    )


def crystals_of_groups(statistics: Statistics, provenance: Mapping) -> np.ndarray:
    """Number of known crystals of each group [K], without those that it borrowed."""
    own = provenance.get("counts", {}).get("crystals of groups")
    if own is None:
        return np.diff(np.asarray(statistics.group_ranges))[:, 0]
    return np.array([own[str(number)] for number in statistics.space_groups])


def read_provenance(path: str | Path | None = None) -> dict:
    """Where the statistics of a file come from: source, licence, counts, split.

    Raises:
        InputError: as `load_statistics`.
    """
    return _read(path)[1]
