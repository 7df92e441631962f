"""The tables of the symmetry check for each space group."""

import numpy as np

from xrdjax.prior.check_table import MAX_COSETS, TESTS, check_table, holohedry
from xrdjax.symmetry.space_groups import LATTICE_SYSTEMS, SPACE_GROUPS


def test_holohedries_have_the_orders_of_the_lattice_systems():
    orders = {system: len(holohedry(system)) for system in LATTICE_SYSTEMS}
    assert list(orders.values()) == [2, 4, 8, 16, 12, 24, 48]
    for group in SPACE_GROUPS:
        full = {w.tobytes() for w in holohedry(group.lattice_system)}
        assert {w.astype(int).tobytes() for w in group.rotations} <= full


def test_cosets_of_the_point_group_make_up_the_holohedry():
    table = check_table()
    for group in SPACE_GROUPS:
        count = table.coset_count[group.number]
        cosets = table.cosets[group.number, :count].astype(int)
        assert count <= MAX_COSETS
        np.testing.assert_array_equal(cosets[0], np.eye(3))
        np.testing.assert_array_equal(table.cosets[group.number, count:], 0)
        products = [
            (w @ p).tobytes() for w in cosets for p in group.rotations.astype(int)
        ]
        full = {w.tobytes() for w in holohedry(group.lattice_system)}
        assert len(products) == len(full) and set(products) == full


def test_reflections_that_are_compared_are_allowed_and_exclude_all_translations():
    """Their integer combinations are all reflections that the centring allows."""
    table = check_table()
    assert table.miller.shape == (231, TESTS, 3)
    for group in SPACE_GROUPS:
        miller = table.miller[group.number]
        phases = miller @ group.centring_vectors.T
        assert np.all(np.abs(phases - np.round(phases)) < 1e-6)
        # a translation t of 1/12s that keeps all their phases is a lattice vector
        grid = np.stack(np.meshgrid(*[np.arange(12)] * 3), axis=-1).reshape(-1, 3) / 12
        turns = grid @ miller.T
        kept = grid[np.all(np.abs(turns - np.round(turns)) < 1e-6, axis=1)]
        assert len(kept) == len(group.centring_vectors)


def test_every_element_has_a_weight_of_its_own():
    weights = check_table().weights @ [1, 1j]
    distances = np.abs(weights[:, None] - weights) + np.eye(len(weights))
    assert distances.min() > 1e-3
    assert abs(weights).min() > 0.5
