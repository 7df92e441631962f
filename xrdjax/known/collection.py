"""Known crystals with their symmetry, from CIFs or from a file of analyses.

Reading and analysing tens of thousands of CIFs takes minutes; reading the file, which
holds the same numbers, takes seconds. So wherever a path of crystals is expected, a
path that ends in .npz may be given.
"""

import functools
from dataclasses import dataclass, field
from pathlib import Path

from xrdjax.crystals.archives import checked_path
from xrdjax.crystals.cif import read_crystals
from xrdjax.errors import InputError
from xrdjax.known.analyses import AnalysedCrystals, analyse_reading
from xrdjax.known.file import load_analyses


@dataclass(frozen=True)
class _Request:
    """CIFs to analyse; equal requests have the same answer.

    Attributes:
        resolved: the path without links.
        changed_ns: when the newest file or folder there was changed.
        symprec: tolerance of spglib, angstrom.
        path: as it was given.
        processes: how many to use.
        progress: shows bars.
    """

    resolved: Path
    changed_ns: int
    symprec: float
    path: str | Path = field(compare=False)
    processes: int | None = field(compare=False)
    progress: bool = field(compare=False)


def _changed_ns(path: Path) -> int:
    """When the newest file or folder of a path was changed; 0 if there is none."""
    paths = (path, *path.rglob("*"))
    return max((p.stat().st_mtime_ns for p in paths if p.exists()), default=0)


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
    """Reads and analyses crystals, or loads analyses that were saved.

    CIFs that are asked for twice in a row are not read again unless one has changed.

    Args:
        path: a CIF, a folder or zip of CIFs, or a file of `save_analyses` (.npz).
        symprec: tolerance of spglib, angstrom.
        processes: how many to use; by default one for small collections and all cores
            for large ones.
        progress: shows bars.

    Raises:
        InputError: the path cannot be read, or holds analyses with another symprec.
    """
    if Path(path).suffix != ".npz":
        checked_path(path)
        resolved = Path(path).resolve()
        request = _Request(
            resolved, _changed_ns(resolved), symprec, path, processes, progress
        )
        return _read_and_analyse(request)
    known = load_analyses(path)
    if known.symprec != symprec:
        raise InputError(
            f"the crystals of {str(path)!r} were analysed with a symprec of "
            f"{known.symprec:g} angstrom, but {symprec:g} is asked for: give the CIFs, or "
            "the same symprec"
        )
    return known
