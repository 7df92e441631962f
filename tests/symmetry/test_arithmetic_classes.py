"""The arithmetic crystal classes, by symbol and by spglib."""

import warnings

import pytest
import spglib
from laws import in_every_group

from xrdjax.symmetry.arithmetic_classes import arithmetic_class
from xrdjax.symmetry.space_groups import SPACE_GROUPS


@pytest.fixture(scope="module")
def spglib_classes():
    """Number of each group's class, by way of spglib's table of 530 settings."""
    with warnings.catch_warnings():
        # spglib 2.7 and later warn at every call how 3.0 will report errors
        warnings.simplefilter("ignore", DeprecationWarning)
        kinds = [spglib.get_spacegroup_type(hall) for hall in range(1, 531)]
    return {kind.number: kind.arithmetic_crystal_class_number for kind in kinds}


def test_there_are_73_classes_each_named_after_its_symmorphic_group():
    classes = {arithmetic_class(group.number) for group in SPACE_GROUPS}
    assert len(classes) == 73
    assert classes <= {group.hermann_mauguin for group in SPACE_GROUPS}


@in_every_group
def test_groups_of_one_class_are_so_to_spglib(group, spglib_classes):
    symmorphic = arithmetic_class(group.number)
    (named,) = (g for g in SPACE_GROUPS if g.hermann_mauguin == symmorphic)
    assert spglib_classes[named.number] == spglib_classes[group.number]
    assert named.centring == group.centring
    assert named.point_group == group.point_group
