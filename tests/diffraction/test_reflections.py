"""Each family of reflections once, in any setting, and no silent loss."""

import itertools
import re

import gemmi
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from examples import general_lattice, general_structure
from oracles import powder
from oracles.adapters import lines_of, structure_of

from xrdjax.crystals.crystal import Crystal, Structure, to_crystal
from xrdjax.diffraction import reflections
from xrdjax.diffraction.overflow import Overflow
from xrdjax.diffraction.reflections import (
    INDEX_LIMIT,
    Box,
    box_miller,
    family,
    index_box,
    unpack_miller,
)
from xrdjax.symmetry.space_groups import symmetry

# Symmorphic, of the full symmetry of its lattice, without any absence.
SYMMORPHIC = {
    "triclinic": "P -1",
    "monoclinic": "P 1 2/m 1",
    "orthorhombic": "P m m m",
    "tetragonal": "P 4/m m m",
    "rhombohedral": "R -3 m:R",
    "hexagonal": "P 6/m m m",
    "cubic": "P m -3 m",
}
SIZE = 1024
S_RANGE = (0.1, 0.9)

_family = jax.jit(family)
_find = jax.jit(reflections.find_reflections, static_argnames=("size",))


def find_in_chunk(crystals: Crystal, size: int) -> reflections.Reflections:
    count = crystals.lattice.shape[0]
    return _find(crystals, jnp.tile(jnp.array([S_RANGE]), (count, 1)), size=size)


def find_reflections(crystal: Crystal, size: int = SIZE) -> reflections.Reflections:
    """Of one crystal, which is a chunk of one."""
    found = find_in_chunk(jax.tree.map(lambda x: jnp.asarray(x)[None], crystal), size)
    return jax.tree.map(lambda x: x[0], found)


def padded(structure: Structure) -> Crystal:
    """Every crystal at one size, so that one program serves all."""
    return to_crystal(structure, size=192)


def pack(miller: np.ndarray) -> np.ndarray:
    """Ten bits an index, h the highest."""
    return np.asarray(miller) @ np.array([2**20, 2**10, 1])


def in_setting(structure: Structure, setting: gemmi.SpaceGroup) -> Structure:
    """A structure in the reference setting, brought to another setting of its group."""
    change = setting.basisop  # takes x of the reference setting there
    matrix = np.array(change.rot) / gemmi.Op.DEN
    shift = np.array(change.tran) / gemmi.Op.DEN
    return structure_of(
        setting.xhm(),
        np.linalg.inv(matrix).T @ structure.lattice,
        structure.positions @ matrix.T + shift,
        structure.elements,
        setting.operations(),
    )


