"""Operations from triplets and from the names of space groups."""

import gemmi
import numpy as np
import pytest
from laws import for_each

from xrdjax.errors import InputError
from xrdjax.symmetry.operations import parse_operations
from xrdjax.symmetry.settings import named_settings

SETTINGS = list(gemmi.spacegroup_table())
REFERENCE = {s.number: s for s in SETTINGS if s.is_reference_setting()}


def named_operations(hall, name, number, alpha=90, gamma=90):
    """Operations of the most likely setting; None without any."""
    beta = alpha if alpha == gamma else 90
    settings = named_settings(hall, name, str(number or ""), (alpha, beta, gamma))
    return settings[0].operations if settings else None


def _triplets(operations) -> set[str]:
    return {op.wrap().triplet() for op in operations}


def test_every_setting_is_found_by_its_hall_symbol():
    for setting in SETTINGS:
        found = named_operations(setting.hall, "", 0)
        assert set(found.triplets) == _triplets(setting.operations()), setting
        assert found.is_group
        assert found.space_group == setting.number


def test_every_setting_is_found_by_its_hermann_mauguin_symbol():
    for setting in SETTINGS:
        found = named_operations("", setting.xhm(), 0)
        assert set(found.triplets) == _triplets(setting.operations()), setting


def test_a_number_alone_means_the_reference_setting():
    for number, setting in REFERENCE.items():
        gamma = 120 if setting.ext == "H" else 90
        found = named_operations("", "", number, 90, gamma)
        assert set(found.triplets) == _triplets(setting.operations()), number


@for_each(
    ("name", "setting"),
    [
        ("P2(1)/c", "P 1 21/c 1"),
        ("P 2(1) 2(1) 2(1)", "P 21 21 21"),
        ("P 42/m n m", "P 42/m n m"),
        ("P 4_2/m n m", "P 42/m n m"),
        ("F d -3 m S", "F d -3 m:1"),
        ("F d -3 m Z", "F d -3 m:2"),
        ("F d -3 m :2", "F d -3 m:2"),
        ("Fd-3m", "F d -3 m:2"),
        ("F m 3 m", "F m -3 m"),
        ("R -3 2/m (hexagonal axes)", "R -3 m:H"),
        ("R 3 c (rhombohedral axes)", "R 3 c:R"),
        ("R -3 m H", "R -3 m:H"),
        ("P 63/m 2/m 2/c", "P 63/m m c"),
        ("P 4/n 21/c 2/c (origin choice 2)", "P 4/n c c:2"),
        ("P 42/n -3 2/m (origin choice 2)", "P n -3 m:2"),
        ("F 41/d -3 2/c (origin choice 1)", "F d -3 c:1"),
        ("I 21/b 21/c 21/a", "I b c a"),
        ("C 2/m 2/c 21/a", "C m c a"),
        ("C m c e", "C m c a"),
        ("P 6/m c c S", "P 6/m c c"),
    ],
)
def test_every_spelling_of_a_name_means_the_same_setting(name, setting):
    expected = gemmi.find_spacegroup_by_name(setting)
    assert expected.xhm() == setting
    found = named_operations("", name, 0)
    assert set(found.triplets) == _triplets(expected.operations())


def test_the_angles_distinguish_rhombohedral_from_hexagonal_axes():
    assert len(named_operations("", "R -3 m", 0, 60, 60).triplets) == 12
    assert len(named_operations("", "R -3 m", 0, 90, 120).triplets) == 36
    assert len(named_operations("", "", 166, 60, 60).triplets) == 12


def test_the_hall_symbol_comes_before_the_name_and_the_name_before_the_number():
    first = named_operations("P 1", "P -1", 225)
    second = named_operations("no Hall symbol", "P -1", 225)
    third = named_operations("", "no name", 225)
    numbers = [found.space_group for found in (first, second, third)]
    assert numbers == [1, 2, 225]


def test_unknown_names_have_no_operations():
    assert named_operations("", "", 0) is None
    assert named_operations("nonsense", "nonsense", 231) is None
    # a moved origin: the number would put the atoms elsewhere
    assert named_operations("", "P 42/m m c (a,b+1/2,c)", 131) is None


@for_each("change", ["x+1/8,y+1/12,z+1/24", "z,x,y", "x-y,y,z"])
def test_settings_without_a_name_still_have_their_number(change):
    for number, setting in REFERENCE.items():
        group = setting.operations()
        group.change_basis_forward(gemmi.Op(change))
        operations = parse_operations(tuple(op.triplet() for op in group))
        assert operations.is_group
        assert operations.space_group == number


def test_triplets_are_read_in_all_spellings_and_repeats_count_once():
    operations = parse_operations(
        ("x,y,z", "X, Y, Z", "x,y,z+1", "-x,0.5+y,1/2-z", " -X , Y+1/2 , -Z+1/2 ")
    )
    assert operations.triplets == ("x,y,z", "-x,y+1/2,-z+1/2")
    np.testing.assert_array_equal(operations.rotations[1], np.diag([-1, 1, -1]))
    np.testing.assert_array_equal(operations.translations[1], [0, 0.5, 0.5])


@pytest.mark.parametrize("triplet", ["x,y", "x;y;z", "2x,y,z", "a,b,q", "x+1/5,y,z"])
def test_a_triplet_that_cannot_be_read_is_an_error_that_shows_it(triplet):
    with pytest.raises(InputError, match=r"cannot be read .*-x,y\+1/2,z") as error:
        parse_operations(("x,y,z", triplet))
    assert repr(triplet) in str(error.value)


@pytest.mark.parametrize(
    "triplets",
    [
        ("-x,-y,-z",),
        ("x,y,z", "-x,y+1/2,-z+1/2", "x,-y,z"),
        ("x,y,z", "x+1/3,y,z"),
        ("x,y,z", "x,x,z"),
    ],
)
def test_an_incomplete_list_is_not_a_group(triplets):
    assert not parse_operations(triplets).is_group
