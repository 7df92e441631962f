import itertools
import re
import warnings
from fractions import Fraction

import gemmi
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import spglib
from laws import for_each, in_every_group

from xrdjax.errors import InputError
from xrdjax.symmetry.search import reference_hall_number
from xrdjax.symmetry.wyckoff import LETTERS, wyckoff_positions, wyckoff_table

# spglib warns on every call that its functions will raise in the future.
pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING")


CELLS = {  # angstrom and degrees; generic within each lattice system
    "triclinic": (31, 34, 37, 94, 98, 101),
    "monoclinic": (31, 34, 37, 90, 99, 90),
    "orthorhombic": (31, 34, 37, 90, 90, 90),
    "tetragonal": (31, 31, 37, 90, 90, 90),
    "rhombohedral": (31, 31, 37, 90, 90, 120),
    "hexagonal": (31, 31, 37, 90, 90, 120),
    "cubic": (35, 35, 35, 90, 90, 90),
}


def generic_coordinates(*key: int) -> np.ndarray:
    """(x, y, z, 1) at random."""
    return np.append(np.random.default_rng(key).random(3), 1.0)


def offsets(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Largest fractional difference of each a from each b, modulo 1."""
    difference = a[:, None] - b
    return np.abs(difference - np.rint(difference)).max(axis=-1)


def orbit(group, point: np.ndarray) -> np.ndarray:
    """All atoms of the conventional cell that the group makes of one."""
    images = group.rotations @ point + group.translations
    images = (images[:, None] + group.centring_vectors).reshape(-1, 3) % 1.0
    same = offsets(images, images) < 1e-6
    return images[~np.tril(same, -1).any(axis=1)]


def conventional_atoms(group, position, coordinates: np.ndarray) -> np.ndarray:
    atoms = position.maps @ coordinates
    return (atoms[:, None] + group.centring_vectors).reshape(-1, 3) % 1.0


def test_there_are_1731_positions_and_27_letters_in_group_47_alone():
    counts = [len(wyckoff_positions(number)) for number in range(1, 231)]
    assert sum(counts) == 1731
    assert [n for n, count in enumerate(counts, 1) if count >= 27] == [47]
    assert wyckoff_positions(47)[-1].letter == "A"


@in_every_group
def test_letters_are_consecutive_and_the_general_position_is_last(group):
    positions = wyckoff_positions(group.number)
    letters = "".join(position.letter for position in positions)
    assert letters == LETTERS[: len(positions)]
    general = positions[-1]
    assert general.free == (True, True, True) and general.site_symmetry == "1"
    np.testing.assert_array_equal(general.maps[:, :, :3], group.rotations)
    np.testing.assert_allclose(general.maps[:, :, 3], group.translations % 1)
    assert all(len(p.maps) < len(general.maps) for p in positions[:-1])
    multiplicities = [position.multiplicity for position in positions]
    assert multiplicities == sorted(multiplicities)


@in_every_group
def test_maps_are_the_images_of_the_first_under_the_operations(group):
    for position in wyckoff_positions(group.number):
        first = position.maps[0]
        images = group.rotations @ first
        images[:, :, 3] += group.translations
        found = np.zeros((len(images), len(position.maps)), bool)
        for centring in group.centring_vectors:
            difference = images[:, None] - position.maps
            difference[..., 3] += centring
            difference[..., 3] -= np.rint(difference[..., 3])
            found |= np.abs(difference).max(axis=(-1, -2)) < 1e-9
        assert (found.sum(axis=1) == 1).all() and found.any(axis=0).all()


@in_every_group
def test_atoms_of_an_orbit_are_distinct_and_as_many_as_the_multiplicity(group):
    for position in wyckoff_positions(group.number):
        atoms = conventional_atoms(
            group, position, generic_coordinates(1, group.number)
        )
        assert len(atoms) == position.multiplicity
        assert len(position.maps) * len(group.centring_vectors) == len(atoms)
        apart = offsets(atoms, atoms) + np.eye(len(atoms))
        assert apart.min() > 1e-6


@in_every_group
def test_an_orbit_is_all_that_the_operations_make_of_its_first_atom(group):
    for position in wyckoff_positions(group.number):
        coordinates = generic_coordinates(2, group.number)
        atoms = conventional_atoms(group, position, coordinates)
        images = orbit(group, position.maps[0] @ coordinates)
        assert len(images) == len(atoms)
        assert (offsets(images, atoms) < 1e-6).any(axis=1).all()


@in_every_group
def test_one_period_of_the_free_coordinates_covers_the_position(group):
    """Integer coefficients: adding 1 to a coordinate is a lattice translation."""
    for position in wyckoff_positions(group.number):
        coefficients, free = position.maps[:, :, :3], np.array(position.free)
        np.testing.assert_array_equal(coefficients, np.rint(coefficients))
        assert not coefficients[:, :, ~free].any()
        rank = np.linalg.matrix_rank(coefficients)
        assert (rank == free.sum()).all()
        # The representative shows its free coordinates as they are.
        np.testing.assert_array_equal(coefficients[0][free][:, free], np.eye(rank[0]))
        assert (position.maps[..., 3] >= 0).all() and (position.maps[..., 3] < 1).all()


@in_every_group
def test_the_site_symmetry_symbol_names_the_operations_that_fix_the_atom(group):
    order_of_axes = {"2mm": "mm2", "m2m": "mm2", "-4m2": "-42m", "-6m2": "-62m"}
    for position in wyckoff_positions(group.number):
        atom = position.maps[0] @ generic_coordinates(3, group.number)
        images = group.rotations @ atom + group.translations
        images = images[:, None] + group.centring_vectors
        fixes = (offsets(images.reshape(-1, 3), atom[None]) < 1e-6).reshape(
            images.shape[:2]
        )
        rotations = group.rotations[fixes.any(axis=1)]
        assert len(rotations) * len(position.maps) == len(group.rotations)
        found = spglib.get_pointgroup(rotations)[0].strip()
        named = position.site_symmetry.replace(".", "")
        assert order_of_axes.get(named, named) == order_of_axes.get(found, found)


@in_every_group
def test_spglib_finds_the_same_letter_multiplicity_and_site_symmetry(group):
    """One species on each position, three more general ones against symmetry."""
    positions = wyckoff_positions(group.number)
    sites = [
        orbit(group, position.maps[0] @ generic_coordinates(4, group.number, k))
        for k, position in enumerate(positions + positions[-1:] * 3)
    ]
    species = np.repeat(range(len(sites)), [len(site) for site in sites])
    cell = gemmi.UnitCell(*CELLS[group.lattice_system])
    found = spglib.get_symmetry_dataset(
        (np.array(cell.orth.mat.tolist()).T, np.concatenate(sites), species),
        symprec=1e-4,
        hall_number=reference_hall_number(group.number),
    )
    assert found.number == group.number
    np.testing.assert_allclose(found.transformation_matrix, np.eye(3), atol=1e-6)
    shift = found.origin_shift
    np.testing.assert_allclose(shift, np.rint(shift), atol=1e-6)
    for k, position in enumerate(positions):
        atoms = np.flatnonzero(species == k)
        assert len(set(found.equivalent_atoms[atoms])) == 1
        assert len(atoms) == position.multiplicity
        assert {found.wyckoffs[a] for a in atoms} == {position.letter}
        symbols = {found.site_symmetry_symbols[a] for a in atoms}
        assert symbols == {position.site_symmetry}


@pytest.fixture(scope="module")
def pyxtal_group():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("pyxtal.symmetry").Group


@in_every_group
def test_pyxtal_has_the_same_spaces_under_each_letter(group, pyxtal_group):
    shifts = np.array(list(itertools.product(range(-2, 3), repeat=3)))
    theirs = {w.letter: w for w in pyxtal_group(group.number).Wyckoff_positions}
    positions = wyckoff_positions(group.number)
    assert sorted(theirs) == sorted(position.letter for position in positions)
    for position in positions:
        other = theirs[position.letter]
        assert other.multiplicity == position.multiplicity
        spaces = np.array([op.affine_matrix[:3] for op in other.ops])
        linear, constant = spaces[:, :, :3], spaces[:, :, 3]
        rank = np.linalg.matrix_rank(linear)
        assert (rank == sum(position.free)).all()
        # A generic point of ours is on one of their spaces, of the same dimension.
        point = position.maps[0] @ generic_coordinates(5, group.number)
        normal = np.eye(3) - linear @ np.linalg.pinv(linear)
        residual = (point - constant)[:, None] - shifts
        residual = np.einsum("mij,mtj->mti", normal, residual)
        assert np.abs(residual).max(axis=-1).min() < 1e-6


def coordinates_text(position) -> str:
    """Coordinates of the representative as the International Tables print them."""
    texts = []
    for *coefficients, constant in position.maps[0].tolist():
        terms = zip(coefficients, "xyz", strict=True)
        text = "".join(f"{factor:+.0f}{axis}" for factor, axis in terms if factor)
        if constant or not text:
            text += f"+{Fraction(constant).limit_denominator(24)}"
        texts.append(re.sub(r"\b1(?=[xyz])", "", text).removeprefix("+"))
    return ",".join(texts)


@for_each(
    ("number", "letter", "multiplicity", "symbol", "coordinates"),
    [  # International Tables for Crystallography A
        (1, "a", 1, "1", "x,y,z"),
        (2, "h", 1, "-1", "1/2,1/2,1/2"),
        (5, "b", 2, "2", "0,y,1/2"),
        (15, "e", 4, "2", "0,y,1/4"),
        (20, "a", 4, "2..", "x,0,0"),
        (39, "c", 4, ".m.", "x,1/4,z"),
        (62, "c", 4, ".m.", "x,1/4,z"),
        (98, "f", 8, ".2.", "x,1/4,1/8"),
        (141, "b", 4, "-4m2", "0,1/4,3/8"),
        (150, "f", 3, ".2.", "x,0,1/2"),
        (164, "i", 6, ".m.", "x,-x,z"),
        (166, "h", 18, ".m", "x,-x,z"),
        (181, "i", 6, "..2", "x,2x,0"),
        (205, "c", 8, ".3.", "x,x,x"),
        (221, "m", 24, "..m", "x,x,z"),
        (225, "h", 48, "m.m2", "0,y,y"),
        (225, "j", 96, "m..", "0,y,z"),
        (227, "a", 8, "-43m", "1/8,1/8,1/8"),
        (227, "c", 16, ".-3m", "0,0,0"),
        (227, "h", 96, "..2", "0,y,-y"),
        (230, "f", 48, "2..", "x,0,1/4"),
    ],
)
def test_positions_of_the_international_tables(
    number, letter, multiplicity, symbol, coordinates
):
    position = wyckoff_positions(number)[LETTERS.index(letter)]
    assert (position.multiplicity, position.site_symmetry) == (multiplicity, symbol)
    assert coordinates_text(position) == coordinates


@in_every_group
def test_the_padded_table_holds_the_positions(group):
    table, positions = wyckoff_table(), wyckoff_positions(group.number)
    row = group.number
    for column, position in enumerate(positions):
        size, first = (
            table.primitive_multiplicity[row, column],
            table.first_map[row, column],
        )
        assert table.multiplicity[row, column] == position.multiplicity
        assert tuple(table.free[row, column]) == position.free
        np.testing.assert_array_equal(
            table.maps[first : first + size], position.maps.astype(np.float32)
        )
    beyond = slice(len(positions), None)
    assert not table.multiplicity[row, beyond].any()
    assert not table.primitive_multiplicity[row, beyond].any()
    assert not table.free[row, beyond].any()


def test_row_zero_of_the_padded_table_is_a_copy_of_row_one():
    table = wyckoff_table()
    for column in (table.multiplicity, table.primitive_multiplicity, table.first_map):
        assert column.shape == (231, 27) and column.dtype == np.int32
        np.testing.assert_array_equal(column[0], column[1])
    np.testing.assert_array_equal(table.free[0], table.free[1])
    assert table.maps.dtype == np.float32
    assert table.primitive_multiplicity[1:].sum() == len(table.maps)


def test_compiled_code_can_look_an_orbit_up_in_the_table():
    @jax.jit
    def first_atoms(table, number, letter, coordinates):
        rows = table.first_map[number, letter] + jnp.arange(4)
        return table.maps[rows, :, :3] @ coordinates + table.maps[rows, :, 3]

    x, z = 0.125, 0.25  # in 62 c the atoms lie at y = 1/4 and 3/4
    atoms = first_atoms(wyckoff_table(), 62, 2, jnp.array([x, 0.7, z]))
    expected = np.array(
        [
            [x, 0.25, z],
            [0.5 - x, 0.75, z + 0.5],
            [-x, 0.75, -z],
            [x + 0.5, 0.25, 0.5 - z],
        ]
    )
    assert (offsets(np.asarray(atoms), expected) < 1e-6).any(axis=1).all()
    assert (offsets(expected, np.asarray(atoms)) < 1e-6).any(axis=1).all()


def test_a_group_out_of_range_is_refused():
    with pytest.raises(InputError, match="from 1 to 230"):
        wyckoff_positions(231)
