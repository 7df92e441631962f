"""From the tags of one data block of a CIF to a `Structure`.

CIF core dictionary: https://www.iucr.org/resources/cif/dictionaries. Old names
(_symmetry_equiv_pos_as_xyz) and those with dots (_atom_site.fract_x) are read too, and
magnetic CIFs, without their moments.

A file says many things twice. Where its symmetry leaves something open (the origin, the
unique axis, a list of operations that is only a part of the group), the reading is taken
that agrees with what the file states of its atoms; see `cif_evidence`.
"""

from dataclasses import dataclass, field

import numpy as np
from gemmi import cif

from xrdjax.crystals.asymmetric_unit import Sites, checked_sites, lattice_from_cell
from xrdjax.crystals.cif_columns import Columns, first_value, has_atoms, number_from
from xrdjax.crystals.cif_evidence import (
    FORMULA,
    Claims,
    Fault,
    claims_of,
    contact_fault,
    faults,
)
from xrdjax.crystals.cif_sites import AtomLoop, atom_loop
from xrdjax.crystals.cif_symmetry import Settings, possible_settings
from xrdjax.crystals.crystal import Structure
from xrdjax.errors import InputError
from xrdjax.symmetry.settings import Setting

# Relative deviation of a stated volume that rounding explains.
_VOLUME = 0.02


@dataclass(frozen=True)
class BlockReading:
    """The crystal of a block.

    Attributes:
        structure: the crystal.
        notes: what was left out, understood in a special way, or contradicts itself.
    """

    structure: Structure
    notes: tuple[str, ...]


@dataclass
class _Attempt:
    """The atoms that one setting gives.

    Attributes:
        setting: of the symmetry.
        structure: None if the setting cannot be right.
        error: why not, or "".
        repeats: whether listed sites are images of others.
        faults: contradictions with what the file states.
    """

    setting: Setting
    structure: Structure | None = None
    error: str = ""
    repeats: bool = False
    faults: list[Fault] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        return self.structure is not None and not self.faults

    @property
    def complaint(self) -> str:
        return self.error or self.faults[0].text

    @property
    def rank(self) -> tuple[bool, bool, int, int]:
        """The smaller, the better: what is stated weighs more than what is likely."""
        serious = any(fault.is_serious for fault in self.faults)
        stated = sum(fault.is_stated for fault in self.faults)
        return self.structure is None, serious, stated, len(self.faults)


def _lattice_and_angles(
    columns: Columns,
) -> tuple[np.ndarray, tuple[float, float, float]]:
    cell = []
    for tag in ("length_a", "length_b", "length_c"):
        text = first_value(columns, (f"_cell_{tag}",))
        if not text:
            raise InputError(f"no unit cell: _cell_{tag} is not given")
        cell.append(number_from(text, f"_cell_{tag}", np.nan))
    for tag in ("angle_alpha", "angle_beta", "angle_gamma"):
        # the CIF dictionary's default
        text = first_value(columns, (f"_cell_{tag}",))
        cell.append(number_from(text, f"_cell_{tag}", 90.0))
    return lattice_from_cell(cell), (cell[3], cell[4], cell[5])


class _Reader:
    """Attempts to read the atoms of one block in different settings."""

    def __init__(self, name: str, lattice: np.ndarray, sites: Sites, claims: Claims):
        self._name = name
        self._lattice = lattice
        self._sites = sites
        self._claims = claims

    def attempt(self, setting: Setting, competes: bool) -> _Attempt:
        """Atoms in a setting; if it competes, their distances are looked at, too."""
        operations = setting.operations
        try:
            structure, kept = checked_sites(
                self._name,
                self._lattice,
                self._sites,
                operations.rotations,
                operations.translations,
                operations.space_group,
            )
            found = faults(structure, kept, self._claims)
            if competes and (contact := contact_fault(structure)):
                found.append(contact)
        except InputError as error:
            return _Attempt(setting, error=str(error))
        return _Attempt(setting, structure, "", not kept.all(), found)

    def choose(self, settings: Settings) -> tuple[_Attempt, list[_Attempt]]:
        """The best reading, and all that were tried, the most likely one first.

        The first counts unless the file contradicts it and not another. Without
        evidence, a list of operations that is a part of the named group is the whole
        one where the atoms are listed in full: where the group would repeat them, or
        put them on top of each other.
        """
        competes = len(settings.candidates) > 1
        attempts = [self.attempt(settings.candidates[0], competes)]
        if competes and (settings.is_part or not attempts[0].fits):
            attempts += [self.attempt(s, True) for s in settings.candidates[1:]]
        first, *others = attempts
        whole = [a for a in others if a.fits and not a.repeats]
        if settings.is_part and first.fits and whole and not self._claims.decide:
            return whole[0], attempts
        return min(attempts, key=lambda attempt: attempt.rank), attempts


