"""The file of analysed crystals: written whole, and checked when it is read."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xrdjax.crystals.asymmetric_unit import LARGEST_B
from xrdjax.crystals.cif import Failure, Note
from xrdjax.crystals.crowding import FULL
from xrdjax.crystals.crystal import Structure
from xrdjax.crystals.elements import SYMBOLS
from xrdjax.crystals.structure_types import Analysis
from xrdjax.errors import InputError
from xrdjax.files import read_npz, write_npz
from xrdjax.known.analyses import AnalysedCrystals
from xrdjax.symmetry.search import reference_operations
from xrdjax.symmetry.space_groups import space_group
from xrdjax.symmetry.wyckoff import LETTERS, wyckoff_table

_HINT = (
    "expected a file made by `python -m xrdjax.statistics --crystals=CIFS "
    "--analyses=FILE.npz`"
)
# Number type and shape of the arrays: n crystals, R rows of all crystals together.
_LAYOUT: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "space_groups": ("i", ("n",)),
    "lattices": ("f", ("n", 3, 3)),
    "rows": ("i", ("n",)),
    "positions": ("f", ("R", 3)),
    "elements": ("i", ("R",)),
    "occupancies": ("f", ("R",)),
    "b_iso": ("f", ("R",)),
    "letters": ("i", ("R",)),
    "multiplicities": ("i", ("R",)),
    "sites": ("i", ("R",)),
}
# Least and largest value of arrays that are looked up in tables or positive.
_RANGES = {
    "space_groups": (1, 230),
    "rows": (1, np.inf),
    "elements": (1, len(SYMBOLS) - 1),
    "letters": (0, len(LETTERS) - 1),
    "multiplicities": (1, 192),
    "sites": (0, np.inf),
    "positions": (-1.0, 2.0),
    "occupancies": (0.0, FULL),
    "b_iso": (0.0, LARGEST_B),
}

# Lattices of spglib's standard cells have their group's symmetry to rounding.
_METRIC_TOLERANCE = 1e-3


def _fault(arrays: dict[str, np.ndarray], words: dict) -> str | None:
    """Why arrays from outside cannot be used; None if they can."""
    sizes = {"n": len(words["names"]), "R": int(np.sum(arrays["rows"]))}
    if len(words["type_keys"]) != sizes["n"]:
        return "there are not as many type_keys as names"
    for name, (kind, shape) in _LAYOUT.items():
        array = arrays[name]
        expected = tuple(sizes[n] if isinstance(n, str) else n for n in shape)
        if array.dtype.kind != kind or array.shape != expected:
            return f"{name} is {array.dtype} of shape {array.shape}"
        if not np.all(np.isfinite(array)):
            return f"{name} has values that are not finite"
        low, high = _RANGES.get(name, (-np.inf, np.inf))
        if np.any((array < low) | (array > high)):
            return f"{name} has values outside {low} to {high}"
    return _symmetry_fault(arrays, words["type_keys"])


def _symmetry_fault(
    arrays: dict[str, np.ndarray], type_keys: Sequence[str]
) -> str | None:
    """What cannot belong to the space groups, which are the labels of training."""
    numbers = arrays["space_groups"].astype(int)
    for number, key in zip(numbers.tolist(), type_keys, strict=True):
        mirror = space_group(number).enantiomorph
        if str(key).partition(" ")[0] != str(min(number, mirror or number)):
            return f"space group {number} has a structure type of another, {key!r}"
    multiplicities = wyckoff_table().multiplicity[
        np.repeat(numbers, arrays["rows"]), arrays["letters"]
    ]
    if np.any(multiplicities != arrays["multiplicities"]):
        return "multiplicities are not those of the Wyckoff letters"
    if np.any(np.linalg.det(arrays["lattices"]) <= 0):
        return "lattices have no volume"
    for number in np.unique(numbers).tolist():
        rotations = np.unique(reference_operations(number)[0], axis=0).astype(float)
        lattices = arrays["lattices"][numbers == number]
        metrics = (lattices @ np.swapaxes(lattices, 1, 2))[:, None]
        change = np.swapaxes(rotations, 1, 2) @ metrics @ rotations - metrics
        largest = np.max(np.abs(metrics), axis=(1, 2, 3))
        if np.any(np.abs(change) > _METRIC_TOLERANCE * largest[:, None, None, None]):
            return f"lattices have not the symmetry of space group {number}"
    return None


def _concatenated(parts: Sequence, dtype: type, *shape: int) -> np.ndarray:
    """Rows of all crystals, one crystal after the other."""
    empty: np.ndarray = np.zeros((0, *shape), dtype)
    return np.concatenate([empty, *(np.asarray(part, dtype) for part in parts)])


def save_analyses(
    path: str | Path, known: AnalysedCrystals, *, overwrite: bool = False
) -> None:
    """Writes analysed crystals to one file, whole or not at all.

    Args:
        path: file to write; must end in .npz, so that it is recognised.
        known: crystals as `known_crystals` gives them.
        overwrite: replace a file that exists.

    Raises:
        InputError: another ending, the file exists, or cannot be written.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise InputError(
            f"cannot keep analyses in {str(path)!r}: give a file name that ends in .npz"
        )
    words = {
        "names": [a.standard.name for a in known.analyses],
        "type_keys": [a.type_key for a in known.analyses],
        "unreadable": [(f.name, f.reason) for f in known.unreadable],
        "without_symmetry": [(f.name, f.reason) for f in known.without_symmetry],
        "notes": [(n.name, n.text) for n in known.notes],
        "symprec": known.symprec,
    }
    standards = [a.standard for a in known.analyses]
    letters = [[LETTERS.index(w) for w in a.wyckoff_letters] for a in known.analyses]
    multiplicities = [a.multiplicities for a in known.analyses]
    arrays = {
        "words": np.array(json.dumps(words)),
        "space_groups": np.array([a.space_group for a in known.analyses], np.int16),
        "lattices": np.array([s.lattice for s in standards]).reshape(-1, 3, 3),
        "rows": np.array([len(s.elements) for s in standards], np.int32),
        "positions": _concatenated([s.positions for s in standards], np.float64, 3),
        "elements": _concatenated([s.elements for s in standards], np.int16),
        "occupancies": _concatenated([s.occupancies for s in standards], np.float64),
        "b_iso": _concatenated([s.b_iso for s in standards], np.float64),
        "letters": _concatenated(letters, np.int8),
        "multiplicities": _concatenated(multiplicities, np.int16),
        "sites": _concatenated([a.sites for a in known.analyses], np.int32),
    }
    write_npz(path, arrays, overwrite=overwrite)


