"""Structures expanded to atoms, and padded crystals."""

import dataclasses

import gemmi
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import for_each

from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.crystal import (
    Structure,
    expand_sites,
    split_centring,
    to_crystal,
)
from xrdjax.crystals.elements import IT92, SYMBOLS
from xrdjax.errors import InputError
from xrdjax.symmetry.operations import parse_operations
from xrdjax.symmetry.space_groups import SPACE_GROUPS, symmetry

AVOGADRO = 0.602214076  # 1e24 / mol: angstrom^3 to cm^3

# Name, group, cell, symbols, sites, formula, atoms in the cell, density in g/cm^3.
# Deer, Howie & Zussman, An Introduction to the Rock-Forming Minerals (1992); CRC.
TEXTBOOK = [
    ("halite", 225, (5.640, 5.640, 5.640, 90, 90, 90), ["Na", "Cl"])
    + ([(0, 0, 0), (0.5, 0.5, 0.5)], "ClNa", 8, 2.165),
    ("diamond", 227, (3.567, 3.567, 3.567, 90, 90, 90), ["C"])
    + ([(1 / 8, 1 / 8, 1 / 8)], "C", 8, 3.515),
    ("fluorite", 225, (5.463, 5.463, 5.463, 90, 90, 90), ["Ca", "F"])
    + ([(0, 0, 0), (0.25, 0.25, 0.25)], "CaF2", 12, 3.18),
    ("rutile", 136, (4.594, 4.594, 2.959, 90, 90, 90), ["Ti", "O"])
    + ([(0, 0, 0), (0.305, 0.305, 0)], "O2Ti", 6, 4.25),
    ("tausonite", 221, (3.905, 3.905, 3.905, 90, 90, 90), ["Sr", "Ti", "O"])
    + ([(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)], "O3SrTi", 5, 5.12),
    ("quartz", 154, (4.913, 4.913, 5.405, 90, 90, 120), ["Si", "O"])
    + ([(0.4697, 0, 2 / 3), (0.4135, 0.2669, 0.7858)], "O2Si", 9, 2.65),
    ("corundum", 167, (4.759, 4.759, 12.993, 90, 90, 120), ["Al3+", "O2-"])
    + ([(0, 0, 0.3522), (0.3063, 0, 0.25)], "Al2O3", 30, 3.98),
    ("spinel", 227, (8.083, 8.083, 8.083, 90, 90, 90), ["Mg", "Al", "O"])
    + (
        [(1 / 8, 1 / 8, 1 / 8), (0.5, 0.5, 0.5), (0.2624, 0.2624, 0.2624)],
        *("Al2MgO4", 56, 3.58),
    ),
    ("magnesium", 194, (3.209, 3.209, 5.211, 90, 90, 120), ["Mg"])
    + ([(1 / 3, 2 / 3, 1 / 4)], "Mg", 2, 1.738),
]


def _cell(system: str) -> tuple[float, ...]:
    """A cell of a lattice system, without accidental symmetry."""
    return {
        "triclinic": (6.1, 7.3, 8.9, 81.0, 97.0, 103.0),
        "monoclinic": (6.1, 7.3, 8.9, 90.0, 103.0, 90.0),
        "orthorhombic": (6.1, 7.3, 8.9, 90.0, 90.0, 90.0),
        "tetragonal": (6.1, 6.1, 8.9, 90.0, 90.0, 90.0),
        "rhombohedral": (6.1, 6.1, 11.9, 90.0, 90.0, 120.0),
        "hexagonal": (6.1, 6.1, 11.9, 90.0, 90.0, 120.0),
        "cubic": (11.3, 11.3, 11.3, 90.0, 90.0, 90.0),
    }[system]


def _example(number: int) -> Structure:
    """One atom on the origin, most special, and one in general position."""
    group = SPACE_GROUPS[number - 1]
    return structure_from_sites(
        f"group {number}",
        number,
        _cell(group.lattice_system),
        ["Fe", "O"],
        [(0, 0, 0), (0.137, 0.071, 0.219)],
    )


