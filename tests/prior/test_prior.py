import jax
import numpy as np

from xrdjax.crystals.elements import ATOMIC_VOLUMES
from xrdjax.prior.file import load_statistics
from xrdjax.prior.prior import DEFAULT_LIMITS, Limits, make_prior


def test_limits_of_the_paper_are_the_default():
    assert (DEFAULT_LIMITS.max_volume, DEFAULT_LIMITS.max_sites) == (7000.0, 100)


def test_equal_limits_are_one_static_argument():
    assert Limits(max_sites=7) == Limits(max_sites=7)
    assert hash(Limits(max_sites=7)) == hash(Limits(max_sites=7))
    assert Limits(max_sites=7) != Limits(max_sites=8)


def test_each_group_has_its_own_crystals_in_their_order(prior):
    statistics = prior.statistics
    assert prior.volumes.shape == prior.packing.shape
    assert len(prior.volumes) == len(statistics.space_groups)
    for row, (first, last) in enumerate(statistics.group_ranges):
        count = last - first
        volumes = prior.volumes[row].ravel()
        factors = prior.packing[row].ravel()
        np.testing.assert_array_equal(
            volumes[:count], statistics.atomic_volumes[first:last]
        )
        np.testing.assert_array_equal(
            factors[:count], statistics.packing_factors[first:last]
        )
        assert np.all(np.isinf(volumes[count:])), "padding is never near a volume"
        assert np.all(np.isfinite(factors))


def test_rows_are_no_longer_than_the_largest_group_needs(prior):
    largest = np.diff(prior.statistics.group_ranges).max()
    rows, columns = prior.volumes.shape[1:]
    assert (rows - 1) * columns < largest <= rows * columns


def test_atomic_volumes_are_those_of_the_elements(prior):
    np.testing.assert_allclose(prior.atomic_volumes, ATOMIC_VOLUMES, rtol=1e-6)
    assert prior.atomic_volumes[0] == 0


def test_a_prior_holds_numbers_in_single_precision_only(prior):
    leaves = jax.tree.leaves(prior)
    assert len(leaves) > 20
    kinds = {np.asarray(leaf).dtype.name for leaf in leaves}
    assert kinds <= {"float32", "int32", "bool"}


def test_without_statistics_the_bundled_ones_are_used():
    given, default = make_prior(load_statistics()), make_prior()
    jax.tree.map(np.testing.assert_array_equal, default, given)
