"""Derivation of the table of Wyckoff positions from the space-group operations.

Orbits of fixed spaces are the positions; here each gets its coordinates and its name.
The letters do not follow from the operations, which say nothing about the order in
which the tables list the positions: they come from spglib, as does the symbol of the
site symmetry.

`python -m xrdjax.symmetry.wyckoff_derivation` writes the table again.
"""

import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path

import gemmi
import numpy as np
import spglib
from jaxtyping import Float, Int, Num

from xrdjax.files import write_npz
from xrdjax.symmetry.fixed_spaces import (
    BASIS_UNIT,
    UNIT,
    fixed_spaces,
    to_primitive,
)
from xrdjax.symmetry.integer_lattices import rounded
from xrdjax.symmetry.search import reference_hall_number
from xrdjax.symmetry.space_groups import SPACE_GROUPS, SpaceGroup
from xrdjax.symmetry.wyckoff import (
    CONSTANT_UNIT,
    LETTERS,
    TABLE_PATH,
    WyckoffPosition,
)

# A map is [3, 4] integers: coefficients of x, y, z, and a constant in 1/24.

# One cell of each lattice system, without accidental symmetry and large enough
# that random atoms do not overlap; angstrom and degrees.
_UNIT_CELLS = {
    "triclinic": (27, 30, 33, 95, 97, 99),
    "monoclinic": (27, 30, 33, 90, 97, 90),
    "orthorhombic": (27, 30, 33, 90, 90, 90),
    "tetragonal": (27, 27, 33, 90, 90, 90),
    "rhombohedral": (27, 27, 33, 90, 90, 120),
    "hexagonal": (27, 27, 33, 90, 90, 120),
    "cubic": (30, 30, 30, 90, 90, 90),
}


def _parametrisations(
    directions: Num[np.ndarray, "3 D"], point: Float[np.ndarray, " 3"]
) -> Iterator[Int[np.ndarray, "3 4"]]:
    """All ways to write a space with D of the coordinates as its parameters.

    The others must be integer combinations of them, so that a period of the
    parameters is a lattice translation and [0, 1) covers the space uniformly.
    """
    for axes in itertools.combinations(range(3), directions.shape[1]):
        block = directions[list(axes)]
        if abs(np.linalg.det(block)) < 1e-9:
            continue
        coefficients = directions @ np.linalg.inv(block)
        if np.abs(coefficients - np.rint(coefficients)).max(initial=0.0) > 1e-9:
            continue
        written = np.zeros((3, 4), int)
        written[:, list(axes)] = np.rint(coefficients)
        constants = point - coefficients @ point[list(axes)]
        written[:, 3] = rounded(CONSTANT_UNIT * constants) % CONSTANT_UNIT
        yield written


def _orbit(
    group: SpaceGroup, representative: Int[np.ndarray, "3 4"]
) -> Int[np.ndarray, "M 3 4"]:
    """Images of a map under the operations, those that differ modulo centring."""
    images = group.rotations.astype(int) @ representative
    images[:, :, 3] += rounded(CONSTANT_UNIT * group.translations)
    images[:, :, 3] %= CONSTANT_UNIT
    distinct: dict[bytes, np.ndarray] = {}
    for image in images:
        key = min(translated.tobytes() for translated in _translates(group, image))
        distinct.setdefault(key, image)
    return np.array(list(distinct.values()))


def _translates(
    group: SpaceGroup, atom: Int[np.ndarray, "3 4"]
) -> Int[np.ndarray, "C 3 4"]:
    """A map moved by each centring vector."""
    moved = np.tile(atom, (len(group.centring_vectors), 1, 1))
    moved[:, :, 3] += rounded(CONSTANT_UNIT * group.centring_vectors)
    moved[:, :, 3] %= CONSTANT_UNIT
    return moved


def _natural_order(group: SpaceGroup, candidate: Int[np.ndarray, "3 4"]) -> tuple:
    """Sort key of the maps of one position, the most natural first.

    Early letters, small constants, small coefficients, few signs. Where the three
    axes are equivalent, before that: equal coordinates, a single constant in
    front (0,y,z), z free on planes (x,x,z). In 89 % of the positions this gives
    the coordinates that the International Tables print first.
    """
    coefficients, constants = candidate[:, :3], candidate[:, 3]
    axes = np.flatnonzero(coefficients.any(axis=0)).tolist()
    cubic: tuple = ()
    if group.lattice_system == "cubic":
        different = {tuple(row) for row in candidate.tolist()}
        varies = np.any(coefficients, axis=1)
        late_constant = varies.sum() == 2 and varies[0]
        cubic = (len(different), late_constant, len(axes) == 2 and 2 not in axes)
    return (
        *cubic,
        axes,
        constants.sum(),
        np.abs(coefficients).sum(),
        constants.tolist(),
        (coefficients < 0).sum(),
        (-coefficients).tolist(),
    )


