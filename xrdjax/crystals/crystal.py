"""The two forms of a crystal: as a file describes it, and as arrays of fixed shape.

`Structure` is on the host, in float64: asymmetric unit and operations, as in a CIF.
`Crystal` is a pytree for compiled functions: the atoms of one primitive cell, padded,
with the operations of the same setting. Known and synthetic crystals become the same
`Crystal`.
"""

import dataclasses
import math

import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from xrdjax.crystals.elements import SYMBOLS
from xrdjax.crystals.lattices import parameters_from_lattice, unit_cell_volume
from xrdjax.errors import InputError
from xrdjax.symmetry.space_groups import MAX_CENTRING, MAX_OPERATIONS, Symmetry

# Images of one site closer than this are the same atom, angstrom.
SAME_ATOM = 0.01


@dataclasses.dataclass(frozen=True, eq=False)
class Structure:
    """Crystal as in a file: asymmetric unit and all operations of its setting.

    Attributes:
        name: where it comes from; used in messages and tables.
        lattice: [3, 3] float64, rows are the conventional vectors a, b, c, angstrom.
        positions: [S, 3] float64 fractional coordinates of the asymmetric unit.
        elements: [S] atomic numbers.
        occupancies: [S] float64, chemical: 1 is a full site, special position or not.
        b_iso: [S] float64 isotropic displacement B = 8 pi^2 U, square angstrom.
        rotations: [G, 3, 3] integer, x' = W x + w; all operations, the centring
            translations included, modulo lattice translations.
        translations: [G, 3] float64, in [0, 1).
        space_group: number implied by the operations, None if they imply none.
    """

    name: str
    lattice: np.ndarray
    positions: np.ndarray
    elements: np.ndarray
    occupancies: np.ndarray
    b_iso: np.ndarray
    rotations: np.ndarray
    translations: np.ndarray
    space_group: int | None = None

    @property
    def volume(self) -> float:
        """Volume of the conventional cell, cubic angstrom."""
        return float(unit_cell_volume(self.lattice))

    @property
    def unit_cell(self) -> tuple[float, float, float, float, float, float]:
        """(a, b, c, alpha_deg, beta_deg, gamma_deg), angstrom and degrees."""
        parameters = parameters_from_lattice(self.lattice)
        parameters[3:] = np.rad2deg(parameters[3:])
        a, b, c, alpha_deg, beta_deg, gamma_deg = parameters.tolist()
        return a, b, c, alpha_deg, beta_deg, gamma_deg

    @property
    def is_ordered(self) -> bool:
        """True when every site is full (within 0.001)."""
        return bool(np.all(np.abs(self.occupancies - 1) <= 1e-3))

    @property
    def formula(self) -> str:
        """Composition of a formula unit in Hill order, as in _chemical_formula_sum.

        The unit is the smallest with whole numbers of sites, so that a half-filled
        site counts one half: "Ca Ti O3" is "CaO3Ti".
        """
        _, sites = expand_sites(self)
        multiplicities = np.bincount(sites, minlength=len(self.elements))
        contents: dict[str, float] = {}
        for element, count in zip(
            self.elements,
            multiplicities * self.occupancies / math.gcd(*multiplicities.tolist()),
            strict=True,
        ):
            symbol = SYMBOLS[element]
            contents[symbol] = contents.get(symbol, 0.0) + float(count)
        whole = {symbol: round(count) for symbol, count in contents.items()}
        if all(abs(whole[s] - contents[s]) < 1e-3 for s in contents):
            divisor = math.gcd(*whole.values()) or 1
            contents = {s: whole[s] / divisor for s in contents}
        first = ("C", "H") if "C" in contents else ()
        order = sorted(contents, key=lambda s: (first.index(s) if s in first else 2, s))
        return "".join(
            s
            + ("" if contents[s] == 1 else f"{contents[s]:.3f}".rstrip("0").rstrip("."))
            for s in order
        )


@struct.dataclass
class Crystal:
    """Atoms of one primitive cell, padded to N, and the symmetry of the setting.

    Attributes:
        lattice: [3, 3] float32, rows are the conventional vectors a, b, c, angstrom.
        positions: [N, 3] float32 fractional coordinates on the conventional cell.
        elements: [N] int32 row of each atom in the element table; 0 on padding.
        occupancies: [N] float32; 0 on padding, so that padding scatters nothing.
        symmetry: operations modulo centring, and centring vectors, padded.
        b_iso: [N] float32 B = 8 pi^2 U, square angstrom; None for atoms at rest, which
            cost less.
    """

    lattice: Float[Array | np.ndarray, "3 3"]
    positions: Float[Array | np.ndarray, "N 3"]
    elements: Int[Array | np.ndarray, " N"]
    occupancies: Float[Array | np.ndarray, " N"]
    symmetry: Symmetry
    b_iso: Float[Array | np.ndarray, " N"] | None = None


