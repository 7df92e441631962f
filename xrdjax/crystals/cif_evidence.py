"""What a CIF says twice: the atoms of a reading against formula, Z, density and others.

The atoms of the cell follow from sites and operations; the formula, the number of formula
units, the density and the multiplicities of the sites state them once more.
"""

import re
from dataclasses import dataclass

import gemmi
import numpy as np
from gemmi import cif
from jaxtyping import Bool, Float, Int

from xrdjax.crystals.cif_columns import Columns, first_value
from xrdjax.crystals.compositions import formula_counts
from xrdjax.crystals.crowding import shortest_contact, site_multiplicities
from xrdjax.crystals.crystal import Structure
from xrdjax.crystals.elements import SYMBOLS
from xrdjax.symmetry.space_groups import space_group
from xrdjax.symmetry.wyckoff import wyckoff_positions

FORMULA = ("_chemical_formula_sum",)
_H, _O = 1, 8

# Relative deviations that rounding explains: of an element's atoms from the formula
# (or of this part of all atoms), of the number of formula units, and of a density.
_COMPOSITION, _OF_ALL, _UNITS, _DENSITY = 0.02, 0.003, 0.05, 0.10

# Parts of all atoms that are missing or too many, or of other elements: more is a file
# cut off or spoilt. Solid solutions whose formula is rounded or swapped stay below.
_MISSING, _DIFFERENT = 0.05, 0.20

# Distance over the sum of covalent radii below which two full atoms cannot be.
_CLOSEST = 0.6

_GRAMS = 1.66054  # of 1 u in 1 cubic angstrom, per cubic centimetre


@dataclass(frozen=True)
class Claims:
    """What a block states about its atoms.

    Attributes:
        formula: text of the formula sum, or "".
        units: formula units in the cell; None if not stated.
        density: calculated one, g/cm^3; None if not stated.
        multiplicities: [S] of the sites; NaN where not stated.
        letters: [S] Wyckoff letters, or "".
    """

    formula: str
    units: float | None
    density: float | None
    multiplicities: Float[np.ndarray, " S"]
    letters: tuple[str, ...]

    @property
    def decide(self) -> bool:
        """Whether there is more than a formula, which many readings share."""
        counts = formula_counts(self.formula)
        units = self.units is not None and counts is not None
        stated = np.isfinite(self.multiplicities).any() or any(self.letters)
        return bool(units or self.density is not None or stated)


@dataclass(frozen=True)
class Fault:
    """A contradiction of a reading.

    Attributes:
        text: one sentence.
        is_serious: whether the reading alone cannot be right.
        is_stated: whether the file states otherwise; else it is only unlikely.
    """

    text: str
    is_serious: bool = False
    is_stated: bool = True


def _positive(text: str) -> float | None:
    value = cif.as_number(text) if text else np.nan
    return float(value) if np.isfinite(value) and value > 0 else None


def claims_of(columns: Columns, rows: list[int]) -> Claims:
    """Claims of a block; `rows` gives the row of the atom loop of each site."""

    def column(*tags: str) -> list[str]:
        found = (columns.get(f"_atom_site_{tag}", []) for tag in tags)
        values = next((v for v in found if any(v) and len(v) > max(rows)), None)
        return [values[row] for row in rows] if values else [""] * len(rows)

    multiplicities = column(
        "symmetry_multiplicity", "site_symmetry_multiplicity", "site_symmetry_order"
    )
    letters = column("wyckoff_symbol", "wyckoff_label")
    density = _positive(first_value(columns, ("_exptl_crystal_density_diffrn",)))
    if density is not None and density > 100:  # kilograms per cubic metre
        density /= 1000
    return Claims(
        formula=first_value(columns, FORMULA),
        units=_positive(first_value(columns, ("_cell_formula_units_z",))),
        density=density,
        multiplicities=np.array([_positive(m) or np.nan for m in multiplicities]),
        letters=tuple(
            match[1] if (match := re.search(r"([a-zA-Z])", text)) else ""
            for text in letters
        ),
    )


@dataclass(frozen=True, eq=False)
class _Cell:
    """Atoms of a reading.

    Attributes:
        structure: of the reading.
        multiplicities: [S] of its sites.
        contents: atoms of each element in the cell.
    """

    structure: Structure
    multiplicities: Int[np.ndarray, " S"]
    contents: dict[int, float]


def _cell(structure: Structure) -> _Cell:
    multiplicities = site_multiplicities(structure)
    totals = np.bincount(structure.elements, multiplicities * structure.occupancies)
    contents = {int(z): float(totals[z]) for z in np.flatnonzero(totals)}
    return _Cell(structure, multiplicities, contents)


def _scale(contents: dict[int, float], counts: dict[int, float]) -> float:
    """Formula units: the median over the formula's atoms that are there.

    Hydrogen, and then oxygen, are left out where there are others: those of water are
    often not located.
    """
    present = [z for z in counts if z in contents]
    if not present:
        return 0.0
    without = [[z for z in present if z not in apart] for apart in ((_H, _O), (_H,))]
    numbers = without[0] or without[1] or present
    ratios = np.array([contents[z] / counts[z] for z in numbers])
    weights = np.array([counts[z] for z in numbers])
    order = np.argsort(ratios)
    half = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
    return float(ratios[order][half])