def _structure_factors(crystal, h: np.ndarray) -> np.ndarray:
    """F(h) at s = 0.2 of all atoms modulo centring; padding takes part as it is."""
    a, b, c = IT92[:, :4], IT92[:, 4:8], IT92[:, 8]
    f = np.sum(a * np.exp(-b * 0.2**2), axis=1) + c
    phases = np.exp(2j * np.pi * h @ crystal.positions.astype(float).T)
    return phases @ (crystal.occupancies * f[crystal.elements])


@for_each("row", TEXTBOOK, name=lambda row: row[0])
def test_textbook_crystals_have_their_formula_and_density(row):
    name, number, cell, symbols, positions, formula, atoms, density = row
    structure = structure_from_sites(name, number, cell, symbols, positions)
    _, sites = expand_sites(structure)
    assert structure.formula == formula
    assert len(sites) == atoms
    weights = [gemmi.Element(SYMBOLS[z]).weight for z in structure.elements[sites]]
    measured = sum(weights) / (AVOGADRO * structure.volume)
    assert measured == pytest.approx(density, rel=0.005)
    assert structure.unit_cell == pytest.approx(cell)
    assert structure.is_ordered


@for_each("number", range(1, 231))
def test_primitive_atoms_times_centring_are_the_conventional_atoms(number):
    structure = _example(number)
    crystal = to_crystal(structure)
    positions, _ = expand_sites(structure)
    centring = crystal.symmetry.centring[: crystal.symmetry.centring_order]
    assert len(crystal.elements) * len(centring) == len(positions)
    # as sets, too: every atom of the cell is a primitive one, moved by a centring
    moved = (crystal.positions[:, None] + centring[None]).reshape(-1, 3)
    steps = positions[:, None] - moved[None]
    distances = np.linalg.norm(steps - np.round(steps), axis=-1)
    assert np.all(np.sum(distances < 1e-4, axis=1) == 1)


@for_each("number", range(1, 231))
def test_multiplicities_of_special_positions_are_those_of_gemmi(number):
    structure = _example(number)
    group = next(
        g
        for g in gemmi.spacegroup_table()
        if g.number == number and g.is_reference_setting()
    )
    oracle = gemmi.Structure()
    oracle.cell = gemmi.UnitCell(*structure.unit_cell)
    oracle.spacegroup_hm = group.xhm()
    oracle.setup_cell_images()
    expected = [
        len(group.operations())
        // (
            1
            + oracle.cell.is_special_position(
                gemmi.Fractional(*position), max_dist=0.01
            )
        )
        for position in structure.positions
    ]
    _, sites = expand_sites(structure)
    assert np.bincount(sites).tolist() == expected


@for_each("number", range(1, 231))
def test_the_symmetry_of_a_crystal_is_that_of_its_group(number):
    def operations(s):
        rows = np.column_stack(
            [
                np.reshape(s.rotations, (48, 9)),
                np.round(24 * s.translations).astype(int),
            ]
        )
        return sorted(rows[: s.order].tolist()), rows[s.order :].any()

    own, reference = to_crystal(_example(number)).symmetry, symmetry(number)
    assert operations(own) == operations(reference)
    assert not operations(own)[1]
    np.testing.assert_array_equal(own.rotations[0], np.eye(3))
    assert own.centring_order == reference.centring_order
    np.testing.assert_allclose(
        np.unique(own.centring, axis=0), np.unique(reference.centring, axis=0)
    )
    assert not own.centring[0].any()


