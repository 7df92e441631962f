"""Which known crystals a network is trained or tested on, and why not the others."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from xrdjax.crystals.cif import Failure, Reading
from xrdjax.crystals.crystal import Structure
from xrdjax.crystals.structure_types import Analysis
from xrdjax.errors import InputError
from xrdjax.known.analyses import AnalysedCrystals, analyse_reading
from xrdjax.known.splits import Split, members

# Known crystals that a network can be tested on.
SPLITS = ("held_out", "test", "validation", "all")


@dataclass(frozen=True)
class Selection:
    """Crystals to simulate, and how many were left out for which reason.

    Attributes:
        structures: n crystals, each in the reference setting of its space group.
        labels: [n] row of each crystal's group among the trained groups.
        type_keys: n structure types.
        counts: crystals found, left out for each reason, and "evaluated", those taken;
            all but the first add up to the first.
        failures: what could not be read or analysed, and why.
    """

    structures: tuple[Structure, ...]
    labels: Int[np.ndarray, " n"]
    type_keys: tuple[str, ...]
    counts: dict[str, int]
    failures: tuple[Failure, ...]


def split_of(provenance: Mapping) -> Split:
    """The split that statistics were made with, from their provenance.

    Raises:
        InputError: the statistics were made from all structure types.
    """
    fraction, seed = provenance.get("held_out"), provenance.get("seed")
    if not fraction or seed is None:
        raise InputError(
            "the statistics of this run were made from all structure types, so that "
            "none is held out: evaluate on all crystals with --split=all"
        )
    return Split(float(fraction), int(seed), provenance.get("split", "type"))


def choose_split(
    asked: str | None, provenance: Mapping, chosen_by_crystals: bool
) -> tuple[Split | None, str]:
    """Split of the crystals (None: take all), and which part of it to test on.

    Args:
        asked: name of the part, if the user gave one.
        provenance: of the statistics.
        chosen_by_crystals: whether the checkpoint was chosen by its accuracy on known
            crystals, which must not test it unless they are asked for.

    Raises:
        InputError: no such part, or one is asked for and the statistics have none.
    """
    if asked not in (None, *SPLITS):
        raise InputError(f"the split is {asked!r}, expected {', '.join(SPLITS)}")
    if asked == "all" or (asked is None and not provenance.get("held_out")):
        return None, "held_out"
    return split_of(provenance), asked or ("test" if chosen_by_crystals else "held_out")


def _reason(split: Split | None, part: str) -> str:
    """Reason to leave out a crystal that is not in the part of the split."""
    if split is None or (part == "held_out" and split.kind == "type"):
        return "of_types_in_the_statistics"
    if part == "held_out":
        return "in_the_statistics"
    return {
        "statistics": "held_out",
        "validation": "not_for_validation",
        "test": "not_for_the_test",
    }[part]


_TOO_LARGE, _UNTRAINED = "outside_the_limits", "outside_the_trained_groups"


def _left_out_because(
    analysis: Analysis,
    row_of: Mapping[int, int],
    max_volume: float,
    max_sites: int,
    max_edge: float,
) -> str | None:
    """Why a crystal of the right part of the split is left out; None if it is taken."""
    standard = analysis.standard
    if (
        standard.volume > max_volume
        or analysis.sites[-1] >= max_sites
        or max(standard.unit_cell[:3]) > max_edge
    ):
        return _TOO_LARGE
    if analysis.space_group not in row_of:
        return _UNTRAINED
    return None


def select_crystals(
    crystals: Reading | AnalysedCrystals,
    space_groups: Collection[int],
    *,
    split: Split | None,
    symprec: float,
    max_volume: float,
    max_sites: int,
    max_edge: float,
    part: str = "held_out",
    progress: bool = False,
) -> Selection:
    """Separates crystals to simulate from those left out, each for one reason.

    The label is the space group that spglib finds, whatever the file states, and the
    crystal is taken in that group's reference setting.

    Args:
        crystals: as read, or analysed with the same symprec.
        space_groups: [K] groups that the network knows.
        split: of the crystals into known and held-out ones, to take only one part;
            None takes all.
        symprec: tolerance of spglib, angstrom.
        max_volume: largest conventional cell, cubic angstrom.
        max_sites: most sites in the asymmetric unit.
        max_edge: longest edge of the cell, angstrom.
        part: of the split: "held_out", of it only "validation" or "test", or
            "statistics", which training may know.
        progress: whether to show a bar.
    """
    if isinstance(crystals, Reading):
        crystals = analyse_reading(crystals, symprec, progress=progress)
    analyses = crystals.analyses
    row_of = {int(number): row for row, number in enumerate(space_groups)}
    in_part = np.ones(len(analyses), bool)
    if split is not None:
        in_part = members(analyses, split, part)
    other_part = _reason(split, part)
    reasons = [
        _left_out_because(analysis, row_of, max_volume, max_sites, max_edge)
        if is_in_part
        else other_part
        for analysis, is_in_part in zip(analyses, in_part, strict=True)
    ]
    taken = [a for a, reason in zip(analyses, reasons, strict=True) if reason is None]
    failures = (*crystals.unreadable, *crystals.without_symmetry)
    return Selection(
        structures=tuple(a.standard for a in taken),
        labels=np.array([row_of[a.space_group] for a in taken], dtype=np.int64),
        type_keys=tuple(a.type_key for a in taken),
        counts={
            "found": len(analyses) + len(failures),
            "unreadable": len(crystals.unreadable),
            "without_symmetry": len(crystals.without_symmetry),
            **{
                reason: reasons.count(reason)
                for reason in (other_part, _TOO_LARGE, _UNTRAINED)
            },
            "evaluated": len(taken),
        },
        failures=failures,
    )


_PARTS = {
    "held_out": "",
    "test": " and are not in the fifth used for validation",
    "validation": " and are in the fifth used for validation",
}


def describe_crystals(path: str, split: Split | None, part: str) -> dict:
    """Which crystals of a path are taken, for people and for programs."""
    about = {"path": path, "split": "all"}
    if split is None:
        return about | {
            "title": "known crystals",
            "description": f"All crystals of `{path}`, whether or not the statistics "
            "were made from their structure type.",
        }
    whose, what = "whose structure type was", "structure types"
    if split.kind == "random":
        whose, what = "that were", "crystals, chosen one by one"
    return about | {
        "split": part,
        "split_kind": split.kind,
        "held_out_fraction": split.held_out,
        "split_seed": split.seed,
        "title": "held-out crystals",
        "description": f"Known crystals of `{path}` {whose} held out of the "
        f"statistics ({100 * split.held_out:g} % of all {what}, seed {split.seed})"
        f"{_PARTS[part]}; `--split=all` takes all others, too.",
    }
