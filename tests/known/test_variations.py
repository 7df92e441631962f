"""Variations of known crystals: strained as far as their group allows, other elements."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from examples import general_lattice
from laws import for_each, in_every_group

from xrdjax.crystals.elements import SYMBOLS
from xrdjax.crystals.lattices import metric_tensor
from xrdjax.crystals.structure_types import analyse
from xrdjax.crystals.textbook import gallery_structures
from xrdjax.known.variations import exchanged_elements, strained_lattice
from xrdjax.symmetry.space_groups import SPACE_GROUPS, space_group, symmetry_table

BATCH = 4000
STRAIN = 0.03
NUMBERS = np.arange(1, 84)
# Free components of a metric tensor, by lattice system.
FREE = {
    "triclinic": 6,
    "monoclinic": 4,
    "orthorhombic": 3,
    "tetragonal": 2,
    "rhombohedral": 2,
    "hexagonal": 2,
    "cubic": 1,
}


@jax.jit
def _strain(keys, lattices, numbers, table):
    symmetry = jax.tree.map(lambda x: jnp.asarray(x)[numbers], table)
    return jax.vmap(strained_lattice, in_axes=(0, 0, 0, None))(
        keys, lattices, symmetry, STRAIN
    )


@jax.jit
def _exchange(keys, probability):
    exchange = jax.vmap(exchanged_elements, in_axes=(0, None, None))
    return exchange(keys, NUMBERS, probability)


def strained(seed: int, lattices: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Lattices [n, 3, 3] of groups [n], each strained by its own key; n <= BATCH."""
    row = np.minimum(np.arange(BATCH), len(numbers) - 1)
    keys = jax.random.split(jax.random.key(seed), BATCH)
    found = _strain(keys, np.float32(lattices)[row], numbers[row], symmetry_table())
    return np.asarray(found, float)[: len(numbers)]


def exchanged(seed: int, probability: float) -> np.ndarray:
    """What each element becomes [BATCH, Z]."""
    keys = jax.random.split(jax.random.key(seed), BATCH)
    return np.asarray(_exchange(keys, jnp.float32(probability)))


@pytest.fixture(scope="module")
def of_each_group():
    """Five strained lattices of each group [230, 5, 3, 3]."""
    numbers = np.repeat(np.arange(1, 231), 5)
    lattices = np.repeat([general_lattice(g.number) for g in SPACE_GROUPS], 5, axis=0)
    return strained(0, lattices, numbers).reshape(230, 5, 3, 3)


@in_every_group
def test_a_strained_lattice_has_the_symmetry_of_its_group(group, of_each_group):
    for lattice in of_each_group[group.number - 1]:
        metric = metric_tensor(lattice)
        for rotation in group.rotations.astype(float):
            turned = rotation.T @ metric @ rotation
            np.testing.assert_allclose(turned, metric, atol=2e-5 * metric.max())


@for_each("number", (2, 14, 62, 139, 166, 194, 225))
def test_every_free_component_is_strained_and_by_as_much_as_asked(number):
    lattice = general_lattice(number)
    lattices = strained(number, np.tile(lattice, (BATCH, 1, 1)), np.full(BATCH, number))
    metrics = lattices @ lattices.transpose(0, 2, 1)
    changes = (metrics / metric_tensor(lattice).max() - 1).reshape(-1, 9)
    variances = np.linalg.eigvalsh(np.cov(changes.T))
    free = FREE[space_group(number).lattice_system]
    assert np.all(variances[-free:] > 1e-5) and np.all(variances[:-free] < 1e-10)

    # the change of volume is the trace of the strain, which the mean does not touch
    volumes = np.linalg.det(lattices) / np.linalg.det(lattice)
    assert np.std(volumes) == pytest.approx(3**0.5 * STRAIN, rel=0.1)
    assert np.mean(volumes) == pytest.approx(1, abs=0.01)


def test_exchanged_elements_are_a_permutation_of_those_given():
    become = exchanged(0, 1.0)
    others = np.setdiff1d(np.arange(len(SYMBOLS)), NUMBERS)
    np.testing.assert_array_equal(become[:, others], np.tile(others, (BATCH, 1)))
    np.testing.assert_array_equal(
        np.sort(become[:, NUMBERS], axis=1), np.tile(NUMBERS, (BATCH, 1))
    )
    # each becomes each equally often: chi^2 with as many degrees of freedom
    expected = BATCH / len(NUMBERS)
    counts = np.array([np.bincount(become[:, z], minlength=84)[1:] for z in NUMBERS])
    chi_square = np.sum((counts - expected) ** 2) / expected
    freedom = (len(NUMBERS) - 1) ** 2
    assert abs(chi_square - freedom) < 5 * (2 * freedom) ** 0.5


@for_each("probability", (0.0, 0.3))
def test_elements_are_exchanged_as_often_as_asked(probability):
    share = np.mean(np.any(exchanged(1, probability) != np.arange(99), axis=1))
    spread = (probability * (1 - probability) / BATCH) ** 0.5
    assert abs(share - probability) <= 5 * spread


def test_spglib_finds_the_same_group_in_varied_crystals():
    known = {name: analyse(s).standard for name, s in gallery_structures().items()}
    assert len(known) > 100
    lattices = np.array([standard.lattice for standard in known.values()])
    numbers = np.array([standard.space_group for standard in known.values()])
    cells, become = strained(2, lattices, numbers), exchanged(2, 1.0)
    for i, (name, standard) in enumerate(known.items()):
        varied = dataclasses.replace(
            standard, lattice=cells[i], elements=become[i][standard.elements]
        )
        found = analyse(varied, symprec=1e-3)
        assert found.space_group == standard.space_group, name
