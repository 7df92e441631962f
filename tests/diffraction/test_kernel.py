"""A chunk of crystals against each of them alone."""

import dataclasses

import jax
import numpy as np
import pytest
from examples import general_structure

from xrdjax.crystals.crystal import Crystal, to_crystal
from xrdjax.crystals.textbook import gallery
from xrdjax.diffraction.kernel import Simulation, simulate_chunk, simulation_cost
from xrdjax.diffraction.powder import powder_pattern
from xrdjax.diffraction.reflections import find_reflections
from xrdjax.instrument.diffractometer import PAPER_DIFFRACTOMETER, Diffractometer
from xrdjax.instrument.profiles import profile_grid
from xrdjax.symmetry.space_groups import symmetry

SIMULATION = Simulation(
    Diffractometer(1.5406, 10.0, 60.0, 1001),
    max_volume=1600.0,
    max_elements=4,
    chunk=4,
)
GRID = profile_grid(SIMULATION.diffractometer, *SIMULATION.sizes_nm)
SIZE = 96
SIZES_NM = np.array([20.0, 38.0, 71.0, 100.0], np.float32)
# The roads differ by rounding in another order: 4e-7 here, 2e-5 where XLA fuses
# otherwise and the place of a line is rounded otherwise.
SAME = 3e-5

simulate = jax.jit(simulate_chunk, static_argnames=("simulation",))


def chunk_of(*crystals: Crystal) -> Crystal:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *crystals)


def named(*names: str) -> Crystal:
    return chunk_of(*(to_crystal(gallery(name), SIZE) for name in names))


def row(chunk: Crystal, i: int) -> Crystal:
    return jax.tree.map(lambda leaf: leaf[i], chunk)


def alone(crystal: Crystal, size_nm) -> np.ndarray:
    """Its pattern by `powder_pattern`, on the grid of the simulation."""
    return np.asarray(
        powder_pattern(
            crystal,
            np.float32(size_nm),
            SIMULATION.diffractometer,
            sizes_nm=SIMULATION.sizes_nm,
            max_reflections=1024,
        )
    )


def test_each_crystal_of_a_chunk_has_the_pattern_it_has_alone():
    """From one atom in a small cell to 80 atoms, and 1505 cubic angstrom."""
    chunk = named("copper", "pyrope", "quartz", "kyanite")
    patterns, incomplete = simulate(chunk, SIZES_NM, GRID, SIMULATION)
    assert not incomplete.any()
    for i, size_nm in enumerate(SIZES_NM):
        assert patterns[i].max() == pytest.approx(1.0, abs=1e-6)
        expected = alone(row(chunk, i), size_nm)
        np.testing.assert_allclose(patterns[i], expected, rtol=0, atol=SAME)


def test_partial_occupancies_count_and_displacements_do_not():
    crystal = to_crystal(general_structure(14), SIZE)
    atoms = crystal.occupancies
    partial = crystal.replace(
        occupancies=atoms * np.linspace(0.2, 1.0, SIZE, dtype=np.float32)
    )
    moving = partial.replace(b_iso=np.float32(3.0) * atoms)
    chunk = chunk_of(crystal, partial, moving, crystal)
    patterns, _ = simulate(chunk, np.full(4, 50, np.float32), GRID, SIMULATION)
    assert abs(patterns[1] - patterns[0]).max() > 0.01
    np.testing.assert_array_equal(patterns[2], patterns[1])
    np.testing.assert_allclose(patterns[1], alone(partial, 50), rtol=0, atol=SAME)


def test_company_and_order_change_nothing():
    chunk = named("quartz", "halite", "copper", "iron")
    patterns, _ = simulate(chunk, SIZES_NM, GRID, SIMULATION)
    order = np.array([2, 0, 3, 1])
    turned, _ = simulate(
        jax.tree.map(lambda leaf: leaf[order], chunk), SIZES_NM[order], GRID, SIMULATION
    )
    np.testing.assert_allclose(turned, patterns[order], rtol=0, atol=1e-6)
    large, _ = simulate(
        chunk_of(row(chunk, 0), *[to_crystal(gallery("pyrope"), SIZE)] * 3),
        SIZES_NM,
        GRID,
        SIMULATION,
    )
    np.testing.assert_allclose(large[0], patterns[0], rtol=0, atol=1e-6)


def test_what_has_no_room_is_told_and_leaves_its_company_alone():
    good = to_crystal(gallery("quartz"), SIZE)
    crowded = to_crystal(gallery("kyanite"), SIZE)
    elements = crowded.elements.copy()
    elements[:2] = 26, 27  # a fourth and a fifth element
    triclinic = to_crystal(general_structure(1), SIZE)
    chunk = chunk_of(
        good,
        crowded.replace(elements=elements),
        # four times the largest volume, and edges that no index reaches
        triclinic.replace(lattice=np.float32(3.3) * triclinic.lattice),
        triclinic.replace(lattice=np.diag([3, 900, 3]).astype(np.float32)),
    )
    patterns, incomplete = simulate(chunk, SIZES_NM, GRID, SIMULATION)
    assert incomplete.tolist() == [False, True, True, True]
    assert np.all(np.isfinite(patterns))
    np.testing.assert_allclose(patterns[0], alone(good, 20), rtol=0, atol=SAME)


def test_a_crystal_without_a_line_in_range_has_a_pattern_of_zeros():
    tiny = to_crystal(gallery("iron"), SIZE).replace(
        lattice=np.eye(3, dtype=np.float32)
    )
    chunk = chunk_of(tiny, *[to_crystal(gallery("quartz"), SIZE)] * 3)
    patterns, incomplete = simulate(chunk, SIZES_NM, GRID, SIMULATION)
    assert not incomplete.any()
    np.testing.assert_array_equal(patterns[0], 0)
    np.testing.assert_allclose(patterns.max(axis=1), [0, 1, 1, 1], atol=1e-6)


def test_there_is_room_for_the_largest_triclinic_cell_of_any_shape():
    """7000 cubic angstrom, from a cube to a needle and a plate; half of P1's points."""
    simulation = Simulation()
    assert simulation.max_reflections % 128 == 0
    crystal = to_crystal(general_structure(1), 8)
    for edges in ((19.13, 19.13, 19.13), (3.8, 3.8, 485), (60, 60, 1.95), (9, 9, 86)):
        lattice = np.diag(edges).astype(np.float32)
        assert np.prod(edges) > 6900
        found = find_reflections(
            crystal.replace(lattice=lattice),
            PAPER_DIFFRACTOMETER.s_range,
            simulation.max_reflections,
        )
        assert not found.overflow
        assert found.count > 9000


def test_cost_grows_with_the_work():
    """Twice the volume, twice the atoms and half the symmetry make a crystal dearer."""

    def cost(number, edge, atoms):
        lattice = np.float32(edge) * np.eye(3, dtype=np.float32)
        return float(
            simulation_cost(lattice, symmetry(number), atoms, PAPER_DIFFRACTOMETER)
        )

    assert cost(2, 6.0, 10) < cost(2, 6.0, 20) < cost(2, 12.0, 20) < cost(2, 12.0, 99)
    assert cost(221, 12.0, 20) < cost(47, 12.0, 20) < cost(2, 12.0, 20)


def test_equal_simulations_are_one_static_argument():
    assert hash(dataclasses.replace(SIMULATION)) == hash(SIMULATION)
    assert dataclasses.replace(SIMULATION) == SIMULATION
    assert dataclasses.replace(SIMULATION, chunk=5) != SIMULATION