def _analyses(words: dict, arrays: dict[str, np.ndarray]) -> list[Analysis]:
    """The analyses that checked arrays hold."""
    ends = np.cumsum(arrays["rows"])
    of_rows = {
        name: np.split(arrays[name], ends[:-1])
        for name, (_, shape) in _LAYOUT.items()
        if shape[0] == "R"
    }
    analyses = []
    for i, number in enumerate(arrays["space_groups"].tolist()):
        row = {name: parts[i] for name, parts in of_rows.items()}
        rotations, translations = reference_operations(number)
        standard = Structure(
            name=words["names"][i],
            lattice=arrays["lattices"][i],
            positions=row["positions"],
            elements=row["elements"].astype(int),
            occupancies=row["occupancies"],
            b_iso=row["b_iso"],
            rotations=rotations,
            translations=translations,
            space_group=number,
        )
        analysis = Analysis(
            space_group=number,
            wyckoff_letters=tuple(LETTERS[w] for w in row["letters"]),
            multiplicities=tuple(row["multiplicities"].tolist()),
            sites=tuple(row["sites"].tolist()),
            standard=standard,
            type_key=words["type_keys"][i],
        )
        analyses.append(analysis)
    return analyses


def load_analyses(path: str | Path) -> AnalysedCrystals:
    """Analysed crystals as they were given to `save_analyses`, number for number.

    Raises:
        InputError: no such file, damaged, or altered.
    """
    arrays = read_npz(path, ("words", *_LAYOUT), "analyses", _HINT)
    try:
        words = json.loads(str(arrays.pop("words")))
        fault = _fault(arrays, words)
        unreadable, without_symmetry = (
            tuple(Failure(name, reason) for name, reason in words[kind])
            for kind in ("unreadable", "without_symmetry")
        )
        # files of earlier versions have no notes
        notes = tuple(Note(name, text) for name, text in words.get("notes", ()))
        symprec = float(words["symprec"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{str(path)!r} is damaged or no analyses file: {_HINT}"
        ) from error
    if fault:
        raise InputError(f"{str(path)!r} cannot be used ({fault}): {_HINT}")
    analyses = tuple(_analyses(words, arrays))
    return AnalysedCrystals(analyses, unreadable, without_symmetry, symprec, notes)
