"""From the tags of one data block of a CIF to a `Structure`.

CIF core dictionary: https://www.iucr.org/resources/cif/dictionaries. Old names
(_symmetry_equiv_pos_as_xyz) and those with dots (_atom_site.fract_x) are read too.
"""

import functools
import re
from typing import Any

import numpy as np
from gemmi import cif

from xrdjax.crystals.asymmetric_unit import checked_structure, lattice_from_cell
from xrdjax.crystals.crystal import Structure
from xrdjax.crystals.elements import SYMBOLS, atomic_number
from xrdjax.crystals.lattices import reciprocal_lattice
from xrdjax.errors import InputError
from xrdjax.symmetry.operations import Operations, named_operations, parse_operations

_OPERATIONS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
_HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
_HERMANN_MAUGUIN = (
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m_full",
    "_space_group_name_h-m_ref",
)
_NUMBER = ("_space_group_it_number", "_symmetry_int_tables_number")
_COORDINATES = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")
# xx, yy, zz, yz, xz, xy
_TENSOR = ("11", "22", "33", "23", "13", "12")
_WATER = ("WAT", "H2O", "HOH")  # labels of its oxygen
_NO_ATOM = ("VA", "VAC", "VOID", "DU", "DUM", "CENT")  # vacancies, dummies, centres

Columns = dict[str, list[str]]


def block_columns(block: cif.Block) -> Columns:
    """All values by tag, in lower case and with dots as underscores; "" for ? and ."""
    columns: Columns = {}
    for item in block:
        pair: Any = item.pair  # tag and value, of which gemmi's stub does not know
        if pair is not None:
            tags, values = [pair[0]], [pair[1]]
        elif item.loop is not None:
            tags, values = item.loop.tags, item.loop.values
        else:
            continue
        values = [cif.as_string(value).strip() for value in values]
        for i, tag in enumerate(tags):
            columns.setdefault(tag.lower().replace(".", "_"), values[i :: len(tags)])
    return columns


def has_atoms(columns: Columns) -> bool:
    return any(any(columns.get(tag, ())) for tag in _COORDINATES)


def _first(columns: Columns, tags: tuple[str, ...]) -> str:
    """The first value given for any of the tags, or ""."""
    return next((c[0] for tag in tags if (c := columns.get(tag)) and c[0]), "")


def _number(text: str, what: str, missing: float) -> float:
    """Number without its uncertainty in brackets, or `missing` for ""."""
    if not text:
        return missing
    value = cif.as_number(text)
    if not np.isfinite(value):
        raise InputError(f"{what} is {text!r}, expected a number")
    return value


def _lattice_and_angles(columns: Columns) -> tuple[np.ndarray, float, float]:
    cell = []
    for tag in ("length_a", "length_b", "length_c"):
        text = _first(columns, (f"_cell_{tag}",))
        if not text:
            raise InputError(f"no unit cell: _cell_{tag} is not given")
        cell.append(_number(text, f"_cell_{tag}", np.nan))
    for tag in ("angle_alpha", "angle_beta", "angle_gamma"):
        # the CIF dictionary's default
        cell.append(_number(_first(columns, (f"_cell_{tag}",)), f"_cell_{tag}", 90.0))
    return lattice_from_cell(cell), cell[3], cell[5]


def _symmetry(columns: Columns, alpha_deg: float, gamma_deg: float) -> Operations:
    """The operations as listed; failing those, of the named group."""
    number = _first(columns, _NUMBER)
    names = (_first(columns, _HALL), _first(columns, _HERMANN_MAUGUIN), number)
    named = functools.partial(
        named_operations,
        names[0],
        names[1],
        int(number) if number.isdecimal() else 0,
        alpha_deg,
        gamma_deg,
    )
    for tag in _OPERATIONS:
        triplets = tuple(text for text in columns.get(tag, ()) if text)
        if not triplets:
            continue
        listed = parse_operations(triplets)
        if listed.is_group:
            return listed
        # if the identity or centring is left out, the name supplies it
        complete = named()
        if complete is not None and set(listed.triplets) < set(complete.triplets):
            return complete
        raise InputError(
            f"the {len(listed.triplets)} symmetry operations form no group and are "
            "no part of the named one"
        )
    operations = named()
    if operations is None:
        given = ", ".join(repr(name) for name in names if name)
        raise InputError(
            "no symmetry: expected symmetry operations or the name or number of a "
            f"known space group, got {given or 'neither'}"
        )
    return operations


