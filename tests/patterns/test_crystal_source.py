"""Training patterns of known crystals: each its own, drawn alike, of fresh sizes."""

import dataclasses

import jax
import numpy as np
import pytest

from xrdjax.crystals.structure_types import analyse
from xrdjax.crystals.textbook import gallery_structures
from xrdjax.diffraction.kernel import Simulation
from xrdjax.errors import InputError
from xrdjax.instrument.diffractometer import Diffractometer
from xrdjax.instrument.profiles import profile_grid
from xrdjax.known.variations import (
    Variation,
    exchanged_elements,
    strained_lattice,
)
from xrdjax.patterns.crystal_source import crystal_patterns, crystal_table, room_for
from xrdjax.patterns.pipeline import patterns_of_structures

BATCH = 50
# Programs that fuse otherwise round the place of a line otherwise: 5e-5 was seen.
SAME = 2e-4
SIMULATION = Simulation(
    Diffractometer(1.5406, 10.0, 60.0, 501), max_elements=1, chunk=8
)
GRID = profile_grid(SIMULATION.diffractometer, *SIMULATION.sizes_nm)


@pytest.fixture(scope="module")
def structures():
    """Large and small ones of the gallery, and one with two elements on a site."""
    structures = [analyse(s).standard for s in gallery_structures().values()][::3]
    mixed = structures[0]
    # two elements on one place are two atoms
    return [
        *structures,
        dataclasses.replace(
            mixed,
            positions=np.repeat(mixed.positions, 2, axis=0),
            elements=np.repeat(mixed.elements, 2) + np.tile([0, 1], len(mixed.b_iso)),
            occupancies=np.tile([0.3, 0.6], len(mixed.b_iso)),
            b_iso=np.repeat(mixed.b_iso, 2),
        ),
    ]


@pytest.fixture(scope="module")
def table(structures):
    return crystal_table(structures, np.arange(len(structures)))


@pytest.fixture(scope="module")
def draw(table):
    """Draws a batch of a key, with the crystal's own number as its label."""
    simulation, max_atoms = room_for(table, SIMULATION)

    @jax.jit
    def draw(key, table):
        return crystal_patterns(key, table, GRID, BATCH, simulation, max_atoms)

    return lambda key: jax.device_get(draw(key, table))


def test_each_pattern_is_that_of_its_crystal_and_size(draw, structures):
    patterns, labels, counts = draw(jax.random.key(3))
    _, size_key, _ = jax.random.split(jax.random.key(3), 3)
    sizes_nm = jax.random.uniform(size_key, (BATCH,), minval=20.0, maxval=100.0)
    expected = patterns_of_structures(
        [structures[i] for i in labels], SIMULATION, np.asarray(sizes_nm)
    )
    np.testing.assert_allclose(patterns, expected, rtol=0, atol=SAME)
    assert counts == {"incomplete": 0}


def test_a_crystal_that_comes_up_again_has_another_size(draw):
    patterns, labels, _ = draw(jax.random.key(3))
    order = np.argsort(labels, kind="stable")
    again = np.flatnonzero(np.diff(labels[order]) == 0)
    assert len(again) > 5
    for i in again:
        difference = patterns[order[i]] - patterns[order[i + 1]]
        assert np.abs(difference).max() > 10 * SAME


def test_every_crystal_is_as_likely_as_any_other(draw, table):
    n = len(table.labels)
    drawn = np.concatenate([draw(jax.random.key(i))[1] for i in range(60)])
    counts = np.bincount(drawn, minlength=n)
    mean = 60 * BATCH / n
    # five standard deviations of a binomial
    assert np.abs(counts - mean).max() < 5 * mean**0.5


def varied(structure, row, key, table, variation):
    """A crystal as it comes from the key of its place in a batch."""
    strain_key, exchange_key = jax.random.split(key)
    symmetry = jax.tree.map(lambda x: x[table.space_groups[row]], table.symmetry)
    lattice = strained_lattice(
        strain_key, table.lattices[row], symmetry, variation.strain
    )
    become = exchanged_elements(exchange_key, table.numbers, variation.exchange)
    return dataclasses.replace(
        structure,
        lattice=np.asarray(lattice, float),
        elements=np.asarray(become)[structure.elements],
    )


def test_varied_crystals_have_the_patterns_of_their_cells_and_elements(
    table, structures
):
    variation = Variation(strain=0.02, exchange=0.5)
    simulation, max_atoms = room_for(table, SIMULATION)
    draw = jax.jit(crystal_patterns, static_argnums=(3, 4, 5, 6))
    key = jax.random.key(5)
    patterns, labels, counts = jax.device_get(
        draw(key, table, GRID, BATCH, simulation, max_atoms, variation)
    )
    assert counts == {"incomplete": 0}
    _, size_key, variation_key = jax.random.split(key, 3)
    sizes_nm = jax.random.uniform(size_key, (BATCH,), minval=20.0, maxval=100.0)
    keys = jax.random.split(variation_key, BATCH)
    crystals = [
        varied(structures[row], row, key, table, variation)
        for row, key in zip(labels, keys, strict=True)
    ]
    expected = patterns_of_structures(crystals, SIMULATION, np.asarray(sizes_nm))
    # strained outside the compiled program, the cells are rounded otherwise too
    np.testing.assert_allclose(patterns, expected, rtol=0, atol=5 * SAME)
    exchanged = [
        np.any(crystal.elements != structures[row].elements)
        for row, crystal in zip(labels, crystals, strict=True)
    ]
    assert 0.2 * BATCH < sum(exchanged) < 0.8 * BATCH


def test_a_cell_that_strain_makes_too_large_stays_as_it_is_known(structures):
    structure = structures[0]
    table = crystal_table([structure], np.zeros(1, int))
    draw = jax.jit(crystal_patterns, static_argnums=(3, 4, 5, 6))
    sizes = (50.0, 50.001)
    grid = profile_grid(SIMULATION.diffractometer, *sizes)

    def different(max_volume):
        simulation = dataclasses.replace(
            SIMULATION, max_volume=max_volume, max_elements=2, sizes_nm=sizes
        )
        arguments = (jax.random.key(0), table, grid, BATCH, simulation)
        room = int(table.atoms[0])
        known, _, _ = draw(*arguments, room, Variation())
        strained, _, _ = draw(*arguments, room, Variation(strain=0.02))
        return np.any(np.abs(strained - known) > SAME, axis=1)

    assert np.all(different(10 * structure.volume))
    # about half of all strained cells are larger than the known one
    assert 0.2 * BATCH < np.sum(different(1.0001 * structure.volume)) < 0.8 * BATCH


def test_the_key_decides_everything(draw):
    first, again, other = map(draw, map(jax.random.key, (3, 3, 4)))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert np.any(first[1] != other[1])


def test_atoms_are_looked_up_by_row_and_no_other_crystals_are_taken(structures, table):
    assert table.atoms.sum() == len(table.elements) == len(table.positions)
    np.testing.assert_array_equal(np.cumsum(table.atoms)[:-1], table.first[1:])
    assert np.all(table.occupancies > 0)
    simulation, max_atoms = room_for(table, SIMULATION)
    assert max_atoms == table.atoms.max() > 64  # more than one block of atoms
    most = max(len(set(s.elements.tolist())) for s in structures)
    assert simulation.max_elements == most


def test_no_crystals_are_refused():
    with pytest.raises(InputError, match="no crystals to train on"):
        crystal_table([], np.zeros(0, int))
