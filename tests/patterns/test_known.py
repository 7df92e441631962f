"""Training patterns of known crystals: each its own, all equally often, varied if asked."""

import dataclasses

import jax
import numpy as np
import pytest

from xrdjax.crystals.lattices import (
    lattice_from_parameters,
    parameters_from_lattice,
)
from xrdjax.crystals.structure_types import analyse
from xrdjax.crystals.textbook import gallery_structures
from xrdjax.errors import InputError
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.measurement import make_measurement
from xrdjax.instrument.specimen import SpecimenRanges
from xrdjax.known.variations import Variation
from xrdjax.patterns.known import KnownSource, crystal_table, make_known_source
from xrdjax.patterns.structures import patterns_of_structures

BATCH = 50
GRID = TwoThetaGrid(10.0, 60.0, 501)
# One size, so that patterns differ by their crystals only.
SIZE_NM = 50.0
ONE_SIZE = make_measurement(GRID, specimens=SpecimenRanges((SIZE_NM, SIZE_NM)))
# Programs that fuse otherwise round the place of a line otherwise: 5e-5 was seen.
SAME = 2e-4

_sample = jax.jit(lambda key, source: source.sample(key, BATCH))
# Nothing is simulated, as the compiler drops what is not returned.
_targets = jax.jit(lambda key, source: source.sample(key, BATCH).targets)


def sample(source: KnownSource, seed: int):
    return jax.device_get(_sample(jax.random.key(seed), source))


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
    """The index of each crystal takes the place of its group's row."""
    return crystal_table(structures, np.arange(len(structures)))


@pytest.fixture(scope="module")
def source(table) -> KnownSource:
    return make_known_source(table, ONE_SIZE, 7000.0, chunk=8)


def test_each_pattern_is_that_of_its_crystal(source, structures):
    batch = sample(source, 3)
    chosen = [structures[i] for i in batch.targets.group_rows]
    expected = patterns_of_structures(chosen, ONE_SIZE, SIZE_NM)
    np.testing.assert_allclose(batch.patterns, expected, rtol=0, atol=SAME)
    cells = [parameters_from_lattice(structure.lattice) for structure in chosen]
    np.testing.assert_allclose(batch.targets.unit_cells, cells, rtol=1e-5)
    assert all(count == 0 for count in batch.counts.values())


def test_a_crystal_that_comes_up_again_is_measured_afresh(table):
    source = make_known_source(table, make_measurement(GRID), 7000.0, chunk=8)
    batch = sample(source, 3)
    order = np.argsort(batch.targets.group_rows, kind="stable")
    again = np.flatnonzero(np.diff(batch.targets.group_rows[order]) == 0)
    assert len(again) > 5
    for i in again:
        difference = batch.patterns[order[i]] - batch.patterns[order[i + 1]]
        assert np.abs(difference).max() > 10 * SAME


def test_every_crystal_is_as_likely_as_any_other(source, table):
    n = len(table.group_rows)
    rows = np.concatenate([sample(source, i).targets.group_rows for i in range(60)])
    counts = np.bincount(rows, minlength=n)
    mean = 60 * BATCH / n
    # five standard deviations of a binomial
    assert np.abs(counts - mean).max() < 5 * mean**0.5


def test_displacement_factors_count_if_they_are_kept(structures):
    """Of crystals that have some."""
    moving = [
        dataclasses.replace(s, b_iso=np.linspace(0.5, 4.0, len(s.b_iso)))
        for s in structures
    ]
    table = crystal_table(moving, np.arange(len(moving)), displacements=True)
    batch = sample(make_known_source(table, ONE_SIZE, 7000.0, chunk=8), 3)
    chosen = [moving[i] for i in batch.targets.group_rows]
    damped, plain = (
        patterns_of_structures(chosen, ONE_SIZE, SIZE_NM, displacements=kept)
        for kept in (True, False)
    )
    np.testing.assert_allclose(batch.patterns, damped, rtol=0, atol=SAME)
    assert np.all(np.abs(damped - plain).max(axis=1) > 10 * SAME)


@pytest.fixture(scope="module")
def varied(table):
    """A batch of strained cells, half of them of exchanged elements."""
    variation = Variation(strain=0.02, exchange=0.5)
    return sample(make_known_source(table, ONE_SIZE, 7000.0, variation, chunk=8), 5)


def test_strained_cells_keep_their_lattice_system(varied, structures):
    """Angles of 90 and 120 degrees stay, and equal edges stay equal."""
    rows, cells = varied.targets.group_rows, varied.targets.unit_cells
    for row, cell in zip(rows, cells, strict=True):
        known = parameters_from_lattice(structures[row].lattice)
        ratio = cell[:3] / known[:3]
        assert 1e-4 < np.abs(ratio - 1).max() < 0.12
        for fixed in (np.pi / 2, 2 * np.pi / 3):
            same = np.abs(known[3:] - fixed) < 1e-6
            np.testing.assert_allclose(cell[3:][same], fixed, atol=2e-6)
        for i, j in ((0, 1), (0, 2)):
            if abs(known[i] - known[j]) < 1e-6:
                assert cell[i] == pytest.approx(cell[j], rel=1e-5)


def test_patterns_are_those_of_the_strained_cells_and_half_of_other_elements(
    varied, structures
):
    rows, cells = varied.targets.group_rows, varied.targets.unit_cells
    strained = [
        dataclasses.replace(
            structures[row],
            lattice=lattice_from_parameters(*map(float, cell)),
        )
        for row, cell in zip(rows, cells, strict=True)
    ]
    expected = patterns_of_structures(strained, ONE_SIZE, SIZE_NM)
    same = np.abs(varied.patterns - expected).max(axis=1) < 5 * SAME
    # crystals of one element look the same with another
    several = [len(set(structures[i].elements.tolist())) > 1 for i in rows]
    share = np.mean(same[several])
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(np.sum(several))


def test_a_cell_that_strain_makes_too_large_stays_as_it_is_known(structures):
    structure = structures[0]
    table = crystal_table([structure], np.zeros(1, int))
    known = parameters_from_lattice(structure.lattice)
    volume = 1.0001 * structure.volume
    source = make_known_source(table, ONE_SIZE, volume, Variation(strain=0.02))
    cells = np.asarray(_targets(jax.random.key(0), source).unit_cells)
    # about half of all strained cells are larger than the known one
    strained = np.abs(cells - known).max(axis=1) > 1e-4
    assert 0.2 * BATCH < np.sum(strained) < 0.8 * BATCH


def test_the_key_decides_everything(source):
    first, again, other = (sample(source, seed) for seed in (3, 3, 4))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert np.any(first.targets.group_rows != other.targets.group_rows)


def test_there_is_room_for_each_crystal_of_a_table(table, source, structures):
    assert table.atoms.sum() == len(table.elements) == len(table.positions)
    np.testing.assert_array_equal(np.cumsum(table.atoms)[:-1], table.first[1:])
    assert np.all(table.occupancies > 0)
    assert source.max_atoms == table.atoms.max() > 64  # more than one block of atoms
    most = max(len(set(s.elements.tolist())) for s in structures)
    assert source.capacity.max_elements >= most


def test_no_crystals_are_refused():
    with pytest.raises(InputError, match="no crystals to train on"):
        crystal_table([], np.zeros(0, int))
