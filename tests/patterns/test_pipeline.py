"""Patterns in bulk: the same as one by one, whatever the batch and its chunks."""

import dataclasses

import jax
import numpy as np
import pytest
from examples import DRAWN, LIMITS

from xrdjax.crystals.crystal import to_crystal
from xrdjax.crystals.textbook import gallery, gallery_structures
from xrdjax.diffraction.powder import powder_pattern
from xrdjax.errors import InputError
from xrdjax.instrument.diffractometer import Diffractometer
from xrdjax.instrument.profiles import profile_grid
from xrdjax.patterns.pipeline import (
    Simulation,
    patterns_of_structures,
    simulate_sites,
    synthetic_patterns,
)
from xrdjax.prior.prior import Prior, make_prior
from xrdjax.prior.sampling import sample_group_rows, sample_crystals
from xrdjax.prior.sites import Sites, sites_to_crystal

SIMULATION = Simulation(
    Diffractometer(1.5406, 10.0, 60.0, 1001), max_volume=LIMITS.max_volume, chunk=8
)
GRID = profile_grid(SIMULATION.diffractometer, *SIMULATION.sizes_nm)

# The roads differ by rounding in another order: 4e-7 here, 2e-5 where XLA fuses
# otherwise and the place of a line is rounded otherwise.
SAME = 3e-5

_to_crystal = jax.jit(sites_to_crystal, static_argnames=("max_atoms",))


def alone(crystal, size_nm) -> np.ndarray:
    """The pattern by `powder_pattern`, on the grid of the simulation."""
    return np.asarray(
        powder_pattern(
            crystal,
            np.float32(size_nm),
            SIMULATION.diffractometer,
            sizes_nm=SIMULATION.sizes_nm,
            max_reflections=2048,
        )
    )


@pytest.fixture(scope="module")
def prior() -> Prior:
    return make_prior()


@pytest.fixture(scope="module")
def synthetic(prior):
    """Patterns, labels and counts of one key."""
    return synthetic_patterns(jax.random.key(5), prior, GRID, DRAWN, SIMULATION, LIMITS)


@pytest.fixture(scope="module")
def drawn(prior) -> tuple[Sites, np.ndarray]:
    """The crystals of the same key, and their crystallite sizes."""
    group_key, crystal_key, size_key = jax.random.split(jax.random.key(5), 3)
    groups = sample_group_rows(group_key, prior, DRAWN)
    sites, _ = sample_crystals(crystal_key, prior, groups, LIMITS)
    sizes_nm = jax.random.uniform(size_key, (DRAWN,), minval=20.0, maxval=100.0)
    return sites, np.asarray(sizes_nm)


def test_gallery_has_in_bulk_the_patterns_that_each_crystal_has_alone():
    """Also where cells and numbers of elements are beyond the simulation's own."""
    structures = gallery_structures()
    sizes_nm = np.random.default_rng(0).uniform(20, 100, len(structures))
    small = dataclasses.replace(SIMULATION, max_volume=10.0, max_elements=1)
    patterns = patterns_of_structures(list(structures.values()), small, sizes_nm)
    assert patterns.dtype == np.float32
    for (name, structure), size_nm, pattern in zip(
        structures.items(), sizes_nm, patterns, strict=True
    ):
        expected = alone(to_crystal(structure, 96), size_nm)
        np.testing.assert_allclose(pattern, expected, rtol=0, atol=SAME, err_msg=name)


def test_drawn_crystals_have_the_patterns_that_each_has_alone(prior, synthetic, drawn):
    """And so each label belongs to its pattern."""
    patterns, labels, _ = synthetic
    sites, sizes_nm = drawn
    np.testing.assert_array_equal(labels, sites.group_row)
    for i in range(DRAWN):
        one = jax.tree.map(lambda leaf, i=i: leaf[i], sites)
        crystal = _to_crystal(one, prior, max_atoms=256)
        assert crystal.elements[-1] == 0, "some atoms have no room"
        np.testing.assert_allclose(
            patterns[i], alone(crystal, sizes_nm[i]), rtol=0, atol=SAME
        )


