"""Occupied Wyckoff positions and their atoms, in every group and on the way to files."""

import gemmi
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from examples import general_lattice
from oracles.adapters import atoms_of, structure_from_gemmi

from xrdjax.crystals.cif import write_cif
from xrdjax.crystals.crystal import to_crystal
from xrdjax.prior.sites import (
    Sites,
    atoms_of_sites,
    site_multiplicities,
    sites_to_crystal,
    sites_to_structure,
)
from xrdjax.symmetry.search import find_symmetry
from xrdjax.symmetry.space_groups import SPACE_GROUPS, space_group
from xrdjax.symmetry.wyckoff import wyckoff_positions

LETTERS = 27
ATOMS = 640  # more than all Wyckoff positions of any group hold together
SIZE = 256  # atoms that a crystal is padded to


@pytest.fixture(scope="module")
def all_positions(prior):
    """Sites on every Wyckoff position of every group, and their atoms."""
    rng = np.random.default_rng(0)
    count = len(SPACE_GROUPS)
    elements = np.zeros((count, LETTERS), np.int32)
    for i in range(count):
        elements[i, : len(wyckoff_positions(i + 1))] = 26
    sites = Sites(
        group_row=np.zeros(count, np.int32),
        space_group=np.arange(1, count + 1, dtype=np.int32),
        lattice=np.array([general_lattice(n + 1) for n in range(count)], np.float32),
        elements=elements,
        letters=np.tile(np.arange(LETTERS, dtype=np.int32), (count, 1)),
        coordinates=rng.random((count, LETTERS, 3)).astype(np.float32),
    )
    place = jax.jit(jax.vmap(atoms_of_sites, in_axes=(0, None, None)))
    atoms = place(sites, prior, jnp.arange(ATOMS))
    return sites, *map(np.asarray, atoms)


