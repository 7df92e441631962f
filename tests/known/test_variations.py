"""Varied crystals: strained as far as their group allows, of exchanged elements."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from examples import general_lattice

from xrdjax.crystals.elements import SYMBOLS
from xrdjax.crystals.lattices import metric_tensor
from xrdjax.crystals.structure_types import analyse
from xrdjax.crystals.textbook import gallery_structures
from xrdjax.known.variations import exchanged_elements, strained_lattice
from xrdjax.symmetry.space_groups import space_group, symmetry_table

STRAIN = 0.03
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
def strained(keys, lattices, numbers):
    """Lattices [n, 3, 3] of groups [n], each strained by its own key."""
    symmetry = jax.tree.map(lambda x: jnp.asarray(x)[numbers], symmetry_table())
    return jax.vmap(strained_lattice, in_axes=(0, 0, 0, None))(
        keys, lattices, symmetry, STRAIN
    )


def draws(number, count=200):
    lattice = np.float32(general_lattice(number))
    keys = jax.random.split(jax.random.key(number), count)
    lattices = np.broadcast_to(lattice, (count, 3, 3))
    return lattice, np.asarray(strained(keys, lattices, np.full(count, number)), float)


@pytest.mark.parametrize("number", range(1, 231))
def test_a_strained_lattice_has_the_symmetry_of_its_group(number):
    _, lattices = draws(number, 200)
    for lattice in lattices[:5]:
        metric = metric_tensor(lattice)
        for rotation in space_group(number).rotations.astype(float):
            turned = rotation.T @ metric @ rotation
            np.testing.assert_allclose(turned, metric, atol=2e-5 * metric.max())


@pytest.mark.parametrize("number", (2, 14, 62, 139, 166, 194, 225))
def test_every_free_component_is_strained_and_by_as_much_as_asked(number):
    lattice, lattices = draws(number, 2000)
    metrics = np.array([metric_tensor(one) for one in lattices])
    changes = (metrics / metric_tensor(lattice.astype(float)).max() - 1).reshape(-1, 9)
    variances = np.linalg.eigvalsh(np.cov(changes.T))
    free = FREE[space_group(number).lattice_system]
    assert np.all(variances[-free:] > 1e-5) and np.all(variances[:-free] < 1e-10)

    # the change of volume is the trace of the strain, which the mean does not touch
    volumes = np.linalg.det(lattices) / np.linalg.det(lattice.astype(float))
    assert np.std(volumes) == pytest.approx(3**0.5 * STRAIN, rel=0.1)
    assert np.mean(volumes) == pytest.approx(1, abs=0.01)


def test_exchanged_elements_are_a_permutation_of_those_given():
    numbers = np.array([1, 8, 14, 26])
    exchange = jax.jit(jax.vmap(lambda key: exchanged_elements(key, numbers, 1.0)))
    become = np.asarray(exchange(jax.random.split(jax.random.key(0), 4000)))
    others = np.setdiff1d(np.arange(len(SYMBOLS)), numbers)
    np.testing.assert_array_equal(become[:, others], np.tile(others, (4000, 1)))
    np.testing.assert_array_equal(
        np.sort(become[:, numbers], axis=1), np.tile(numbers, (4000, 1))
    )
    # each becomes each equally often: five standard deviations of a binomial
    for old in numbers:
        counts = np.array([np.sum(become[:, old] == new) for new in numbers])
        assert np.abs(counts - 1000).max() < 5 * (4000 * 0.25 * 0.75) ** 0.5


@pytest.mark.parametrize("probability", (0.0, 0.3))
def test_elements_are_exchanged_as_often_as_asked(probability):
    numbers = np.arange(1, 60)
    exchange = jax.jit(jax.vmap(lambda k: exchanged_elements(k, numbers, probability)))
    become = np.asarray(exchange(jax.random.split(jax.random.key(1), 2000)))
    share = np.mean(np.any(become != np.arange(len(SYMBOLS)), axis=1))
    assert (
        abs(share - probability) <= 5 * (probability * (1 - probability) / 2000) ** 0.5
    )


def test_spglib_finds_the_same_group_in_varied_crystals():
    numbers = np.arange(1, 84)
    checked = 0
    for i, (name, structure) in enumerate(gallery_structures().items()):
        known = analyse(structure).standard
        key, other = jax.random.split(jax.random.key(i))
        number = known.space_group
        lattice = strained(key[None], np.float32(known.lattice)[None], np.r_[number])
        become = np.asarray(exchanged_elements(other, numbers, 1.0))
        varied = dataclasses.replace(
            known,
            lattice=np.asarray(lattice[0], float),
            elements=become[known.elements],
        )
        assert analyse(varied, symprec=1e-3).space_group == number, name
        checked += 1
    assert checked > 100
