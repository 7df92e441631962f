import dataclasses

import numpy as np
import pytest
from laws import in_every_group

from xrdjax.symmetry import wyckoff_derivation
from xrdjax.symmetry.space_groups import space_group
from xrdjax.symmetry.wyckoff import wyckoff_positions
from xrdjax.symmetry.wyckoff_derivation import (
    derive_maps,
    derive_wyckoff_positions,
)


@in_every_group
def test_the_stored_table_is_what_the_operations_give(group):
    stored = wyckoff_positions(group.number)
    derived = derive_wyckoff_positions(group)
    assert len(stored) == len(derived)
    for old, new in zip(stored, derived, strict=True):
        assert (old.letter, old.multiplicity) == (new.letter, new.multiplicity)
        assert (old.site_symmetry, old.free) == (new.site_symmetry, new.free)
        np.testing.assert_array_equal(old.maps, new.maps)


def test_letters_of_another_setting_are_refused(monkeypatch):
    # spglib's lowest Hall number of F d -3 m is origin choice 1.
    monkeypatch.setattr(wyckoff_derivation, "reference_hall_number", lambda _: 525)
    positions = [p.maps for p in wyckoff_positions(227)]
    with pytest.raises(RuntimeError, match="group 227"):
        wyckoff_derivation.names_by_spglib(space_group(227), positions)


def test_positions_do_not_depend_on_the_order_of_the_operations():
    group = space_group(194)
    mixed = dataclasses.replace(
        group, rotations=group.rotations[::-1], translations=group.translations[::-1]
    )

    def spaces(maps):
        """Maps of each position as sets, the positions in a definite order."""
        return sorted(sorted(m.tolist()) for m in maps)

    assert spaces(derive_maps(mixed)) == spaces(derive_maps(group))