@for_each("number", (2, 62, 167, 225, 227, 230))
def test_padding_scatters_nothing(number):
    h = np.array([(1, 1, 1), (2, 0, 0), (2, 2, 0), (3, 1, -1), (4, 0, 2)])
    structure = _example(number)
    bare = to_crystal(structure, displacements=True)
    size = len(bare.elements) + 7
    padded = to_crystal(structure, size, displacements=True)
    for field in ("positions", "elements", "occupancies", "b_iso"):
        assert not getattr(padded, field)[-7:].any()
    np.testing.assert_allclose(
        _structure_factors(padded, h), _structure_factors(bare, h), atol=1e-9
    )
    assert np.any(np.abs(_structure_factors(bare, h)) > 1)


def test_padded_crystals_of_different_size_make_one_batch_under_jit():
    crystals = [to_crystal(_example(number), size=60) for number in (1, 62, 225)]
    batch = jax.tree.map(lambda *leaves: jnp.stack(leaves), *crystals)
    electrons = jax.jit(
        jax.vmap(lambda c: jnp.sum(c.occupancies.astype(int) * c.elements))
    )(batch)
    expected = [c.elements.sum() for c in crystals]
    np.testing.assert_array_equal(electrons, expected)
    assert batch.positions.dtype == jnp.float32
    assert batch.elements.dtype == batch.symmetry.rotations.dtype == jnp.int32


def test_a_crystal_that_does_not_fit_the_size_is_an_error():
    with pytest.raises(InputError, match="has 2 atoms in its primitive cell.*got 1"):
        to_crystal(
            structure_from_sites(
                "halite",
                225,
                (5.64, 5.64, 5.64, 90, 90, 90),
                ["Na", "Cl"],
                [(0, 0, 0), (0.5, 0.5, 0.5)],
            ),
            size=1,
        )


def test_a_doubled_cell_keeps_all_its_centring_vectors():
    # face-centred with c doubled: 8 lattice points, more than any standard setting
    halves = ["x,y,z", "x,y+1/2,z+1/4", "x+1/2,y,z+1/4", "x+1/2,y+1/2,z"]
    triplets = halves + [triplet + "+1/2" for triplet in halves]
    operations = parse_operations(tuple(triplets))
    structure = dataclasses.replace(
        _example(1),
        rotations=operations.rotations,
        translations=operations.translations,
    )
    crystal = to_crystal(structure)
    assert crystal.symmetry.centring.shape == (8, 3)
    assert crystal.symmetry.centring_order == 8
    assert crystal.symmetry.order == 1
    assert len(crystal.elements) == 2
    assert len(expand_sites(structure)[0]) == 16


@pytest.mark.parametrize(
    "triplets",
    [("-x,-y,-z",), ("x,y,z", "x+1/2,y,z", "-x,-y,-z"), ("x,y,z+1/2", "-x,-y,-z")],
)
def test_operations_that_are_not_a_group_are_an_error(triplets):
    operations = parse_operations(triplets)
    with pytest.raises(InputError, match="form no group"):
        split_centring(operations.rotations, operations.translations)


def test_partly_filled_sites_count_in_part():
    wustite = structure_from_sites(
        "wustite",
        225,
        (4.3, 4.3, 4.3, 90, 90, 90),
        ["Fe", "O"],
        [(0, 0, 0), (0.5, 0.5, 0.5)],
        occupancies=[0.945, 1.0],
        b_iso=[0.5, 0.7],
    )
    assert wustite.formula == "Fe0.945O"
    assert not wustite.is_ordered
    crystal = to_crystal(wustite, displacements=True)
    np.testing.assert_allclose(crystal.occupancies, [0.945, 1.0], rtol=1e-6)
    np.testing.assert_allclose(crystal.b_iso, [0.5, 0.7], rtol=1e-6)
    assert to_crystal(wustite).b_iso is None


def test_carbon_and_hydrogen_come_first_in_the_formula_of_a_carbon_compound():
    ice = structure_from_sites(
        "methane", 1, (4.0, 4.0, 4.0, 90, 90, 90), ["N", "H", "C"], np.eye(3) * 0.4
    )
    assert ice.formula == "CHN"