def _note_of_choice(chosen: _Attempt, attempts: list[_Attempt]) -> str:
    first = attempts[0]
    if chosen is first:
        return ""
    if first.fits:
        return (
            f"the listed operations are a part of {chosen.setting.name}, and were "
            "completed"
        )
    return (
        f"read as {chosen.setting.name}, not as {first.setting.name}: with that, "
        f"{first.complaint}"
    )


def _note_of_volume(columns: Columns, volume: float) -> str:
    stated = cif.as_number(first_value(columns, ("_cell_volume",)) or "?")
    if not stated > 0 or abs(volume / stated - 1) < _VOLUME:
        return ""
    return (
        f"the edges and angles give a cell of {volume:.5g} cubic angstrom, but "
        f"_cell_volume states {stated:.5g}"
    )


def _refuse(attempts: list[_Attempt]) -> None:
    """Raises with the contradiction of each reading that was tried."""
    if len(attempts) == 1 or len({a.complaint for a in attempts}) == 1:
        raise InputError(attempts[0].complaint)
    readings = [f"read as {a.setting.name}, {a.complaint}" for a in attempts[:3]]
    raise InputError("; ".join(readings))


def _check_doubts(loop: AtomLoop, chosen: _Attempt, claims: Claims) -> None:
    """A label that may mean another element counts if the formula confirms it."""
    if not loop.doubts:
        return
    disagrees = any("_chemical_formula_sum" in f.text for f in chosen.faults)
    if disagrees or not claims.formula:
        raise InputError(
            f"{loop.doubts[0]}, and no formula confirms either: give the element as "
            "_atom_site_type_symbol"
        )


def read_block(columns: Columns, name: str) -> BlockReading:
    """The crystal of one block.

    Dummy atoms and empty sites are left out. An unknown occupancy is 1, an unknown
    displacement parameter 0.

    Args:
        columns: from `block_columns`.
        name: the structure's name.

    Raises:
        InputError: the block does not describe a crystal, or contradicts itself; the
            message states how.
    """
    if not has_atoms(columns):
        if any(columns.get("_atom_site_cartn_x", ())):
            raise InputError(
                "the coordinates are Cartesian (_atom_site_Cartn_x): convert them to "
                "fractions of the cell edges (_atom_site_fract_x)"
            )
        raise InputError("no atoms: expected an _atom_site loop with coordinates")
    lattice, angles = _lattice_and_angles(columns)
    settings = possible_settings(columns, angles)
    loop = atom_loop(columns, lattice, first_value(columns, FORMULA))
    if not loop.rows:
        raise InputError("no atoms: expected at least one occupied site")
    claims = claims_of(columns, loop.rows)
    chosen, attempts = _Reader(name, lattice, loop.sites, claims).choose(settings)
    if chosen.structure is not None:
        _check_doubts(loop, chosen, claims)
    if chosen.structure is None or any(f.is_serious for f in chosen.faults):
        _refuse(attempts)
    assert chosen.structure is not None
    notes = [*loop.notes, settings.note, _note_of_choice(chosen, attempts)]
    notes += [_note_of_volume(columns, chosen.structure.volume)]
    notes += loop.doubts + [fault.text for fault in chosen.faults]
    return BlockReading(chosen.structure, tuple(note for note in notes if note))
