import gemmi
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import spglib
from laws import in_every_group

from xrdjax.errors import InputError
from xrdjax.symmetry.search import reference_hall_number
from xrdjax.symmetry.space_groups import (
    LATTICE_SYSTEMS,
    SPACE_GROUPS,
    space_group,
    symmetry,
    symmetry_table,
)

# spglib warns on every call that its functions will raise in the future.
pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING")


ENANTIOMORPHIC_PAIRS = [  # International Tables A, ch. 3.6
    (76, 78),
    (91, 95),
    (92, 96),
    (144, 145),
    (151, 153),
    (152, 154),
    (169, 170),
    (171, 172),
    (178, 179),
    (180, 181),
    (212, 213),
]


def all_operations(rotations, translations, centring) -> set:
    """Operations with centring, translations modulo 1 in units of 1/24."""
    return {
        (tuple(np.ravel(w).tolist()), tuple(np.rint(24 * (t + c)).astype(int) % 24))
        for w, t in zip(rotations, translations, strict=True)
        for c in centring
    }


def operations_of(group) -> set:
    return all_operations(group.rotations, group.translations, group.centring_vectors)


def test_the_table_has_each_number_once_and_in_order():
    assert [group.number for group in SPACE_GROUPS] == list(range(1, 231))
    assert all(space_group(group.number) is group for group in SPACE_GROUPS)


@in_every_group
def test_the_identity_and_the_zero_vector_come_first(group):
    np.testing.assert_array_equal(group.rotations[0], np.eye(3))
    assert not group.translations[0].any() and not group.centring_vectors[0].any()


@in_every_group
def test_operations_form_a_group(group):
    inside = operations_of(group)
    assert len(inside) == len(group.rotations) * len(group.centring_vectors)
    w, t = group.rotations.astype(int), group.translations
    products = np.einsum("aij,bjk->abik", w, w).reshape(-1, 3, 3)
    shifts = (np.einsum("aij,bj->abi", w, t) + t[:, None]).reshape(-1, 3)
    assert all_operations(products, shifts, group.centring_vectors) == inside


@in_every_group
def test_rotations_are_distinct_modulo_centring(group):
    assert len({w.tobytes() for w in group.rotations}) == len(group.rotations)


@in_every_group
def test_spglib_has_the_same_operations_in_the_reference_setting(group):
    hall_number = reference_hall_number(group.number)
    assert spglib.get_spacegroup_type(hall_number).number == group.number
    theirs = spglib.get_symmetry_from_database(hall_number)
    none = np.zeros((1, 3))
    assert operations_of(group) == all_operations(
        theirs["rotations"], theirs["translations"], none
    )


@in_every_group
def test_inversion_is_at_the_origin_where_there_is_one(group):
    inversion = [
        t
        for w, t in zip(group.rotations, group.translations, strict=True)
        if (w == -np.eye(3)).all()
    ]
    assert bool(inversion) == group.is_centrosymmetric
    if inversion:
        shift = inversion[0] + group.centring_vectors
        assert np.isclose(shift, np.rint(shift)).all(axis=1).any()


@in_every_group
def test_point_group_and_laue_class_are_those_of_the_rotations(group):
    def symbol(rotations):
        return spglib.get_pointgroup(rotations)[0].strip()

    # spglib writes the setting of some symbols otherwise.
    spelling = {"-4m2": "-42m", "312": "32", "-6m2": "-62m"}
    point_group = symbol(group.rotations)
    assert spelling.get(point_group, point_group) == spelling.get(
        group.point_group, group.point_group
    )
    with_inversion = np.unique(np.vstack([group.rotations, -group.rotations]), axis=0)
    assert symbol(with_inversion) == group.laue_class


@in_every_group
def test_some_vector_is_invariant_in_polar_groups_and_only_there(group):
    displacements = (group.rotations - np.eye(3)).reshape(-1, 3)
    assert group.is_polar == (np.linalg.matrix_rank(displacements) < 3)
    polar = {"1", "2", "m", "mm2", "4", "4mm", "3", "3m", "6", "6mm"}
    assert group.is_polar == (group.point_group in polar)


