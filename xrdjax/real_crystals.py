"""Which known crystals a network is tested on, and why the others are not."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from xrdjax.crystals.cif import Failure, Reading
from xrdjax.crystals.crystal import Structure
from xrdjax.crystals.structure_types import Analysis, analyse_all, split_by_type
from xrdjax.errors import InputError


@dataclass(frozen=True)
class Selection:
    """Crystals to classify, and the fate of all that were found.

    Attributes:
        structures: n crystals, each in the reference setting of its space group.
        labels: [n] row of each crystal's group among the trained groups.
        type_keys: n structure types.
        counts: crystals found, left out for each reason, and evaluated; all but
            the first add up to the first.
        failures: what could not be read or analysed, and why.
    """

    structures: tuple[Structure, ...]
    labels: Int[np.ndarray, " n"]
    type_keys: tuple[str, ...]
    counts: dict[str, int]
    failures: tuple[Failure, ...]


def split_of(provenance: Mapping) -> tuple[float, int]:
    """Fraction and seed of the structure types kept out of the statistics.

    Raises:
        InputError: the statistics were made from all structure types.
    """
    fraction, seed = provenance.get("held_out"), provenance.get("seed")
    if not fraction or seed is None:
        raise InputError(
            "the statistics of this run were made from all structure types, so that "
            "none is held out: evaluate on all crystals with --split=all"
        )
    return float(fraction), int(seed)


def select_crystals(
    reading: Reading,
    space_groups: Collection[int],
    *,
    split: tuple[float, int] | None,
    symprec: float,
    max_volume: float,
    max_sites: int,
    max_edge: float,
    progress: bool = False,
) -> Selection:
    """Sorts crystals into those to classify and those left out, each for one reason.

    The label is the space group that spglib finds, whatever the file says, and the
    crystal is taken in that group's reference setting.

    Args:
        reading: crystals as read.
        space_groups: [K] groups that the network knows.
        split: fraction and seed of the structure types held out of the statistics,
            to take only these; None takes all.
        symprec: tolerance of spglib, angstrom.
        max_volume: largest conventional cell, cubic angstrom.
        max_sites: most sites in the asymmetric unit.
        max_edge: longest edge of the cell, angstrom.
        progress: whether to show a bar.
    """
    analyses, failures = analyse_all(reading.structures, symprec, progress=progress)
    row_of = {int(number): row for row, number in enumerate(space_groups)}
    held_out = np.ones(len(analyses), bool)
    if split is not None and analyses:
        held_out = split_by_type([a.type_key for a in analyses], *split)
    counts = {
        "found": len(reading.structures) + len(reading.failures),
        "unreadable": len(reading.failures),
        "without_symmetry": len(failures),
        "of_types_in_the_statistics": 0,
        "outside_the_limits": 0,
        "outside_the_trained_groups": 0,
        "evaluated": 0,
    }

    def fits(analysis: Analysis) -> bool:
        standard = analysis.standard
        return (
            standard.volume <= max_volume
            and analysis.sites[-1] < max_sites
            and max(standard.unit_cell[:3]) <= max_edge
        )

    kept: list[Analysis] = []
    for analysis, is_held_out in zip(analyses, held_out, strict=True):
        if not is_held_out:
            counts["of_types_in_the_statistics"] += 1
        elif not fits(analysis):
            counts["outside_the_limits"] += 1
        elif analysis.space_group not in row_of:
            counts["outside_the_trained_groups"] += 1
        else:
            counts["evaluated"] += 1
            kept.append(analysis)
    return Selection(
        structures=tuple(a.standard for a in kept),
        labels=np.array([row_of[a.space_group] for a in kept], dtype=np.int64),
        type_keys=tuple(a.type_key for a in kept),
        counts=counts,
        failures=(*reading.failures, *failures),
    )
