"""Known crystals with their coordinates, or the shape of their cell, drawn anew.

What is redrawn is drawn as the prior does it: free coordinates uniformly, the shape
of the cell from the kernel density of the lattice system. All else is kept: space
group, elements, occupancies, Wyckoff positions and the volume.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from xrdjax.crystals.crystal import SAME_ATOM, Structure
from xrdjax.crystals.lattices import symmetric_lattice
from xrdjax.errors import InputError
from xrdjax.known.analyses import analyse_all
from xrdjax.prior.draws import sample_lattice
from xrdjax.prior.prior import Prior
from xrdjax.symmetry.space_groups import space_group
from xrdjax.symmetry.wyckoff import WyckoffPosition, wyckoff_positions

# Draws for one crystal before it is given up.
MAX_TRIES = 20


@dataclass(frozen=True)
class What:
    """What of a crystal is drawn anew."""

    coordinates: bool
    cell: bool


@dataclass(frozen=True)
class Redrawn:
    """Known crystals, drawn anew.

    Attributes:
        structures: n crystals; None where every draw failed.
        changed: [n] whether a crystal has anything of what was to be redrawn: free
            coordinates, or a cell that is not cubic.
        drawn: all draws.
        rejected: those without a cell, with too long an edge, or of another symmetry
            or structure type than the known crystal: drawn again.
    """

    structures: tuple[Structure | None, ...]
    changed: Bool[np.ndarray, " n"]
    drawn: int
    rejected: int


def wyckoff_position(
    structure: Structure, position: Float[np.ndarray, "3"]
) -> WyckoffPosition:
    """The Wyckoff position that an atom is on: the most special one that holds it.

    Args:
        structure: in the reference setting of its space group.
        position: [3] fractional coordinates of the atom.

    Raises:
        InputError: the structure has no space group.
    """
    if structure.space_group is None:
        raise InputError(
            f"{structure.name} has no space group, expected the reference setting of "
            "one: take the `standard` of its analysis"
        )
    images = structure.rotations @ position + structure.translations
    for candidate in wyckoff_positions(structure.space_group):
        representative = candidate.maps[0]
        steps = images @ representative[:, :3].T + representative[:, 3] - images
        steps -= np.round(steps)
        # two images of an atom are twice as far apart as it is from the position
        if np.any(np.sum((steps @ structure.lattice) ** 2, axis=1) < SAME_ATOM**2 / 4):
            return candidate
    raise AssertionError("the general position holds every atom")


def redraw_coordinates(rng: np.random.Generator, structure: Structure) -> Structure:
    """The crystal with uniform free coordinates on the same Wyckoff positions.

    Rows of one site, which share its place, move together; a site without free
    coordinates stays where it is.

    Args:
        rng: generator; used for every site, so that one of them changes no other.
        structure: in the reference setting of its space group.
    """
    places, site_of_row = np.unique(structure.positions, axis=0, return_inverse=True)
    moved = places.copy()
    for i, place in enumerate(places):
        free = rng.random(3)
        position = wyckoff_position(structure, place)
        if any(position.free):
            moved[i] = np.mod(position.maps[0] @ [*free, 1.0], 1.0)
    return dataclasses.replace(structure, positions=moved[site_of_row.ravel()])


_sample_lattices = jax.jit(jax.vmap(sample_lattice, in_axes=(0, None, 0, 0)))


def redraw_cells(
    key: Key[Array, ""],
    prior: Prior,
    structures: Sequence[Structure],
    groups: Int[np.ndarray, " n"],
) -> list[Structure | None]:
    """The crystals with cells of the same volume and another shape.

    Args:
        key: random key.
        prior: statistics.
        structures: n crystals in the reference settings of their space groups.
        groups: [n] rows of their groups in the statistics.

    Returns:
        n crystals; None where the draw closes no cell.
    """
    keys = jax.random.split(key, len(structures))
    volumes = np.array([structure.volume for structure in structures], np.float32)
    drawn = _sample_lattices(keys, prior, groups, volumes)
    lattices, possible = map(np.asarray, drawn)

    def reshape(structure, lattice):
        lattice = symmetric_lattice(lattice, structure.rotations)
        scale = np.cbrt(structure.volume / np.linalg.det(lattice))
        return dataclasses.replace(structure, lattice=scale * lattice)

    return [
        reshape(*both) if closed else None
        for *both, closed in zip(structures, lattices, possible, strict=True)
    ]


def _changes(structure: Structure, what: What) -> bool:
    group = space_group(structure.space_group or 1)
    if what.cell and group.lattice_system != "cubic":
        return True
    places = np.unique(structure.positions, axis=0)
    return what.coordinates and any(
        any(wyckoff_position(structure, place).free) for place in places
    )


def redraw(
    key: Key[Array, ""],
    structures: Sequence[Structure],
    type_keys: Sequence[str],
    groups: Int[np.ndarray, " n"],
    prior: Prior,
    what: What,
    *,
    symprec: float,
    max_edge: float,
    processes: int | None = None,
    progress: bool = False,
) -> Redrawn:
    """Draws known crystals anew, until each has the symmetry of its label.

    A draw with more symmetry is of another space group, or its sites are of other
    multiplicities; spglib tells, as it told the label.

    Args:
        key: random key.
        structures: n crystals in the reference settings of their space groups.
        type_keys: n structure types.
        groups: [n] rows of the space groups in the statistics.
        prior: statistics.
        what: is drawn anew.
        symprec: tolerance of spglib, angstrom.
        max_edge: longest edge of a cell, angstrom.
        processes: how many to use; all cores without it.
        progress: shows bars.
    """
    changed = np.array([_changes(structure, what) for structure in structures], bool)
    done: dict[int, Structure] = {
        i: structures[i] for i in np.flatnonzero(~changed).tolist()
    }
    entropy = np.asarray(jax.random.key_data(key)).tolist()
    drawn = 0
    for attempt in range(MAX_TRIES):
        rows = [i for i in range(len(structures)) if i not in done]
        if not rows:
            break
        drawn += len(rows)
        cells: Sequence[Structure | None] = structures
        if what.cell:  # all of them each time, so that one program does for all
            attempt_key = jax.random.fold_in(key, attempt)
            cells = redraw_cells(attempt_key, prior, structures, groups)
        fresh = {}
        for i in rows:
            crystal = cells[i]
            if crystal is None or max(crystal.unit_cell[:3]) > max_edge:
                continue
            if what.coordinates:
                rng = np.random.default_rng([*entropy, i, attempt])
                crystal = redraw_coordinates(rng, crystal)
            fresh[i] = crystal
        # a number for a name, to know the crystals again
        named = [dataclasses.replace(s, name=str(i)) for i, s in fresh.items()]
        analyses, _ = analyse_all(named, symprec, processes, progress)
        for analysis in analyses:
            i = int(analysis.standard.name)
            same_group = analysis.space_group == structures[i].space_group
            if same_group and analysis.type_key == type_keys[i]:
                done[i] = fresh[i]
    found = tuple(done.get(i) for i in range(len(structures)))
    return Redrawn(
        found, changed, drawn, drawn - int(changed.sum()) + found.count(None)
    )
