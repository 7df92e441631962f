"""What makes two crystals the same structure type, and the split that keeps types whole.

A structure type is the space group, the reduced anonymous composition, and the
multiplicities of the sites of each species, for instance "225 AB2 4 8" for fluorite:

- Multiplicities, not Wyckoff letters: another choice of origin permutes letters (in
  group 225 it swaps a and b), but never multiplicities.
- A species is one pattern of occupancy: what shares a site, and in which parts. So
  (Mg0.5Fe0.5)O is AB like MgO, with the mixed site as A; a vacancy makes a pattern of
  its own too. The letters count sites, not fractions of atoms.
- The two groups of an enantiomorphic pair (P4_1 and P4_3) count as one, under the
  lower number. Mirror images have the same powder pattern: held out in one hand, a
  crystal must not be known in the other.
"""

import concurrent.futures
import dataclasses
import hashlib
import math
import multiprocessing
import os
from collections.abc import Iterable, Sequence

import numpy as np
import tqdm
from jaxtyping import Bool

from xrdjax.crystals.cif import Failure
from xrdjax.crystals.crystal import SAME_ATOM, Structure, expand_sites
from xrdjax.errors import InputError
from xrdjax.symmetry.search import find_symmetry, reference_operations
from xrdjax.symmetry.space_groups import space_group

# Below this many crystals, starting processes takes longer than the analysis.
_CRYSTALS_WORTH_PROCESSES = 1000
_CHUNK = 100

# Occupancies that agree to this many decimals are one pattern.
OCCUPANCY_DECIMALS = 3


@dataclasses.dataclass(frozen=True, eq=False)
class Analysis:
    """A crystal in the reference setting of its space group, and its type.

    A row of `standard` is one element on one site; a mixed site has several rows,
    one after the other and at the same position.

    Attributes:
        space_group: number that spglib finds.
        wyckoff_letters: letter of each row's site in the reference setting.
        multiplicities: atoms of each row's site in the conventional cell.
        sites: number of the site (0, 1, ...) that each row is on.
        standard: the structure in the reference setting, one atom an orbit.
        type_key: structure type, e.g. "225 AB2 4 8".
    """

    space_group: int
    wyckoff_letters: tuple[str, ...]
    multiplicities: tuple[int, ...]
    sites: tuple[int, ...]
    standard: Structure
    type_key: str


# (atomic number, occupancy, b_iso) of all that shares a site, by atomic number.
_Content = tuple[tuple[int, float, float], ...]


def _merge_sites(
    structure: Structure, distance: float
) -> tuple[np.ndarray, list[_Content]]:
    """Atoms of the conventional cell, with what lies on one place as one atom.

    Args:
        structure: rows that share a site are separate there.
        distance: rows closer than this share a site, angstrom.

    Returns:
        Positions [M, 3], and the content of each atom.
    """
    positions, rows = expand_sites(structure)
    occupied = structure.occupancies >= 0.5 * 10.0**-OCCUPANCY_DECIMALS
    multiplicity = np.bincount(rows, minlength=len(occupied))
    leader = np.arange(len(occupied))
    # the row with the fewest atoms is the one that sits on the special position
    for row in np.argsort(multiplicity, kind="stable"):
        if leader[row] != row or not occupied[row]:
            continue
        d = positions - structure.positions[row]
        d = (d - np.round(d)) @ structure.lattice
        near = rows[np.sum(d**2, axis=1) < distance**2]
        leader[near[leader[near] == near]] = row
    content: dict[int, dict[int, list[float]]] = {}
    for row in np.flatnonzero(occupied):
        elements = content.setdefault(int(leader[row]), {})
        share = elements.setdefault(int(structure.elements[row]), [0.0, 0.0])
        share[0] += structure.occupancies[row]
        share[1] += structure.occupancies[row] * structure.b_iso[row]
    contents = {
        row: tuple((z, o, ob / o) for z, (o, ob) in sorted(elements.items()))
        for row, elements in content.items()
    }
    kept = np.isin(rows, list(contents))
    return positions[kept], [contents[row] for row in rows[kept].tolist()]


def _species(contents: list[_Content]) -> np.ndarray:
    """Number [M] of each atom's pattern of occupancy."""
    seen: dict[tuple, int] = {}
    return np.array(
        [
            seen.setdefault(
                tuple((z, round(o, OCCUPANCY_DECIMALS)) for z, o, _ in content),
                len(seen),
            )
            for content in contents
        ]
    )