def split_centring(
    rotations: np.ndarray, translations: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Separates all operations into coset representatives and centring vectors.

    Args:
        rotations: [G, 3, 3] of all operations.
        translations: [G, 3] of the same, modulo lattice translations.

    Returns:
        Rotations [G', 3, 3] and translations [G', 3] modulo centring, identity
        first, and centring vectors [C, 3], zero first; G = G' C.

    Raises:
        InputError: the operations are not those of a group.
    """
    rotations = np.asarray(rotations, int)
    translations = np.mod(np.round(np.asarray(translations, float), 10), 1.0)
    unique, first, inverse = np.unique(
        rotations.reshape(-1, 9), axis=0, return_index=True, return_inverse=True
    )
    is_identity = np.all(rotations == np.eye(3, dtype=int), axis=(1, 2))
    centring = translations[is_identity]
    centring = centring[np.lexsort(centring.T[::-1])]
    counts = np.bincount(inverse.ravel(), minlength=len(unique))
    if (
        len(centring) == 0
        or np.any(centring[0] != 0)
        or np.any(counts != len(centring))
    ):
        raise InputError(
            f"the {len(rotations)} symmetry operations form no group: each rotation "
            "is expected once with each centring vector, the identity among them"
        )
    order = np.sort(first)
    leader = np.flatnonzero(is_identity & np.all(translations == 0, axis=1))[0]
    order = np.concatenate([[leader], order[~is_identity[order]]])
    return rotations[order], translations[order], centring


def _orbit(
    lattice: np.ndarray,
    position: np.ndarray,
    rotations: np.ndarray,
    translations: np.ndarray,
    centring: np.ndarray,
) -> np.ndarray:
    """Distinct images [M, 3] of a site, in [0, 1), modulo lattice and centring."""
    images = np.mod(rotations @ position + translations, 1.0)
    # differences are taken modulo 1, so that 0.9999999 and 0 are the same
    difference = images[:, None] - images[None, :]
    same = np.zeros(difference.shape[:2], bool)
    for vector in centring:
        d = difference - vector
        d = (d - np.round(d)) @ lattice
        same |= np.sum(d**2, axis=-1) < SAME_ATOM**2
    return images[~np.any(np.tril(same, -1), axis=1)]


def _primitive_atoms(
    structure: Structure,
    rotations: np.ndarray,
    translations: np.ndarray,
    centring: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Positions [N, 3] of the atoms modulo centring, and the site [N] of each."""
    orbits = [
        _orbit(structure.lattice, position, rotations, translations, centring)
        for position in structure.positions
    ]
    sites = np.repeat(np.arange(len(orbits)), [len(orbit) for orbit in orbits])
    return np.concatenate(orbits), sites


def expand_sites(structure: Structure) -> tuple[np.ndarray, np.ndarray]:
    """All atoms of the conventional cell.

    Images of a site closer than 0.01 angstrom, modulo lattice translations, are one
    atom, so that special positions get their multiplicity.

    Returns:
        Positions [M, 3] in [0, 1) and the site [M] that each atom comes from, in
        order of the sites.
    """
    parts = split_centring(structure.rotations, structure.translations)
    positions, sites = _primitive_atoms(structure, *parts)
    centring = parts[2]
    positions = np.mod(positions[:, None] + centring[None], 1.0).reshape(-1, 3)
    return positions, np.repeat(sites, len(centring))


def _pad(array: np.ndarray, size: int) -> np.ndarray:
    """Appends zeros to the first axis up to size."""
    return np.pad(array, [(0, size - len(array))] + [(0, 0)] * (array.ndim - 1))


def to_crystal(
    structure: Structure, size: int | None = None, *, displacements: bool = False
) -> Crystal:
    """The crystal as arrays of fixed shape, in the structure's own setting.

    The symmetry is padded to 48 operations and to 4 centring vectors (more only
    where a setting has more, such as a doubled cell).

    Args:
        structure: asymmetric unit and all operations.
        size: atoms N after padding; by default, the atoms of the primitive cell.
        displacements: keep the structure's B; by default, the atoms are at rest, as in
            the paper.

    Returns:
        Crystal with NumPy leaves in float32 and int32.

    Raises:
        InputError: the primitive cell holds more atoms than size.
    """
    parts = split_centring(structure.rotations, structure.translations)
    positions, sites = _primitive_atoms(structure, *parts)
    rotations, translations, centring = parts
    size = len(sites) if size is None else size
    if len(sites) > size:
        raise InputError(
            f"{structure.name} has {len(sites)} atoms in its primitive cell; "
            f"size must be at least that, got {size}"
        )
    return Crystal(
        lattice=structure.lattice.astype(np.float32),
        positions=_pad(positions, size).astype(np.float32),
        elements=_pad(structure.elements[sites], size).astype(np.int32),
        occupancies=_pad(structure.occupancies[sites], size).astype(np.float32),
        b_iso=_pad(structure.b_iso[sites], size).astype(np.float32)
        if displacements
        else None,
        symmetry=Symmetry(
            rotations=_pad(rotations, MAX_OPERATIONS).astype(np.int32),
            translations=_pad(translations, MAX_OPERATIONS).astype(np.float32),
            order=np.array(len(rotations), np.int32),
            centring=_pad(centring, max(MAX_CENTRING, len(centring))).astype(
                np.float32
            ),
            centring_order=np.array(len(centring), np.int32),
        ),
    )
