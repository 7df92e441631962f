"""Analyses of many known crystals: their symmetry and structure types."""

import dataclasses
import functools
from collections.abc import Sequence

from xrdjax.crystals.cif import Failure, Note, Reading
from xrdjax.crystals.crowding import site_multiplicities
from xrdjax.crystals.crystal import Structure
from xrdjax.crystals.structure_types import Analysis, analyse
from xrdjax.errors import InputError
from xrdjax.ops.workers import map_in_processes
from xrdjax.symmetry.search import reference_operations

# With fewer crystals, starting processes takes longer than the analysis.
_WORTH_PROCESSES = 1000
_CHUNK = 100

# spglib's time grows with the square of the atoms: these take it ten seconds.
MOST_ATOMS = 4000


@dataclasses.dataclass(frozen=True)
class AnalysedCrystals:
    """Crystals in the reference settings of their groups, and what could not be used.

    Attributes:
        analyses: of every crystal, in the order of reading.
        unreadable: files without a readable crystal, and why.
        without_symmetry: crystals in which spglib finds no group, and why.
        symprec: tolerance of spglib, angstrom.
        notes: what was passed over or contradicts itself in the files that were read.
    """

    analyses: tuple[Analysis, ...]
    unreadable: tuple[Failure, ...]
    without_symmetry: tuple[Failure, ...]
    symprec: float
    notes: tuple[Note, ...] = ()


def _check_size(structure: Structure) -> None:
    atoms = int(site_multiplicities(structure).sum())
    if atoms > MOST_ATOMS:
        raise InputError(
            f"its cell holds {atoms} atoms, expected at most {MOST_ATOMS} in a "
            "collection: leave it out"
        )


def _analyse_each(
    symprec: float, structures: Sequence[Structure]
) -> list[Analysis | Failure]:
    results: list[Analysis | Failure] = []
    for structure in structures:
        try:
            _check_size(structure)
            results.append(analyse(structure, symprec))
        except InputError as error:
            results.append(Failure(structure.name, str(error)))
    return results


def _share_operations(analysis: Analysis) -> Analysis:
    """One copy of a group's operations for everything from other processes."""
    rotations, translations = reference_operations(analysis.space_group)
    standard = dataclasses.replace(
        analysis.standard, rotations=rotations, translations=translations
    )
    return dataclasses.replace(analysis, standard=standard)


def analyse_all(
    structures: Sequence[Structure],
    symprec: float = 0.01,
    processes: int | None = None,
    progress: bool = False,
) -> tuple[tuple[Analysis, ...], tuple[Failure, ...]]:
    """Analyses many crystals, on all cores when there are a thousand or more.

    Args:
        structures: as `analyse` takes them.
        symprec: angstrom, see `analyse`.
        processes: how many to use; by default one for small collections and all cores
            for large ones.
        progress: shows a bar.

    Returns:
        The analyses in order, and the crystals without one, with the reason.
    """
    results = map_in_processes(
        functools.partial(_analyse_each, symprec),
        structures,
        chunk=_CHUNK,
        serial_below=_WORTH_PROCESSES,
        processes=processes,
        progress=progress,
        unit="crystal",
    )
    analyses = (_share_operations(r) for r in results if isinstance(r, Analysis))
    return tuple(analyses), tuple(r for r in results if isinstance(r, Failure))


def analyse_reading(
    reading: Reading,
    symprec: float = 0.01,
    processes: int | None = None,
    progress: bool = False,
) -> AnalysedCrystals:
    """Analyses all crystals of a collection that was read; see `analyse_all`."""
    analyses, failures = analyse_all(
        reading.structures, symprec, processes, progress=progress
    )
    return AnalysedCrystals(
        analyses, reading.failures, failures, symprec, reading.notes
    )