def test_labels_are_the_rows_of_the_groups_that_the_crystals_have(prior, drawn):
    sites, _ = drawn
    numbers = prior.statistics.space_groups[np.asarray(sites.group_row)]
    np.testing.assert_array_equal(numbers, sites.space_group)
    assert len(set(numbers.tolist())) > 10


def test_chunks_change_nothing(prior, synthetic, drawn):
    """Chunks of 5 leave a rest of 2 in a batch of 32."""
    patterns, _, _ = synthetic
    sites, sizes_nm = drawn
    simulation = dataclasses.replace(SIMULATION, chunk=5)
    found, incomplete = jax.jit(
        lambda sites, sizes_nm, prior, grid: simulate_sites(
            sites, sizes_nm, prior, grid, simulation, LIMITS
        )
    )(sites, sizes_nm, prior, GRID)
    assert incomplete == 0
    np.testing.assert_allclose(found, patterns, rtol=0, atol=SAME)


def test_patterns_are_finite_and_none_is_empty(synthetic):
    patterns, _, _ = synthetic
    assert patterns.shape == (DRAWN, SIMULATION.diffractometer.points)
    assert np.all(np.isfinite(patterns))
    assert np.min(patterns) >= 0
    np.testing.assert_allclose(patterns.max(axis=1), 1, atol=1e-6)


def test_counts_add_up(synthetic):
    _, _, counts = synthetic
    assert set(counts) == {
        "drawn",
        "impossible",
        "overflow",
        "too_symmetric",
        "exhausted",
        "incomplete",
    }
    counts = {name: int(count) for name, count in counts.items()}
    failed = counts["impossible"] + counts["overflow"] + counts["too_symmetric"]
    assert counts["drawn"] == DRAWN + failed
    assert counts["impossible"] > 0  # cells above the limit of these tests
    assert counts["exhausted"] == counts["incomplete"] == 0


def test_the_key_decides_everything(prior, synthetic):
    again = synthetic_patterns(
        jax.random.key(5), prior, GRID, DRAWN, SIMULATION, LIMITS
    )
    jax.tree.map(np.testing.assert_array_equal, again, synthetic)
    other, labels, _ = synthetic_patterns(
        jax.random.key(6), prior, GRID, DRAWN, SIMULATION, LIMITS
    )
    assert np.any(labels != synthetic[1])
    assert np.all(np.abs(other - synthetic[0]).max(axis=1) > 0.1)


def test_no_structures_have_no_patterns():
    assert patterns_of_structures([], SIMULATION).shape == (0, 1001)


@pytest.mark.parametrize("sizes_nm", [19.0, 101.0, [50.0, 500.0], np.nan])
def test_a_size_beyond_the_range_is_refused(sizes_nm):
    structures = [gallery("halite")] * np.size(sizes_nm)
    with pytest.raises(InputError, match="nm: the simulation expects 20 to 100"):
        patterns_of_structures(structures, SIMULATION, sizes_nm)


def test_a_cell_longer_than_there_are_indices_is_refused_by_name():
    structure = gallery("halite")
    needle = dataclasses.replace(
        structure,
        name="a needle",
        lattice=np.diag([1.1, 1.1, 1100.0]),
        rotations=structure.rotations[:1],
        translations=structure.translations[:1],
    )
    # the largest cell and number of elements of the gallery, so its program serves
    largest = max(gallery_structures().values(), key=lambda one: one.volume)
    elements = max(len(set(one.elements)) for one in gallery_structures().values())
    simulation = dataclasses.replace(
        SIMULATION, max_volume=largest.volume, max_elements=elements
    )
    with pytest.raises(InputError, match="^a needle has more reflections than"):
        patterns_of_structures([structure] * 7 + [needle], simulation)
