"""Random crystals as occupied Wyckoff positions, and their atoms."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from xrdjax.crystals.asymmetric_unit import lattice_from_cell
from xrdjax.crystals.crystal import Crystal, Structure
from xrdjax.crystals.lattices import parameters_from_lattice, symmetric_lattice
from xrdjax.prior.prior import Prior
from xrdjax.symmetry.search import reference_operations
from xrdjax.symmetry.space_groups import space_group
from xrdjax.symmetry.wyckoff import wyckoff_positions


@struct.dataclass
class Sites:
    """A random crystal: its occupied Wyckoff positions, padded to S.

    Attributes:
        group_row: [] row of the space group in the statistics.
        space_group: [] its number.
        lattice: [3, 3] conventional vectors a, b, c, angstrom.
        elements: [S] atomic numbers, one element after the other; 0 on padding.
        letters: [S] Wyckoff letters, 0 for "a".
        coordinates: [S, 3] free coordinates x, y, z of each site.
    """

    group_row: Int[Array, ""]
    space_group: Int[Array, ""]
    lattice: Float[Array, "3 3"]
    elements: Int[Array, " S"]
    letters: Int[Array, " S"]
    coordinates: Float[Array, "S 3"]


def site_multiplicities(sites: Sites, prior: Prior) -> Int[Array, " S"]:
    """Atoms of each site in the primitive cell; 0 on padding.

    Args:
        sites: one random crystal.
        prior: tables.
    """
    table = jnp.asarray(prior.wyckoff.primitive_multiplicity)[sites.space_group]
    return jnp.where(sites.elements > 0, table[sites.letters], 0)


def atoms_of_sites(
    sites: Sites, prior: Prior, index: Int[Array, " A"]
) -> tuple[Float[Array, "A 3"], Int[Array, " A"]]:
    """Atoms of the primitive cell by their index, in the order of the sites.

    Args:
        sites: one random crystal.
        prior: tables.
        index: [A] indices of atoms, from 0.

    Returns:
        Fractional positions [A, 3] and atomic numbers [A]; 0 past the last atom.
    """
    wyckoff = prior.wyckoff
    multiplicities = site_multiplicities(sites, prior)
    ends = jnp.cumsum(multiplicities)
    site = jnp.sum(ends[None] <= index[:, None], axis=1)
    inside = index < ends[-1]
    site = jnp.where(inside, site, 0)
    first = jnp.asarray(wyckoff.first_map)[sites.space_group, sites.letters[site]]
    image = index - (ends - multiplicities)[site]
    maps = jnp.asarray(wyckoff.maps)[first + jnp.where(inside, image, 0)]
    free = sites.coordinates[site]
    # term by term: a matrix product may round coordinates to bfloat16
    positions = jnp.sum(maps[..., :3] * free[:, None], axis=-1) + maps[..., 3]
    return positions, jnp.where(inside, sites.elements[site], 0)


def sites_to_crystal(sites: Sites, prior: Prior, max_atoms: int) -> Crystal:
    """The atoms of one random crystal, padded to N = max_atoms.

    Args:
        sites: one random crystal (vmap over a batch).
        prior: tables.
        max_atoms: atoms N; Limits.max_atoms is enough for any draw.
    """
    positions, elements = atoms_of_sites(sites, prior, jnp.arange(max_atoms))
    return Crystal(
        lattice=sites.lattice,
        positions=positions,
        elements=elements,
        occupancies=(elements > 0).astype(jnp.float32),
        symmetry=jax.tree.map(
            lambda x: jnp.asarray(x)[sites.space_group], prior.symmetry
        ),
    )


def sites_to_structure(sites: Sites, name: str) -> Structure:
    """One random crystal as a structure, for files and tables; on the host.

    The cell is rounded to 1e-5 angstrom and degrees, and obeys the symmetry of the
    group exactly.

    Args:
        sites: one random crystal with concrete values.
        name: of the structure.
    """
    number = int(sites.space_group)
    group, wyckoff = space_group(number), wyckoff_positions(number)
    occupied = np.flatnonzero(np.asarray(sites.elements))
    free = np.asarray(sites.coordinates, float)[occupied]
    letters = np.asarray(sites.letters)[occupied]
    positions = [
        wyckoff[letter].maps[0] @ [*x, 1.0]
        for letter, x in zip(letters, free, strict=True)
    ]
    # float32 does not hold right angles exactly
    lattice = symmetric_lattice(np.asarray(sites.lattice), group.rotations)
    cell = parameters_from_lattice(lattice)
    cell[3:] = np.rad2deg(cell[3:])
    all_rotations, translations = reference_operations(number)
    return Structure(
        name=name,
        lattice=lattice_from_cell(np.round(cell, 5)),
        positions=np.array(positions),
        elements=np.asarray(sites.elements)[occupied],
        occupancies=np.ones(len(occupied)),
        b_iso=np.zeros(len(occupied)),
        rotations=all_rotations,
        translations=translations,
        space_group=number,
    )