def _composition_fault(
    cell: _Cell, claims: Claims, counts: dict[int, float], scale: float
) -> Fault | None:
    """Atoms against the formula; hydrogen, which is often not located, is left out."""
    contents = cell.contents
    numbers = sorted((set(counts) | set(contents)) - {_H})
    expected = np.array([scale * counts.get(z, 0.0) for z in numbers])
    found = np.array([contents.get(z, 0.0) for z in numbers])
    if not numbers:
        return None
    if scale == 0:
        return Fault(_composition_text(cell.structure, claims), is_serious=True)
    off = np.abs(found - expected)
    total = expected.sum()
    if np.all((off <= _COMPOSITION * expected) | (off <= _OF_ALL * total)):
        return None
    missing = (total - found.sum()) / total
    # the oxygen of water is often not located either
    short = [
        z for z, f, e in zip(numbers, found, expected, strict=True) if f < e - 1e-6
    ]
    is_water = short == [_O] and 2 * missing * total <= scale * counts.get(_H, 0.0)
    is_absent = any(z not in contents for z in counts if z != _H)
    foreign = sum(contents[z] for z in contents if z not in counts and z != _H)
    is_foreign = foreign > _MISSING * total
    is_much = abs(missing) > _MISSING or off.sum() / total > _DIFFERENT
    # a formula alone may be wrong; the number of its units confirms it
    is_confirmed = claims.units is not None or claims.density is not None
    return Fault(
        _composition_text(cell.structure, claims),
        bool(is_absent or is_foreign or (is_much and is_confirmed and not is_water)),
    )


def _composition_text(structure: Structure, claims: Claims) -> str:
    return (
        f"the listed atoms make up {structure.formula}, but _chemical_formula_sum "
        f"states {claims.formula!r}"
    )


def _units_fault(claims: Claims, scale: float) -> Fault | None:
    if claims.units is None or abs(scale / claims.units - 1) <= _UNITS:
        return None
    return Fault(
        f"the cell holds {scale:.3g} formula units {claims.formula!r}, but "
        f"_cell_formula_units_Z states {claims.units:g}"
    )


def _density_fault(
    cell: _Cell, claims: Claims, counts: dict[int, float] | None, scale: float
) -> Fault | None:
    if claims.density is None:
        return None
    contents = dict(cell.contents)
    if counts and _H in counts and _H not in contents:  # not located
        contents[_H] = scale * counts[_H]
    mass = sum(gemmi.Element(SYMBOLS[z]).weight * n for z, n in contents.items())
    density = _GRAMS * mass / cell.structure.volume
    if abs(density / claims.density - 1) <= _DENSITY:
        return None
    return Fault(
        f"the density comes to {density:.3g} g/cm^3, but _exptl_crystal_density_diffrn "
        f"states {claims.density:g}"
    )


def _stated_multiplicities(
    structure: Structure, kept: Bool[np.ndarray, " S"], claims: Claims
) -> Float[np.ndarray, " s"]:
    """Multiplicities as given, or those of the Wyckoff letters."""
    stated = claims.multiplicities[kept]
    letters = np.array(claims.letters)[kept].tolist()
    if np.isfinite(stated).any() or not structure.space_group or not any(letters):
        return stated
    group = space_group(structure.space_group)
    # a primitive cell of the same group has fewer atoms
    order = len(group.rotations) * len(group.centring_vectors)
    of_letter = {
        position.letter: position.multiplicity * len(structure.rotations) / order
        for position in wyckoff_positions(group.number)
    }
    return np.array([of_letter.get(letter, np.nan) for letter in letters])


def _multiplicity_fault(
    cell: _Cell, kept: Bool[np.ndarray, " S"], claims: Claims
) -> Fault | None:
    stated = _stated_multiplicities(cell.structure, kept, claims)
    found = cell.multiplicities
    given = np.isfinite(stated)
    # SHELXL states the order of the site symmetry in the place of its multiplicity
    orders = len(cell.structure.rotations) / found
    if np.all(stated[given] == found[given]) or np.all(stated[given] == orders[given]):
        return None
    wrong = np.flatnonzero(given & (stated != found))[0]
    return Fault(
        f"a site of {SYMBOLS[cell.structure.elements[wrong]]} has the multiplicity "
        f"{found[wrong]}, but the file states {stated[wrong]:g}"
    )


def contact_fault(structure: Structure) -> Fault | None:
    """Atoms nearer to each other than any bond; asked for where readings compete."""
    contact = shortest_contact(structure)
    if contact >= _CLOSEST:
        return None
    return Fault(
        f"two atoms are {contact:.2f} times the sum of their covalent radii apart",
        is_stated=False,
    )


def faults(
    structure: Structure, kept: Bool[np.ndarray, " S"], claims: Claims
) -> list[Fault]:
    """Contradictions between the atoms of a reading and what the file states of them.

    Args:
        structure: of the reading.
        kept: [S] sites of the file that the structure has.
        claims: of the file.
    """
    counts = formula_counts(claims.formula)
    cell = _cell(structure)
    scale = _scale(cell.contents, counts) if counts else 0.0
    composition = _composition_fault(cell, claims, counts, scale) if counts else None
    units = _units_fault(claims, scale) if counts and not composition else None
    others = [
        units,
        _density_fault(cell, claims, counts, scale),
        _multiplicity_fault(cell, kept, claims),
    ]
    found = [fault for fault in others if fault]
    if len(found) > 1:  # one may be a slip, two agree
        found = [Fault(fault.text, is_serious=True) for fault in found]
    return ([composition] if composition else []) + found
