"""Known crystals with randomised coordinates or cell shapes.

These are sampled as in the prior: free coordinates uniformly, the shape of the cell
from the kernel density of the lattice system. Everything else is kept: space group,
elements, occupancies, Wyckoff positions and volume.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from experiments.gap_analysis.positions import wyckoff_position
from xrdjax.crystals.crystal import Structure
from xrdjax.crystals.lattices import symmetric_lattice
from xrdjax.known.analyses import analyse_all
from xrdjax.known.selection import Selection
from xrdjax.prior.draws import sample_lattice
from xrdjax.prior.prior import Prior
from xrdjax.symmetry.space_groups import space_group

# Draws for one crystal before it is abandoned.
MAX_TRIES = 20


@dataclass(frozen=True)
class Kind:
    """Which properties of a crystal are randomised."""

    coordinates: bool
    cell: bool


@dataclass(frozen=True)
class Randomised:
    """Known crystals, randomised.

    Attributes:
        structures: n crystals; None where every draw failed.
        changed: [n] whether a crystal has anything to randomise: free coordinates, or a
            cell that is not cubic.
        drawn: number of all draws.
        rejected: number of draws whose angles close no cell, with too long an edge, or
            with another symmetry or structure type than the known crystal; repeated.
    """

    structures: tuple[Structure | None, ...]
    changed: Bool[np.ndarray, " n"]
    drawn: int
    rejected: int


def randomise_coordinates(rng: np.random.Generator, structure: Structure) -> Structure:
    """The crystal with uniform free coordinates on the same Wyckoff positions.

    Rows of a mixed site move together; a site without free coordinates does not move.

    Args:
        rng: generator; used for every site, so that the sites are independent.
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


def _with_shape(structure: Structure, lattice: Float[np.ndarray, "3 3"]) -> Structure:
    """The crystal with the shape of a lattice, and its own volume."""
    lattice = symmetric_lattice(lattice, structure.rotations)
    scale = np.cbrt(structure.volume / np.linalg.det(lattice))
    return dataclasses.replace(structure, lattice=scale * lattice)


def randomise_cells(
    key: Key[Array, ""],
    prior: Prior,
    structures: Sequence[Structure],
    group_rows: Int[np.ndarray, " n"],
) -> list[Structure | None]:
    """The crystals with cells of the same volume and another shape.

    Args:
        key: random key.
        prior: statistics.
        structures: n crystals in the reference settings of their space groups.
        group_rows: [n] rows of their groups in the statistics.

    Returns:
        n crystals; None where the sampled angles close no cell.
    """
    keys = jax.random.split(key, len(structures))
    volumes = np.array([structure.volume for structure in structures], np.float32)
    sampled = _sample_lattices(keys, prior, group_rows, volumes)
    lattices, possible = map(np.asarray, sampled)
    return [
        _with_shape(structure, lattice) if closed else None
        for structure, lattice, closed in zip(
            structures, lattices, possible, strict=True
        )
    ]


def _can_change(structure: Structure, kind: Kind) -> bool:
    """Whether a crystal has anything to randomise."""
    group = space_group(structure.space_group or 1)
    if kind.cell and group.lattice_system != "cubic":
        return True
    places = np.unique(structure.positions, axis=0)
    return kind.coordinates and any(
        any(wyckoff_position(structure, place).free) for place in places
    )


@dataclass(frozen=True)
class Randomiser:
    """How known crystals are randomised.

    Attributes:
        prior: statistics.
        kind: what is randomised.
        symprec: tolerance of spglib, angstrom.
        max_edge: longest edge of a cell, angstrom.
        progress: whether to show bars.
    """

    prior: Prior
    kind: Kind
    symprec: float
    max_edge: float
    progress: bool = False

    def __call__(self, key: Key[Array, ""], known: Selection) -> Randomised:
        """Randomises crystals, repeatedly until each keeps its structure type.

        A draw with higher symmetry has another space group, or sites of other
        multiplicities: spglib decides, as it did for the label.

        Args:
            key: random key.
            known: crystals in the reference settings of their space groups.
        """
        structures = known.structures
        changed = np.array([_can_change(s, self.kind) for s in structures], bool)
        done: dict[int, Structure] = {
            i: structures[i] for i in np.flatnonzero(~changed).tolist()
        }
        drawn = 0
        for attempt in range(MAX_TRIES):
            rows = [i for i in range(len(structures)) if i not in done]
            if not rows:
                break
            drawn += len(rows)
            fresh = self._sample_rows(key, attempt, rows, known)
            done |= self._of_the_same_type(fresh, known)
        found = tuple(done.get(i) for i in range(len(structures)))
        accepted = int(changed.sum()) - found.count(None)
        return Randomised(found, changed, drawn, drawn - accepted)

    def _sample_rows(
        self, key: Key[Array, ""], attempt: int, rows: list[int], known: Selection
    ) -> dict[int, Structure]:
        """One draw for each row of `known`, without those that have no valid cell."""
        entropy = np.asarray(jax.random.key_data(key)).tolist()
        cells: Sequence[Structure | None] = known.structures
        if self.kind.cell:  # all rows each time, so that one program serves all draws
            attempt_key = jax.random.fold_in(key, attempt)
            cells = randomise_cells(attempt_key, self.prior, cells, known.labels)
        fresh = {}
        for i in rows:
            crystal = cells[i]
            if crystal is None or max(crystal.unit_cell[:3]) > self.max_edge:
                continue
            if self.kind.coordinates:
                rng = np.random.default_rng([*entropy, i, attempt])
                crystal = randomise_coordinates(rng, crystal)
            fresh[i] = crystal
        return fresh

    def _of_the_same_type(
        self, fresh: dict[int, Structure], known: Selection
    ) -> dict[int, Structure]:
        """Those of the draws that have the symmetry and type of the known crystals."""
        # numbers for names, to identify the crystals
        named = [dataclasses.replace(s, name=str(i)) for i, s in fresh.items()]
        analyses, _ = analyse_all(named, self.symprec, progress=self.progress)
        kept = {}
        for analysis in analyses:
            i = int(analysis.standard.name)
            same_group = analysis.space_group == known.structures[i].space_group
            if same_group and analysis.type_key == known.type_keys[i]:
                kept[i] = fresh[i]
        return kept
