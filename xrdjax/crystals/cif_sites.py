"""The atom loop of a CIF block: elements, occupancies, displacements, coordinates."""

from dataclasses import dataclass, field

import numpy as np
from gemmi import cif

from xrdjax.crystals.asymmetric_unit import Sites
from xrdjax.crystals.cif_columns import COORDINATES, Columns, number_from
from xrdjax.crystals.compositions import filled_shares, species_of_site
from xrdjax.crystals.lattices import reciprocal_lattice

_H = 1

# xx, yy, zz, yz, xz, xy
_TENSOR = ("11", "22", "33", "23", "13", "12")


def _equivalent_b(columns: Columns, lattice: np.ndarray) -> dict[str, float]:
    """B_eq by label from anisotropic displacements.

    U_eq = 1/3 sum_ij U_ij a*_i a*_j (a_i . a_j)
    International Tables for Crystallography D, ch. 1.9, and Fischer & Tillmanns,
    Acta Cryst. C44 (1988) 775.
    """
    labels = columns.get("_atom_site_aniso_label", [])
    if not labels:
        return {}
    stars = np.linalg.norm(reciprocal_lattice(lattice), axis=1)
    weights = np.outer(stars, stars) * (lattice @ lattice.T) / 3
    equivalent = {}
    for kind, factor in (("b", 1.0), ("u", 8 * np.pi**2)):
        tensors = [columns.get(f"_atom_site_aniso_{kind}_{ij}", []) for ij in _TENSOR]
        if any(len(values) != len(labels) for values in tensors):
            continue
        for label, *texts in zip(labels, *tensors, strict=True):
            xx, yy, zz, yz, xz, xy = (cif.as_number(text) for text in texts)
            tensor = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
            equivalent[label] = factor * float(np.sum(weights * tensor))
    return equivalent


def _isotropic_b(
    b_text: str, u_text: str, label: str, equivalent: dict[str, float]
) -> float:
    """B_iso, else 8 pi^2 U_iso, else B_eq, else 0; negative values become 0."""
    values = (
        cif.as_number(b_text),
        8 * np.pi**2 * cif.as_number(u_text),
        equivalent.get(label, np.nan),
    )
    b_iso = next((value for value in values if np.isfinite(value)), 0.0)
    return max(b_iso, 0.0)


_SITE_TAGS = (
    "label",
    "type_symbol",
    "calc_flag",
    "occupancy",
    "b_iso_or_equiv",
    "u_iso_or_equiv",
    "fract_x",
    "fract_y",
    "fract_z",
)


@dataclass
class AtomLoop:
    """Sites as they are gathered from the rows.

    Attributes:
        labels, elements, occupancies, b_iso, positions: of each site.
        rows: [S] row of the loop that each site is from; a mixed one gives several.
        doubts: of labels that may mean other elements.
        notes: what was left out or understood in a special way.
    """

    labels: list[str] = field(default_factory=list)
    elements: list[int] = field(default_factory=list)
    occupancies: list[float] = field(default_factory=list)
    b_iso: list[float] = field(default_factory=list)
    positions: list[list[float]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Adds a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    @property
    def sites(self) -> Sites:
        positions = np.array(self.positions).reshape(-1, 3)
        return Sites(
            self.labels, positions, self.elements, self.occupancies, self.b_iso
        )


def _position(label: str, texts: list[str], is_hydrogen: bool) -> list[float] | None:
    """Coordinates; None for hydrogen that was not located."""
    if is_hydrogen and ("" in texts or set(texts) == {"."}):
        return None
    return [
        0.0 if text == "." else number_from(text, f"site {label}: a coordinate", np.nan)
        for text in texts
    ]


def atom_loop(columns: Columns, lattice: np.ndarray, formula: str) -> AtomLoop:
    """The sites of a block that hold atoms.

    Dummy atoms, empty sites and hydrogen without coordinates are left out. An unknown
    occupancy is 1, an unknown displacement parameter 0, and a coordinate "." is 0.

    Args:
        columns: of the block.
        lattice: [3, 3] rows a, b, c, angstrom.
        formula: formula sum, or "".

    Raises:
        InputError: a row describes no atom.
    """
    rows = len(columns.get(COORDINATES[0], ()))

    def column(tag: str) -> list[str]:
        values = columns.get(f"_atom_site_{tag}", [])
        return values if len(values) == rows else [""] * rows

    equivalent = _equivalent_b(columns, lattice)
    loop = AtomLoop()
    for row, (label, symbol, flag, occupancy, b, u, *xyz) in enumerate(
        zip(*map(column, _SITE_TAGS), strict=True)
    ):
        filled = number_from(occupancy, f"site {label}: the occupancy", 1.0)
        if flag.lower() == "dum" or filled == 0:
            continue
        species = species_of_site(symbol, label, formula)
        is_hydrogen = species.shares[0][0] == _H
        position = _position(label, xyz, is_hydrogen)
        if position is None:
            loop.note(
                f"site {label or symbol} of hydrogen without coordinates is left out"
            )
            continue
        if "." in xyz:
            loop.note("coordinates that are given as '.' are read as 0")
        if species.doubt:
            loop.doubts.append(f"site {label}: {species.doubt}")
        displacement = _isotropic_b(b, u, label, equivalent)
        for number, share in filled_shares(species, filled):
            loop.labels.append(label or symbol)
            loop.elements.append(number)
            loop.occupancies.append(share)
            loop.b_iso.append(displacement)
            loop.positions.append(position)
            loop.rows.append(row)
    return loop
