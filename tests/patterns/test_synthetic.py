"""Synthetic patterns in bulk: the same as one by one, whatever the batch and its chunks."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from examples import DRAWN, LIMITS

from xrdjax.crystals.lattices import parameters_from_lattice
from xrdjax.diffraction.powder import powder_pattern
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.measurement import make_measurement
from xrdjax.instrument.specimen import make_specimen
from xrdjax.patterns.synthetic import SyntheticSource, make_synthetic_source
from xrdjax.prior.sampling import sample_crystals
from xrdjax.prior.sites import sites_to_crystal

MEASUREMENT = make_measurement(TwoThetaGrid(10.0, 60.0, 1001))
# Programs that fuse otherwise round the place of a line otherwise: 7e-5 was seen.
SAME = 1e-4

_to_crystal = jax.jit(sites_to_crystal, static_argnames=("max_atoms",))
_sample = jax.jit(lambda key, source: source.sample(key, DRAWN))


@pytest.fixture(scope="module")
def source() -> SyntheticSource:
    return make_synthetic_source(measurement=MEASUREMENT, limits=LIMITS)


@pytest.fixture(scope="module")
def batch(source):
    return _sample(jax.random.key(5), source)


@pytest.fixture(scope="module")
def sites(source):
    """Of as many groups as there are crystals in a batch."""
    rows = jnp.arange(DRAWN, dtype=jnp.int32) * 2
    found, counts = sample_crystals(jax.random.key(6), source.prior, rows, LIMITS)
    assert counts.exhausted == 0
    return found


MEASURING = jax.random.key(8)


def measured(sites, source: SyntheticSource, chunk: int):
    """The batch of given sites, of a crystallite size each."""
    capacity = dataclasses.replace(source.capacity, chunk=chunk)
    measure = jax.jit(lambda key, sites, source: source.measure(key, sites))
    return measure(MEASURING, sites, dataclasses.replace(source, capacity=capacity))


@pytest.fixture(scope="module")
def in_chunks_of_8(sites, source):
    return measured(sites, source, chunk=8)


def test_each_crystal_has_in_bulk_the_pattern_and_the_cell_that_it_has_alone(
    source, sites, in_chunks_of_8
):
    """And so each label belongs to its pattern."""
    batch = in_chunks_of_8
    _, specimens = source.measurement.sample(MEASURING, DRAWN)
    np.testing.assert_array_equal(batch.targets.group_rows, sites.group_row)
    for i in range(DRAWN):
        one = jax.tree.map(lambda leaf, i=i: leaf[i], sites)
        crystal = _to_crystal(one, source.prior, max_atoms=256)
        assert crystal.elements[-1] == 0, "some atoms have no room"
        expected = powder_pattern(
            crystal,
            specimen=make_specimen(float(specimens.size_nm[i])),
            peaks=MEASUREMENT.peaks,
            grid=MEASUREMENT.grid,
            max_reflections=2048,
        )
        np.testing.assert_allclose(batch.patterns[i], expected, rtol=0, atol=SAME)
        np.testing.assert_allclose(
            batch.targets.unit_cells[i],
            parameters_from_lattice(np.asarray(one.lattice, float)),
            rtol=1e-5,
        )


def test_chunks_change_nothing(source, sites, in_chunks_of_8):
    """Chunks of 5 leave a rest of 2 in a batch of 32."""
    found = measured(sites, source, chunk=5)
    np.testing.assert_allclose(
        found.patterns, in_chunks_of_8.patterns, rtol=0, atol=SAME
    )
    assert all(count == 0 for count in found.counts.values())


def test_patterns_are_finite_and_none_is_empty(batch):
    assert batch.patterns.shape == (DRAWN, MEASUREMENT.grid.points)
    assert np.all(np.isfinite(batch.patterns))
    assert np.min(batch.patterns) >= 0
    np.testing.assert_allclose(batch.patterns.max(axis=1), 1, atol=1e-6)
    assert batch.mask is None


def test_counts_add_up(batch):
    counts = {name: int(count) for name, count in batch.counts.items()}
    overflow = {name: n for name, n in counts.items() if name.startswith("overflow_")}
    assert set(overflow) == {
        "overflow_atoms",
        "overflow_reflections",
        "overflow_indices",
        "overflow_elements",
        "overflow_width",
        "overflow_effect",
    }
    assert sum(overflow.values()) == counts["overflow_atoms"]
    failed = counts["impossible"] + counts["overflow_atoms"] + counts["too_symmetric"]
    assert counts["drawn"] == DRAWN + failed
    assert counts["impossible"] > 0  # cells above the limit of these tests
    assert counts["exhausted"] == 0


def test_the_key_decides_everything(source, batch):
    again = _sample(jax.random.key(5), source)
    jax.tree.map(np.testing.assert_array_equal, again, batch)
    other = _sample(jax.random.key(6), source)
    assert np.any(other.targets.group_rows != batch.targets.group_rows)
    difference = np.abs(other.patterns - batch.patterns).max(axis=1)
    assert np.all(difference > 0.1)


def test_crystallites_are_of_all_sizes(source):
    _, specimens = source.measurement.sample(jax.random.key(2), 200)
    sizes_nm = np.sort(np.asarray(specimens.size_nm))
    expected = np.linspace(20, 100, 200)
    assert np.abs(sizes_nm - expected).max() < 80 * 1.63 / np.sqrt(200)  # 1 %, KS