def derive_maps(group: SpaceGroup) -> list[Int[np.ndarray, "_ 3 4"]]:
    """Maps of all Wyckoff positions of a group, in no particular order.

    Returns:
        For each position the atoms of its orbit modulo centring, the one that
        reads most naturally first; coefficients and, in 1/24, constants.
    """
    primitive = to_primitive(group)
    to_conventional = np.array(primitive.basis).T / BASIS_UNIT
    positions = []
    for space in fixed_spaces(primitive):
        point, directions = space.parametric()
        start = next(
            _parametrisations(
                to_conventional @ directions, to_conventional @ point / UNIT
            )
        )
        free = start[:, :3].any(axis=0)
        candidates = (
            written
            for atom in _orbit(group, start)
            for moved in _translates(group, atom)
            for written in _parametrisations(
                moved[:, :3][:, free], moved[:, 3] / CONSTANT_UNIT
            )
        )
        best = min(candidates, key=lambda c: _natural_order(group, c))
        positions.append(_orbit(group, best))
    return positions


def names_by_spglib(
    group: SpaceGroup, positions: list[Float[np.ndarray, "_ 3 4"]]
) -> list[tuple[str, str]]:
    """Letter and site-symmetry symbol that spglib gives each of the positions.

    A crystal with one atom on every position and three more on the general one,
    all of different species, has this space group and no higher one.

    Args:
        positions: maps of each position, the general one among them.
    """
    rng = np.random.default_rng(group.number)
    general = max(positions, key=len)
    sites, species = [], []
    for number, maps in enumerate([*positions, general, general, general]):
        atoms = maps @ np.append(rng.random(3), 1.0)
        atoms = (atoms[:, None] + group.centring_vectors).reshape(-1, 3) % 1.0
        sites.append(atoms)
        species += [number] * len(atoms)
    cell = gemmi.UnitCell(*_UNIT_CELLS[group.lattice_system])
    lattice = np.array(cell.orth.mat.tolist()).T.tolist()
    with warnings.catch_warnings():
        # spglib 2.8 warns on every call that it will raise errors in the future.
        warnings.simplefilter("ignore", DeprecationWarning)
        found = spglib.get_symmetry_dataset(
            (lattice, np.concatenate(sites).tolist(), species),
            symprec=1e-4,
            hall_number=reference_hall_number(group.number),
        )
    # spglib may settle on another origin or axes, where letters are exchanged.
    if (
        found is None
        or found.number != group.number
        or not np.allclose(found.transformation_matrix, np.eye(3))
        or not np.allclose(found.origin_shift - np.rint(found.origin_shift), 0)
    ):
        raise RuntimeError(
            f"spglib does not find group {group.number} in a crystal built for it"
        )
    first = [species.index(number) for number in range(len(positions))]
    return [(found.wyckoffs[i], found.site_symmetry_symbols[i]) for i in first]


def derive_wyckoff_positions(group: SpaceGroup) -> tuple[WyckoffPosition, ...]:
    """All Wyckoff positions of a space group in the order of their letters."""
    positions = []
    for maps in derive_maps(group):
        scaled = maps.astype(np.float64)
        scaled[:, :, 3] /= CONSTANT_UNIT
        positions.append(scaled)
    named = [
        WyckoffPosition(
            space_group=group.number,
            letter=letter,
            multiplicity=len(maps) * len(group.centring_vectors),
            site_symmetry=symbol,
            free=tuple(np.any(maps[0, :, :3], axis=0).tolist()),
            maps=maps,
        )
        for maps, (letter, symbol) in zip(
            positions, names_by_spglib(group, positions), strict=True
        )
    ]
    return tuple(sorted(named, key=lambda position: LETTERS.index(position.letter)))


def write_table(path: Path = TABLE_PATH) -> None:
    """Derives the positions of all groups and stores them."""
    positions = [p for group in SPACE_GROUPS for p in derive_wyckoff_positions(group)]
    maps = np.concatenate([p.maps for p in positions])
    maps[:, :, 3] *= CONSTANT_UNIT
    columns = {
        "space_group": np.array([p.space_group for p in positions], np.uint8),
        "letter": np.array([LETTERS.index(p.letter) for p in positions], np.uint8),
        "site_symmetry": np.array([p.site_symmetry for p in positions]),
        "primitive_multiplicity": np.array([len(p.maps) for p in positions], np.uint8),
        "maps": rounded(maps).astype(np.int8),
    }
    write_npz(path, columns)


if __name__ == "__main__":
    write_table()
