"""Known crystals with their symmetry, from CIFs or from a file that keeps it.

Reading and analysing tens of thousands of CIFs takes minutes; reading the file, which
holds the same numbers, takes seconds. So a path that ends in .npz may be given wherever
a path of crystals is.
"""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from xrdjax.crystals.cif import Failure, Reading, read_crystals
from xrdjax.crystals.crystal import Structure
from xrdjax.crystals.elements import SYMBOLS
from xrdjax.crystals.structure_types import Analysis, analyse_all
from xrdjax.errors import InputError
from xrdjax.files import read_npz, write_npz
from xrdjax.symmetry.search import reference_operations
from xrdjax.symmetry.wyckoff import LETTERS

_MEND = (
    "expected a file made by `python -m xrdjax.statistics --crystals=CIFS "
    "--analyses=FILE.npz`"
)


@dataclass(frozen=True)
class AnalysedCrystals:
    """Crystals in the reference settings of their groups, and what became none.

    Attributes:
        analyses: of every crystal, in the order of reading.
        unreadable: files that hold no crystal, and why.
        without_symmetry: crystals in which spglib finds no group, and why.
        symprec: tolerance of spglib, angstrom.
    """

    analyses: tuple[Analysis, ...]
    unreadable: tuple[Failure, ...]
    without_symmetry: tuple[Failure, ...]
    symprec: float


def analyse_reading(
    reading: Reading,
    symprec: float = 0.01,
    processes: int | None = None,
    progress: bool = False,
) -> AnalysedCrystals:
    """Analyses crystals that were read, as `analyse_all`."""
    analyses, failures = analyse_all(
        reading.structures, symprec, processes, progress=progress
    )
    return AnalysedCrystals(analyses, reading.failures, failures, symprec)


@dataclass(frozen=True)
class _Request:
    """CIFs to analyse; equal ones have the same answer.

    Attributes:
        place: where the path leads to.
        changed_ns: when the newest file or folder there was changed.
        symprec: tolerance of spglib, angstrom.
        path: as it was given.
        processes: how many to use.
        progress: shows bars.
    """

    place: Path
    changed_ns: int
    symprec: float
    path: str | Path = field(compare=False)
    processes: int | None = field(compare=False)
    progress: bool = field(compare=False)


def _changed_ns(path: Path) -> int:
    """When the newest file or folder of a path was changed; 0 if there is none."""
    places = (path, *path.rglob("*"))
    return max((p.stat().st_mtime_ns for p in places if p.exists()), default=0)


# A run asks for the same crystals to train, to validate and to report.
@functools.lru_cache(maxsize=1)
def _read_and_analyse(request: _Request) -> AnalysedCrystals:
    how = request.processes, request.progress
    return analyse_reading(read_crystals(request.path, *how), request.symprec, *how)


def known_crystals(
    path: str | Path,
    symprec: float = 0.01,
    processes: int | None = None,
    progress: bool = False,
) -> AnalysedCrystals:
    """Reads and analyses crystals, or loads what `save_analyses` kept of them.

    The CIFs that were asked for last are not read again until one of them changes.

    Args:
        path: a CIF, a folder or zip of CIFs, or a file of `save_analyses` (.npz).
        symprec: tolerance of spglib, angstrom.
        processes: how many to use; all cores without it.
        progress: shows bars.

    Raises:
        InputError: nothing there that can be read, or analyses of another symprec.
    """
    if Path(path).suffix != ".npz":
        place = Path(path).resolve()
        request = _Request(
            place, _changed_ns(place), symprec, path, processes, progress
        )
        return _read_and_analyse(request)
    known = load_analyses(path)
    if known.symprec != symprec:
        raise InputError(
            f"the crystals of {str(path)!r} were analysed with a symprec of "
            f"{known.symprec:g} angstrom, {symprec:g} is asked for: give the CIFs, or "
            "the same symprec"
        )
    return known


def save_analyses(
    path: str | Path, known: AnalysedCrystals, *, overwrite: bool = False
) -> None:
    """Writes analysed crystals to one file, whole or not at all.

    Args:
        path: file to write; must end in .npz to be taken for what it is.
        known: crystals as `known_crystals` gives them.
        overwrite: replace a file that exists.

    Raises:
        InputError: another ending, the file exists, or cannot be written.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise InputError(f"cannot keep analyses in {str(path)!r}: name a file .npz")
    words = {
        "names": [a.standard.name for a in known.analyses],
        "type_keys": [a.type_key for a in known.analyses],
        "unreadable": [(f.name, f.reason) for f in known.unreadable],
        "without_symmetry": [(f.name, f.reason) for f in known.without_symmetry],
        "symprec": known.symprec,
    }
    standards = [a.standard for a in known.analyses]

    def of_rows(parts: Sequence, dtype: type, *shape: int) -> np.ndarray:
        empty: np.ndarray = np.zeros((0, *shape), dtype)
        return np.concatenate([empty, *(np.asarray(part, dtype) for part in parts)])

    letters = [[LETTERS.index(w) for w in a.wyckoff_letters] for a in known.analyses]
    arrays = {
        "words": np.array(json.dumps(words)),
        "space_groups": np.array([a.space_group for a in known.analyses], np.int16),
        "lattices": np.array([s.lattice for s in standards]).reshape(-1, 3, 3),
        "rows": np.array([len(s.elements) for s in standards], np.int32),
        "positions": of_rows([s.positions for s in standards], np.float64, 3),
        "elements": of_rows([s.elements for s in standards], np.int16),
        "occupancies": of_rows([s.occupancies for s in standards], np.float64),
        "b_iso": of_rows([s.b_iso for s in standards], np.float64),
        "letters": of_rows(letters, np.int8),
        "multiplicities": of_rows([a.multiplicities for a in known.analyses], np.int16),
        "sites": of_rows([a.sites for a in known.analyses], np.int32),
    }
    write_npz(path, arrays, overwrite=overwrite)


# Number type and shape of the arrays of a file: n crystals, R rows of them together.
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
# Least and largest value of what is looked up in tables, or must be positive.
_RANGES = {
    "space_groups": (1, 230),
    "rows": (1, np.inf),
    "elements": (1, len(SYMBOLS) - 1),
    "letters": (0, len(LETTERS) - 1),
    "multiplicities": (1, 192),
    "sites": (0, np.inf),
}


def _fault(arrays: dict[str, np.ndarray], words: dict) -> str | None:
    """What keeps arrays from outside from being used; None when nothing does."""
    sizes = {"n": len(words["names"]), "R": int(np.sum(arrays["rows"]))}
    if len(words["type_keys"]) != sizes["n"]:
        return "type_keys are not as many as names"
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
    return None


def load_analyses(path: str | Path) -> AnalysedCrystals:
    """Analysed crystals as `save_analyses` was given them, number for number.

    Raises:
        InputError: no such file, damaged, or not what was written.
    """
    arrays = read_npz(Path(path), ("words", *_LAYOUT), "analyses", _MEND)
    try:
        words = json.loads(str(arrays.pop("words")))
        fault = _fault(arrays, words)
        unreadable, without_symmetry = (
            tuple(Failure(name, reason) for name, reason in words[kind])
            for kind in ("unreadable", "without_symmetry")
        )
        symprec = float(words["symprec"])
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{str(path)!r} is damaged or no analyses file: {_MEND}"
        ) from error
    if fault:
        raise InputError(f"{str(path)!r} cannot be used ({fault}): {_MEND}")
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
    return AnalysedCrystals(tuple(analyses), unreadable, without_symmetry, symprec)