def test_there_are_92_centrosymmetric_and_68_polar_groups():
    assert sum(group.is_centrosymmetric for group in SPACE_GROUPS) == 92
    assert sum(group.is_polar for group in SPACE_GROUPS) == 68


@in_every_group
def test_crystal_and_lattice_systems_follow_from_number_and_centring(group):
    last = [2, 15, 74, 142, 167, 194, 230]
    systems = "triclinic monoclinic orthorhombic tetragonal trigonal hexagonal cubic"
    system = systems.split()[np.searchsorted(last, group.number)]
    assert group.crystal_system == system
    trigonal = "rhombohedral" if group.centring == "R" else "hexagonal"
    assert group.lattice_system == (trigonal if system == "trigonal" else system)
    assert group.lattice_system in LATTICE_SYSTEMS
    sizes = {"P": 1, "A": 2, "C": 2, "I": 2, "R": 3, "F": 4}
    assert len(group.centring_vectors) == sizes[group.centring]


def test_seven_groups_are_rhombohedral():
    rhombohedral = [g.number for g in SPACE_GROUPS if g.centring == "R"]
    assert rhombohedral == [146, 148, 155, 160, 161, 166, 167]


def test_eleven_pairs_are_mirror_images_of_each_other():
    pairs = {(g.number, g.enantiomorph) for g in SPACE_GROUPS if g.enantiomorph}
    assert pairs == {p for a, b in ENANTIOMORPHIC_PAIRS for p in ((a, b), (b, a))}


@in_every_group
def test_names_and_setting_are_those_of_gemmi(group):
    theirs = gemmi.find_spacegroup_by_ops(gemmi.symops_from_hall(group.hall))
    assert theirs.is_reference_setting()
    assert (theirs.number, theirs.hm) == (group.number, group.hermann_mauguin)


@pytest.mark.parametrize("number", [0, 231, -1])
def test_a_number_out_of_range_is_named_in_the_error(number):
    with pytest.raises(InputError, match="from 1 to 230") as error:
        space_group(number)
    assert repr(number) in str(error.value)


@in_every_group
def test_padded_symmetry_holds_the_operations_and_inert_padding(group):
    padded = symmetry(group.number)
    order, points = int(padded.order), int(padded.centring_order)
    np.testing.assert_array_equal(padded.rotations[:order], group.rotations)
    np.testing.assert_allclose(
        padded.translations[:order], group.translations, rtol=1e-7
    )
    np.testing.assert_allclose(
        padded.centring[:points], group.centring_vectors, rtol=1e-7
    )
    assert (order, points) == (len(group.rotations), len(group.centring_vectors))
    assert not padded.rotations[order:].any() and not padded.translations[order:].any()
    assert not padded.centring[points:].any()


def test_row_of_the_symmetry_table_is_the_symmetry_of_that_number():
    table = symmetry_table()
    for row in range(231):
        expected = symmetry(max(row, 1))
        jax.tree.map(
            lambda a, b, row=row: np.testing.assert_array_equal(a[row], b),
            table,
            expected,
        )


def test_symmetry_is_a_pytree_that_compiled_code_can_index():
    @jax.jit
    def images(table, number, position):
        group = jax.tree.map(lambda leaf: leaf[number], table)
        return group.rotations.astype(
            float
        ) @ position + group.translations, group.order

    position = jnp.array([0.1, 0.2, 0.3])
    moved, order = images(symmetry_table(), 14, position)
    assert order == 4 and moved.dtype == jnp.float32
    expected = [[0.1, 0.2, 0.3], [-0.1, 0.7, 0.2], [-0.1, -0.2, -0.3], [0.1, 0.3, 0.8]]
    np.testing.assert_allclose(moved[:4] % 1, np.array(expected) % 1, atol=1e-6)
    assert not moved[4:].any()


def test_dtypes_are_those_of_the_device():
    table = symmetry_table()
    assert table.rotations.dtype == table.order.dtype == np.int32
    assert table.translations.dtype == table.centring.dtype == np.float32
    assert table.rotations.shape == (231, 48, 3, 3)
    assert table.centring.shape == (231, 4, 3)