@pytest.fixture(scope="module")
def sampled(batch, prior) -> list[Sites]:
    """Crystals of many groups, of up to 128 atoms."""
    multiplicities = jax.jit(jax.vmap(site_multiplicities, in_axes=(0, None)))
    atoms = np.asarray(multiplicities(batch.sites, prior)).sum(axis=1)
    chosen = np.flatnonzero(atoms <= SIZE // 2)[::25]
    assert len(chosen) >= 32
    return [
        jax.tree.map(lambda leaf, i=i: leaf[i], batch.sites) for i in chosen.tolist()
    ]


@pytest.fixture(scope="module")
def place(prior):
    """The atoms of one crystal, padded to SIZE; one program for all."""
    return jax.jit(lambda one: sites_to_crystal(one, prior, SIZE))


def separations(lattice, centring, first, second) -> np.ndarray:
    """Distances [N, M] of atoms to atoms, the nearest of all lattice translations."""
    steps = first[:, None, None] - second[None, :, None] - centring
    steps -= np.round(steps)
    return np.linalg.norm(steps @ lattice, axis=-1).min(axis=-1)


def test_every_position_has_as_many_atoms_as_its_multiplicity(all_positions):
    _, positions, elements = all_positions
    for i, group in enumerate(SPACE_GROUPS):
        wyckoff = wyckoff_positions(group.number)
        counts = [p.multiplicity // len(group.centring_vectors) for p in wyckoff]
        assert np.all(elements[i, : sum(counts)] == 26)
        assert np.all(elements[i, sum(counts) :] == 0), "there is nothing after them"
        lattice = general_lattice(group.number)
        for first, count in zip(np.cumsum(counts) - counts, counts, strict=True):
            atoms = positions[i, first : first + count].astype(float)
            apart = separations(lattice, group.centring_vectors, atoms, atoms)
            assert np.all(apart[~np.eye(count, dtype=bool)] > 1e-3)


def test_operations_of_the_group_take_the_atoms_of_a_site_to_one_another(all_positions):
    _, positions, _ = all_positions
    for i, group in enumerate(SPACE_GROUPS):
        wyckoff = wyckoff_positions(group.number)
        counts = [p.multiplicity // len(group.centring_vectors) for p in wyckoff]
        lattice = general_lattice(group.number)
        for first, count in zip(np.cumsum(counts) - counts, counts, strict=True):
            atoms = positions[i, first : first + count].astype(float)
            images = atoms @ group.rotations.transpose(0, 2, 1).astype(float)
            images = (images + group.translations[:, None]).reshape(-1, 3)
            distances = separations(lattice, group.centring_vectors, images, atoms)
            assert distances.min(axis=1).max() < 1e-5


def test_any_atoms_can_be_asked_for_in_any_order(all_positions, prior):
    sites, positions, elements = all_positions
    one = jax.tree.map(lambda leaf: leaf[224], sites)
    order = np.random.default_rng(1).permutation(ATOMS)[:100]
    some = jax.jit(atoms_of_sites)(one, prior, jnp.asarray(order))
    np.testing.assert_array_equal(some[1], elements[224][order])
    real = elements[224][order] > 0
    np.testing.assert_allclose(some[0][real], positions[224][order][real], atol=1e-6)


def test_padding_of_a_crystal_is_inert(sampled, place):
    one = sampled[0]
    crystal = place(one)
    real = np.asarray(crystal.elements) > 0
    assert 0 < real.sum() < SIZE
    assert np.all(real[: real.sum()]), "padding is at the end"
    np.testing.assert_array_equal(crystal.occupancies, real)
    assert crystal.b_iso is None, "the atoms are at rest"


def test_crystal_has_the_operations_of_its_group(sampled, place):
    for one in sampled[:5]:
        group = space_group(int(one.space_group))
        symmetry = place(one).symmetry
        order = len(group.rotations)
        assert symmetry.order == order
        np.testing.assert_array_equal(symmetry.rotations[:order], group.rotations)
        np.testing.assert_allclose(symmetry.translations[:order], group.translations)


def test_structure_of_a_sampled_crystal_has_the_same_atoms(sampled, place):
    for one in sampled:
        structure = sites_to_structure(one, "sampled")
        ours, theirs = place(one), to_crystal(structure)
        np.testing.assert_allclose(
            structure.lattice @ structure.lattice.T,
            one.lattice @ one.lattice.T,
            rtol=1e-5,
            atol=2e-3,
        )
        count = int(np.sum(np.asarray(ours.elements) > 0))
        assert len(theirs.elements) == count
        distances = separations(
            structure.lattice,
            space_group(structure.space_group).centring_vectors,
            np.asarray(ours.positions[:count], float),
            theirs.positions.astype(float),
        )
        nearest = distances.argmin(axis=1)
        assert distances.min(axis=1).max() < 1e-4
        assert sorted(nearest.tolist()) == list(range(count))
        np.testing.assert_array_equal(
            np.asarray(ours.elements)[:count], theirs.elements[nearest]
        )


def test_right_angles_and_equal_edges_of_a_structure_are_exact(sampled):
    for one in sampled:
        structure = sites_to_structure(one, "sampled")
        cell = np.round(structure.unit_cell, 9)
        system = space_group(structure.space_group).lattice_system
        if system in ("orthorhombic", "tetragonal", "cubic"):
            assert cell[3:].tolist() == [90, 90, 90]
        if system in ("tetragonal", "rhombohedral", "hexagonal", "cubic"):
            assert cell[0] == cell[1]
        if system in ("rhombohedral", "hexagonal"):
            assert cell[3:].tolist() == [90, 90, 120]
        if system == "monoclinic":
            assert (cell[3], cell[5]) == (90, 90)


def test_file_of_a_sampled_crystal_is_read_as_the_same_group_by_gemmi(sampled):
    for one in sampled:
        structure = sites_to_structure(one, "sampled")
        block = gemmi.cif.read_string(write_cif(structure)).sole_block()
        small = gemmi.make_small_structure_from_block(block)
        assert small.spacegroup.number == one.space_group
        assert small.spacegroup.is_reference_setting()
        assert len(small.sites) == len(structure.elements)


def test_atoms_in_the_file_of_a_sampled_crystal_have_the_same_group_to_spglib(sampled):
    """The file has sites and operations; the atoms are expanded without the package."""
    for one in sampled:
        text = write_cif(sites_to_structure(one, "sampled"))
        block = gemmi.cif.read_string(text).sole_block()
        structure = structure_from_gemmi(gemmi.make_small_structure_from_block(block))
        atoms = atoms_of(structure, tolerance=1e-3)
        found = find_symmetry(
            atoms.lattice, atoms.positions, atoms.elements, 1e-3, "sampled"
        )
        assert found.space_group == one.space_group