def _type_key(number: int, multiplicities: list[list[int]]) -> str:
    """Structure type from the multiplicities of the sites of each species."""
    mirror = space_group(number).enantiomorph
    species = sorted((sum(sites), sorted(sites)) for sites in multiplicities)
    counts = [count for count, _ in species]
    divisor = math.gcd(*counts)
    letters = [chr(ord("A") + i % 26) + "'" * (i // 26) for i in range(len(counts))]
    composition = "".join(
        letter + ("" if count == divisor else str(count // divisor))
        for letter, count in zip(letters, counts, strict=True)
    )
    sites = " ".join("+".join(map(str, sites)) for _, sites in species)
    return f"{min(number, mirror or number)} {composition} {sites}"


def analyse(structure: Structure, symprec: float = 0.01) -> Analysis:
    """Space group, reference setting, Wyckoff letters and structure type of a crystal.

    Args:
        structure: any setting, any cell, ordered or not.
        symprec: how far atoms may lie from where symmetry wants them, angstrom. Rows
            closer than this (at least 0.01) share a site.

    Returns:
        The analysis; each site of its `standard` holds exactly its letter's symmetry.

    Raises:
        InputError: spglib finds no symmetry (atoms overlap, no occupied site).
    """
    positions, contents = _merge_sites(structure, max(symprec, SAME_ATOM))
    if not contents:
        raise InputError(
            f"{structure.name} has no occupied site: expected at least one atom"
        )
    species = _species(contents)
    dataset = find_symmetry(
        structure.lattice, positions, species, symprec, structure.name
    )
    number = dataset.number

    # each atom of the standard cell is the image of some atom that went in
    _, source = np.unique(dataset.mapping_to_primitive, return_index=True)
    source = source[dataset.std_mapping_to_primitive]
    _, first, orbit = np.unique(
        dataset.crystallographic_orbits[source],
        return_index=True,
        return_inverse=True,
    )
    multiplicity = np.bincount(orbit)
    members: dict[int, list[int]] = {}
    rows = []
    for site, atom in enumerate(first):
        members.setdefault(int(species[source[atom]]), []).append(
            int(multiplicity[site])
        )
        rows += [(site, atom, *content) for content in contents[source[atom]]]
    sites, atoms, elements, occupancies, b_iso = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    rotations, translations = reference_operations(number)
    return Analysis(
        space_group=number,
        wyckoff_letters=tuple(dataset.wyckoffs[source[atom]] for atom in atoms),
        multiplicities=tuple(multiplicity[sites].tolist()),
        sites=tuple(sites.tolist()),
        standard=Structure(
            name=structure.name,
            lattice=np.array(dataset.std_lattice),
            positions=np.mod(dataset.std_positions[atoms], 1.0),
            elements=elements,
            occupancies=occupancies,
            b_iso=b_iso,
            rotations=rotations,
            translations=translations,
            space_group=number,
        ),
        type_key=_type_key(number, list(members.values())),
    )


def _analyse_chunk(
    structures: Sequence[Structure], symprec: float
) -> list[Analysis | Failure]:
    """Analyses some crystals; runs in a process of its own too."""
    results: list[Analysis | Failure] = []
    for structure in structures:
        try:
            results.append(analyse(structure, symprec))
        except InputError as error:
            results.append(Failure(structure.name, str(error)))
    return results


def _share_operations(analysis: Analysis) -> Analysis:
    """One copy of a group's operations for all that comes from other processes."""
    rotations, translations = reference_operations(analysis.space_group)
    standard = dataclasses.replace(
        analysis.standard, rotations=rotations, translations=translations
    )
    return dataclasses.replace(analysis, standard=standard)


def analyse_all(
    structures: Sequence[Structure],
    symprec: float = 0.01,
    processes: int | None = None,
    progress: bool = False,
) -> tuple[tuple[Analysis, ...], tuple[Failure, ...]]:
    """Analyses many crystals, on all cores when there are a thousand or more.

    Args:
        structures: as `analyse` takes them.
        symprec: angstrom, see `analyse`.
        processes: how many to use; all cores without it.
        progress: shows a bar.

    Returns:
        The analyses in order, and what spglib could not analyse, with the reason.
    """
    chunks = [structures[i : i + _CHUNK] for i in range(0, len(structures), _CHUNK)]
    processes = min(processes or os.cpu_count() or 1, len(chunks))
    results: list[Analysis | Failure] = []
    with tqdm.tqdm(total=len(structures), unit="crystal", disable=not progress) as bar:

        def collect(parts: Iterable[list[Analysis | Failure]]) -> None:
            for part in parts:
                results.extend(part)
                bar.update(len(part))

        if processes <= 1 or len(structures) < _CRYSTALS_WORTH_PROCESSES:
            collect(_analyse_chunk(chunk, symprec) for chunk in chunks)
        else:
            # spawn: a process with threads, as JAX makes them, must not be forked
            with concurrent.futures.ProcessPoolExecutor(
                processes, multiprocessing.get_context("spawn")
            ) as pool:
                collect(pool.map(_analyse_chunk, chunks, [symprec] * len(chunks)))
    analyses = (_share_operations(r) for r in results if isinstance(r, Analysis))
    return tuple(analyses), tuple(r for r in results if isinstance(r, Failure))


def split_by_type(
    type_keys: Sequence[str], held_out: float = 0.2, seed: int = 0
) -> Bool[np.ndarray, " n"]:
    """Which crystals are held out: whole structure types, by a hash of their keys.

    A type is held out where sha256("seed:key"), read as a number in [0, 1), lies
    below held_out. So the answer for a type depends on no other crystal, and a larger
    share holds out all that a smaller one does.

    Args:
        type_keys: structure type of each crystal.
        held_out: expected share of the types, in [0, 1].
        seed: another seed, another split.

    Returns:
        [n] True where the crystal's type is held out.

    Raises:
        InputError: held_out is no share.
    """
    if not 0 <= held_out <= 1:
        raise InputError(
            f"held_out is {held_out}: expected a share of the structure types, from 0 "
            "to 1, such as 0.2"
        )

    def position(key: str) -> float:
        digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64

    places = {key: position(key) for key in set(type_keys)}
    return np.array([places[key] < held_out for key in type_keys], bool)