def random_miller(limit: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    corners = itertools.product((-limit, -1, 0, 1, limit), repeat=3)
    inside = rng.integers(-limit, limit, (1000, 3), endpoint=True)
    return np.concatenate([np.array(list(corners)), inside])


def test_packed_indices_come_back_with_their_signs():
    miller = random_miller(INDEX_LIMIT - 1)
    unpacked = unpack_miller(jnp.asarray(pack(miller), jnp.int32))
    np.testing.assert_array_equal(unpacked, miller)


def test_packed_indices_are_in_the_order_of_h_k_l():
    miller = random_miller(INDEX_LIMIT - 1)
    in_order = np.array(sorted(map(tuple, miller.tolist())))
    np.testing.assert_array_equal(pack(in_order), np.sort(pack(miller)))


@pytest.mark.parametrize("first", [(0, 0, 0), (0, -2, 0), (0, -3, -4), (-2, -1, -3)])
def test_candidates_are_every_index_of_the_box_once(first):
    size = np.array([3, 7, 9])
    box = Box(jnp.array(first), jnp.asarray(size), jnp.prod(size), jnp.int32(0))
    blocks = [np.asarray(box_miller(box, jnp.int32(i), 16)) for i in range(0, 189, 16)]
    found = np.concatenate(blocks)[:189]
    expected = np.array(list(itertools.product(range(3), range(7), range(9))))
    np.testing.assert_array_equal(found, expected + first)


def test_candidates_of_the_largest_box_are_exact():
    """342 million, far more than float32 counts."""
    box = index_box(480.0 * jnp.eye(3), symmetry(1), s_max=0.918)
    assert box.size.tolist() == [441, 881, 881]
    for start in (2**22 - 3, 2**24 + 1, 123_456_789, int(box.count) - 500):
        index = start + np.arange(500)
        h, rest = np.divmod(index, 881 * 881)
        expected = np.stack([h, *np.divmod(rest, 881)], axis=1) + np.asarray(box.first)
        np.testing.assert_array_equal(box_miller(box, jnp.int32(start), 500), expected)


@pytest.mark.parametrize("system", SYMMORPHIC)
def test_families_add_up_to_all_points_of_the_shell(system):
    setting = gemmi.find_spacegroup_by_name(SYMMORPHIC[system])
    structure = in_setting(general_structure(setting.number), setting)
    found = find_reflections(padded(structure))
    assert not found.overflow
    indices = np.array(list(itertools.product(range(-12, 13), repeat=3)))
    s = np.linalg.norm(indices @ np.linalg.inv(structure.lattice).T, axis=1)
    in_shell = (s >= S_RANGE[0]) & (s <= S_RANGE[1])
    assert abs(indices[in_shell]).max() < 12
    assert int(found.multiplicity.sum()) == int(in_shell.sum())
    count = int(found.count)
    assert np.all(np.asarray(found.multiplicity)[:count] > 0)
    assert len(set(np.asarray(found.keys)[:count].tolist())) == count


def test_padding_has_neither_index_nor_multiplicity():
    found = find_reflections(padded(general_structure(2)))
    assert 0 < found.count < SIZE
    np.testing.assert_array_equal(found.keys[found.count :], 0)
    np.testing.assert_array_equal(found.multiplicity[found.count :], 0)


@pytest.mark.parametrize(
    ("number", "multiplicities"),
    [
        # International Tables A (2016), table 3.2.3.2: forms and their faces
        (221, {"100": 6, "110": 12, "111": 8, "210": 24, "211": 24, "321": 48}),
        (200, {"100": 6, "110": 12, "111": 8, "210": 12, "211": 24, "321": 24}),
        # (2, -1, 0) stands for {110} and (3, -1, 0) for {210}
        (191, {"001": 2, "100": 6, "2-10": 6, "101": 12, "3-10": 12, "3-11": 24}),
        (123, {"001": 2, "100": 4, "110": 4, "101": 8, "210": 8, "211": 16}),
        (47, {"001": 2, "110": 4, "111": 8}),
        (10, {"010": 2, "101": 2, "111": 4}),
    ],
)
def test_multiplicities_are_those_of_the_textbook(number, multiplicities):
    indices = [list(map(int, re.findall(r"-?\d", name))) for name in multiplicities]
    miller = jnp.array(indices)
    kept, found = _family(miller, symmetry(number), 48)
    assert kept.all()
    assert found.tolist() == list(multiplicities.values())


def test_one_member_of_a_family_is_kept_and_the_origin_is_not():
    """All 48 of {321} in m-3m, and (0, 0, 0)."""
    members = np.array(
        [
            np.multiply(order, signs)
            for order in itertools.permutations((3, 2, 1))
            for signs in itertools.product((1, -1), repeat=3)
        ]
        + [np.zeros(3, int)]
    )
    kept, _ = _family(jnp.asarray(members), symmetry(221), 48)
    assert members[np.asarray(kept)].tolist() == [[3, 2, 1]]


def test_more_operations_than_there_are_change_nothing():
    miller = jnp.asarray(random_miller(9))
    for number in (4, 62, 96, 167):
        group = symmetry(number)
        kept, multiplicity = _family(miller, group, int(group.order))
        kept_of_48, of_48 = _family(miller, group, 48)
        np.testing.assert_array_equal(kept, kept_of_48)
        np.testing.assert_array_equal(multiplicity[kept], of_48[kept])


SETTINGS = [s for s in gemmi.spacegroup_table() if not s.is_reference_setting()]


def test_any_setting_of_a_group_has_the_same_lines():
    assert len(SETTINGS) > 300
    lines = {}
    for setting in SETTINGS:
        structure = general_structure(setting.number, elements=(26,))
        if setting.number not in lines:
            lines[setting.number] = lines_of(structure)[2]
        elsewhere = in_setting(structure, setting)
        ours, theirs = powder.side_by_side(
            lines[setting.number], lines_of(elsewhere)[2]
        )
        name = setting.xhm()
        assert ours.multiplicity.tolist() == theirs.multiplicity.tolist(), name
        # |F|^2 goes with the square of the atoms in the cell
        scale = (structure.volume / elsewhere.volume) ** 2
        np.testing.assert_allclose(
            ours.intensity,
            scale * theirs.intensity,
            rtol=0,
            atol=1e-5 * ours.intensity.max(),
            err_msg=name,
        )


def test_too_little_room_is_reported_and_enough_is_not():
    crystal = padded(general_structure(2))
    whole = find_reflections(crystal)
    count = int(whole.count)
    for size in (count, count - 1):
        found = find_reflections(crystal, size)
        assert found.overflow == (Overflow.REFLECTIONS if size < count else 0)
        np.testing.assert_array_equal(found.keys, whole.keys[:size])


def test_an_edge_beyond_the_limit_of_indices_is_reported():
    longest = INDEX_LIMIT / S_RANGE[1]
    crystal = padded(general_structure(1))
    for edge, is_lost in ((longest - 1, False), (longest + 1, True)):
        lattice = np.diag([1.2, edge, 1.2]).astype(np.float32)
        found = find_reflections(crystal.replace(lattice=lattice), 2 * SIZE)
        assert found.count < 2 * SIZE
        assert found.overflow == (Overflow.INDICES if is_lost else 0)


def test_reflections_pass_no_gradient_to_the_lattice():
    def multiplicity(lattice):
        crystal = padded(general_structure(2)).replace(lattice=lattice)
        return find_reflections(crystal).multiplicity.sum()

    lattice = jnp.asarray(general_lattice(2), jnp.float32)
    np.testing.assert_array_equal(jax.grad(multiplicity)(lattice), 0)


def test_a_batch_has_the_reflections_of_each_of_its_crystals():
    crystals = [padded(general_structure(n)) for n in (2, 148, 225)]
    together = jax.tree.map(lambda *leaves: np.stack(leaves), *crystals)
    found = find_in_chunk(together, SIZE)
    for i, crystal in enumerate(crystals):
        alone = find_reflections(crystal)
        assert alone.count > 0
        assert found.count[i] == alone.count
        assert found.overflow[i] == alone.overflow == 0
        np.testing.assert_array_equal(found.keys[i], alone.keys)
        np.testing.assert_array_equal(found.multiplicity[i], alone.multiplicity)