@functools.lru_cache(maxsize=4096)
def _elements_of_formula(formula: str) -> frozenset[int]:
    numbers = set()
    for symbol in re.findall(r"[A-Z][a-z]?", formula):
        try:
            numbers.add(atomic_number(symbol))
        except InputError:  # not an element
            continue
    return frozenset(numbers)


@functools.lru_cache(maxsize=4096)
def element_of_site(type_symbol: str, label: str, formula: str) -> int:
    """Atomic number of a site, from its type symbol, else from its label.

    Labels start with a symbol ("O1", "SiT2", "FE1"); if both the first two letters and
    the first one are symbols ("HO1"), the one in the formula is meant.

    Raises:
        InputError: neither contains an element.
    """
    if type_symbol:
        try:
            return atomic_number(type_symbol)
        except InputError:
            pass  # such as "O-H" or "Cu1.5+": read like a label
    for text in filter(None, (type_symbol, label)):
        letters = re.split(r"[^A-Za-z]", text, maxsplit=1)[0]
        if letters.upper() in _NO_ATOM:
            break
        if text.upper().startswith(_WATER):
            return SYMBOLS.index("O")
        candidates = []
        for symbol in dict.fromkeys((letters[:2], letters[:1])):
            try:
                candidates.append(atomic_number(symbol))
            except InputError:
                continue
        known = _elements_of_formula(formula)
        candidates.sort(key=lambda number: number not in known)
        if candidates:
            return candidates[0]
    raise InputError(
        f"site {label or '(no label)'}: unknown element {type_symbol or label!r}, "
        f"expected a symbol from H to {SYMBOLS[-1]}"
    )


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


def _sites(columns: Columns, lattice: np.ndarray) -> dict[str, Any]:
    """Labels of the sites that hold atoms, and their columns of a `Structure`."""
    rows = len(columns.get(_COORDINATES[0], ()))

    def column(tag: str) -> list[str]:
        values = columns.get(f"_atom_site_{tag}", [])
        return values if len(values) == rows else [""] * rows

    equivalent = _equivalent_b(columns, lattice)
    formula = _first(columns, ("_chemical_formula_sum",))
    names = ("labels", "elements", "occupancies", "b_iso", "positions")
    sites: dict[str, Any] = {name: [] for name in names}
    for label, symbol, flag, occupancy, b, u, *xyz in zip(
        *map(column, _SITE_TAGS), strict=True
    ):
        filled = _number(occupancy, f"site {label}: the occupancy", 1.0)
        if flag.lower() == "dum" or filled == 0:
            continue
        site = (
            label or symbol,
            element_of_site(symbol, label, formula),
            filled,
            _isotropic_b(b, u, label, equivalent),
            [_number(text, f"site {label}: a coordinate", np.nan) for text in xyz],
        )
        for name, value in zip(names, site, strict=True):
            sites[name].append(value)
    sites["positions"] = np.array(sites["positions"]).reshape(-1, 3)
    return sites


def read_block(columns: Columns, name: str) -> Structure:
    """The crystal of one block.

    Dummy atoms and empty sites are left out. An unknown occupancy is 1, an unknown
    displacement parameter 0.

    Args:
        columns: from `block_columns`.
        name: the structure's name.

    Raises:
        InputError: the block does not describe a crystal; the message states why.
    """
    if not has_atoms(columns):
        raise InputError("no atoms: expected an _atom_site loop with coordinates")
    lattice, alpha_deg, gamma_deg = _lattice_and_angles(columns)
    operations = _symmetry(columns, alpha_deg, gamma_deg)
    return checked_structure(
        name=name,
        lattice=lattice,
        rotations=operations.rotations,
        translations=operations.translations,
        space_group=operations.space_group,
        **_sites(columns, lattice),
    )
