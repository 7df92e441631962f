"""Which space groups and Wyckoff positions are relatives."""

import numpy as np
from laws import in_every_group

from xrdjax.prior.relatives import LEVELS, kinds_of_positions, relatives
from xrdjax.symmetry.wyckoff import wyckoff_positions


def test_families_are_as_many_as_international_tables_count():
    families = [len(np.unique(row)) for row in relatives()]
    # 11 enantiomorphic pairs, arithmetic classes, point groups, lattice systems
    assert dict(zip(LEVELS, families, strict=True)) == {
        "enantiomorphic pair": 219,
        "arithmetic crystal class": 73,
        "point group": 32,
        "lattice system": 7,
        "all groups": 1,
    }


def test_closer_relatives_are_also_distant_ones_except_for_centred_trigonal_groups():
    pair, arithmetic, point_group, lattice_system, _ = relatives()
    for narrow, wide in ((pair, arithmetic), (arithmetic, point_group)):
        for family in np.unique(narrow):
            assert len(np.unique(wide[narrow == family])) == 1
    mixed = [
        family
        for family in np.unique(point_group)
        if len(np.unique(lattice_system[point_group == family])) > 1
    ]
    assert len(mixed) == 5  # 3, -3, 32, 3m, -3m: on hexagonal and rhombohedral lattices


@in_every_group
def test_only_the_general_position_is_of_the_general_kind(group):
    positions = wyckoff_positions(group.number)
    kinds = kinds_of_positions()[group.number - 1]
    assert np.all(kinds[len(positions) :] == -1)
    general = kinds_of_positions()[0, 0]  # P 1 has no other
    assert np.flatnonzero(kinds == general).tolist() == [len(positions) - 1]


@in_every_group
def test_positions_are_of_one_kind_if_freedom_and_multiplicity_are_the_same(group):
    positions = wyckoff_positions(group.number)
    kinds = kinds_of_positions()[group.number - 1, : len(positions)]
    traits = [(sum(p.free), p.multiplicity) for p in positions]
    pairs = set(zip(traits, kinds.tolist(), strict=True))
    assert len(pairs) == len(set(traits)) == len(set(kinds.tolist()))
