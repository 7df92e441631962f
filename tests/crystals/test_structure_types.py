"""Structure types, and the reference setting, however a crystal is written."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from laws import for_each, in_every_group
from published import cif_texts

from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.cif import read_text
from xrdjax.crystals.crystal import Structure, expand_sites
from xrdjax.crystals.lattices import reciprocal_lattice
from xrdjax.crystals.structure_types import analyse
from xrdjax.errors import InputError
from xrdjax.known.analyses import analyse_all
from xrdjax.symmetry.search import reference_operations
from xrdjax.symmetry.space_groups import space_group
from xrdjax.symmetry.wyckoff import wyckoff_positions


def _crystal(name, number, cell, sites, **options):
    """A crystal in the reference setting; sites are (symbol, position)."""
    symbols, positions = zip(*sites, strict=True)
    return structure_from_sites(name, number, cell, symbols, positions, **options)


def _cubic(a):
    return (a, a, a, 90, 90, 90)


def _hexagonal(a, c):
    return (a, a, c, 90, 90, 120)


# Crystals, and the structure type that follows from the multiplicities of their sites
# in International Tables A.
KNOWN = [
    (
        _crystal("copper", 225, _cubic(3.61), [("Cu", (0, 0, 0))]),
        "225 A 4",
    ),
    (
        _crystal(
            "halite", 225, _cubic(5.64), [("Na", (0, 0, 0)), ("Cl", (0.5, 0.5, 0.5))]
        ),
        "225 AB 4 4",
    ),
    (
        _crystal(
            "fluorite", 225, _cubic(5.46), [("F", (0.25,) * 3), ("Ca", (0, 0, 0))]
        ),
        "225 AB2 4 8",
    ),
    (
        _crystal("diamond", 227, _cubic(3.567), [("C", (0.125,) * 3)]),
        "227 A 8",
    ),
    (
        _crystal(
            "spinel",
            227,
            _cubic(8.083),
            [("Mg", (0.125,) * 3), ("Al", (0.5,) * 3), ("O", (0.2624,) * 3)],
        ),
        "227 AB2C4 8 16 32",
    ),
    (
        _crystal(
            "perovskite",
            221,
            _cubic(3.905),
            [("Sr", (0, 0, 0)), ("Ti", (0.5,) * 3), ("O", (0.5, 0.5, 0))],
        ),
        "221 ABC3 1 1 3",
    ),
    (
        _crystal(
            "rutile",
            136,
            (4.594, 4.594, 2.959, 90, 90, 90),
            [("Ti", (0, 0, 0)), ("O", (0.305, 0.305, 0))],
        ),
        "136 AB2 2 4",
    ),
    (
        _crystal(
            "anatase",
            141,
            (3.785, 3.785, 9.514, 90, 90, 90),
            [("Ti", (0, 0.75, 0.125)), ("O", (0, 0.25, 0.0834))],
        ),
        "141 AB2 4 8",
    ),
    (
        _crystal(
            "wurtzite",
            186,
            _hexagonal(3.25, 5.207),
            [("Zn", (1 / 3, 2 / 3, 0)), ("O", (1 / 3, 2 / 3, 0.382))],
        ),
        "186 AB 2 2",
    ),
    (
        _crystal(
            "corundum",
            167,
            _hexagonal(4.759, 12.993),
            [("Al", (0, 0, 0.3522)), ("O", (0.3063, 0, 0.25))],
        ),
        "167 A2B3 12 18",
    ),
    (
        _crystal(
            "quartz",
            154,
            _hexagonal(4.913, 5.405),
            [("Si", (0.4697, 0, 2 / 3)), ("O", (0.4135, 0.2669, 0.7858))],
        ),
        "152 AB2 3 6",  # 154 is the mirror image of 152
    ),
    (
        _crystal(
            "baddeleyite",
            14,
            (5.169, 5.232, 5.341, 90, 99.25, 90),
            [
                ("Zr", (0.2758, 0.0411, 0.2082)),
                ("O", (0.0703, 0.3359, 0.3406)),
                ("O", (0.4423, 0.7549, 0.4789)),
            ],
        ),
        "14 AB2 4 4+4",
    ),
    (
        _crystal(
            "aragonite",
            62,
            (5.741, 4.961, 7.967, 90, 90, 90),
            [
                ("Ca", (0.7597, 0.25, 0.4150)),
                ("C", (0.9138, 0.25, 0.7622)),
                ("O", (0.9225, 0.25, 0.9222)),
                ("O", (0.9126, 0.4736, 0.6807)),
            ],
        ),
        "62 ABC3 4 4 4+8",
    ),
    (
        _crystal(
            "kyanite, shortened",
            2,
            (7.126, 7.852, 5.572, 89.99, 101.11, 106.03),
            [("Al", (0.325, 0.704, 0.458)), ("O", (0.109, 0.147, 0.129))],
        ),
        "2 AB 2 2",
    ),
]
for_each_crystal = for_each(("structure", "key"), KNOWN, lambda case: case[0].name)


def _unimodular(rng):
    """A random change of basis [3, 3] with determinant 1 and small entries."""
    matrix = np.eye(3, dtype=int)
    for _ in range(3):
        i, j = rng.permutation(3)[:2]
        matrix[i] += rng.integers(-1, 2) * matrix[j]
    return matrix[:, [1, 2, 0]]


def _rewritten(structure, basis, origin):
    """The same crystal as a list of atoms without symmetry, on another cell.

    a'_i = sum_j basis_ij a_j, x' = (x - origin) basis^-1; a basis of determinant n
    gives a cell n times as large.
    """
    positions, sites = expand_sites(structure)
    size = round(abs(np.linalg.det(basis)))
    steps = np.array(list(itertools.product(range(-size, size + 1), repeat=3)))
    images = (positions[:, None] + steps[None] - origin) @ np.linalg.inv(basis)
    images = np.mod(np.round(np.mod(images, 1.0), 9), 1.0)
    atoms, owners = [], []
    for site, cell in zip(sites, images, strict=True):
        distinct = np.unique(cell, axis=0)
        assert len(distinct) == size
        atoms.append(distinct)
        owners += [site] * size
    return Structure(
        name=structure.name,
        lattice=basis @ structure.lattice,
        positions=np.concatenate(atoms),
        elements=structure.elements[owners],
        occupancies=structure.occupancies[owners],
        b_iso=structure.b_iso[owners],
        rotations=np.eye(3, dtype=int)[None],
        translations=np.zeros((1, 3)),
    )


def _mirrored(structure):
    """The other hand of a crystal, as a list of atoms: x' = -x."""
    atoms = _rewritten(structure, np.eye(3, dtype=int), np.zeros(3))
    return dataclasses.replace(atoms, positions=np.mod(-atoms.positions, 1.0))


def _contents(structure):
    """Electrons of each element in a cubic angstrom."""
    _, sites = expand_sites(structure)
    electrons = (structure.elements * structure.occupancies)[sites]
    return np.bincount(structure.elements[sites], electrons, 99) / structure.volume


def _powder_lines(structure, d_min):
    """Lines as (1/d^2, sum of |F|^2 / V^2), with point atoms of Z electrons."""
    positions, sites = expand_sites(structure)
    reciprocal = reciprocal_lattice(structure.lattice)
    # |h_i| = |g . a_i| <= |a_i| / d
    limits = np.floor(np.linalg.norm(structure.lattice, axis=1) / d_min).astype(int)
    h = np.array(list(itertools.product(*(range(-n, n + 1) for n in limits))))
    squares = np.sum((h @ reciprocal) ** 2, axis=1)
    chosen = (squares > 1e-9) & (squares < d_min**-2)
    h, squares = h[chosen], squares[chosen]
    weights = (structure.elements * structure.occupancies)[sites]
    f = np.exp(2j * np.pi * h @ positions.T) @ weights
    power = np.abs(f / structure.volume) ** 2
    order = np.argsort(squares)
    squares, power = squares[order], power[order]
    line = np.cumsum(np.r_[0, np.diff(squares) > 1e-6])
    lines = np.stack(
        [np.bincount(line, squares) / np.bincount(line), np.bincount(line, power)]
    )
    return lines[:, lines[1] > 1e-6 * lines[1].max()]


@for_each_crystal
def test_types_of_known_crystals_are_those_of_the_textbook(structure, key):
    analysis = analyse(structure)
    assert analysis.space_group == structure.space_group
    assert analysis.type_key == key


@for_each_crystal
def test_the_type_depends_on_neither_origin_nor_basis_nor_supercell(structure, key):
    rng = np.random.default_rng(len(structure.name))
    for size in (1, 1, 1, 2):
        basis = np.diag([size, 1, 1]) @ _unimodular(rng)
        again = analyse(_rewritten(structure, basis, rng.random(3)))
        assert again.space_group == structure.space_group
        assert again.type_key == key


@for_each_crystal
def test_the_type_depends_on_neither_the_order_nor_the_names_of_elements(
    structure, key
):
    order = np.arange(len(structure.elements))[::-1]
    other = Structure(
        name=structure.name,
        lattice=structure.lattice,
        positions=structure.positions[order],
        elements=structure.elements[order] + 3,
        occupancies=structure.occupancies[order],
        b_iso=structure.b_iso[order],
        rotations=structure.rotations,
        translations=structure.translations,
    )
    assert analyse(other).type_key == key


@for_each_crystal
def test_the_two_hands_of_a_crystal_have_one_type(structure, key):
    mirrored = analyse(_mirrored(structure))
    enantiomorph = space_group(structure.space_group).enantiomorph
    assert mirrored.space_group == (enantiomorph or structure.space_group)
    assert mirrored.type_key == key


@for_each_crystal
def test_the_standard_structure_has_the_contents_and_the_powder_lines_of_the_crystal(
    structure, key
):
    rng = np.random.default_rng(1)
    written = _rewritten(structure, _unimodular(rng), rng.random(3))
    standard = analyse(written).standard
    np.testing.assert_allclose(_contents(standard), _contents(structure), rtol=1e-6)
    d_min = structure.volume ** (1 / 3) / 3.97  # between two lines
    for other in (written, standard):
        np.testing.assert_allclose(
            _powder_lines(other, d_min), _powder_lines(structure, d_min), rtol=2e-5
        )


def _general_crystal(group):
    """Two kinds of atoms in general positions: the group's symmetry, and no more."""
    cell = {
        "triclinic": (6.1, 7.3, 8.9, 81.0, 97.0, 103.0),
        "monoclinic": (6.1, 7.3, 8.9, 90.0, 103.0, 90.0),
        "orthorhombic": (6.1, 7.3, 8.9, 90.0, 90.0, 90.0),
        "tetragonal": (6.1, 6.1, 8.9, 90.0, 90.0, 90.0),
        "rhombohedral": (6.1, 6.1, 11.9, 90.0, 90.0, 120.0),
        "hexagonal": (6.1, 6.1, 11.9, 90.0, 90.0, 120.0),
        "cubic": (9.1, 9.1, 9.1, 90.0, 90.0, 90.0),
    }[group.lattice_system]
    rotations, translations = reference_operations(group.number)
    lattice = structure_from_sites("cell", 1, cell, ["H"], [(0, 0, 0)]).lattice
    return Structure(
        name=group.hermann_mauguin,
        lattice=lattice,
        positions=np.array([(0.0731, 0.1389, 0.3071), (0.2113, 0.0541, 0.1259)]),
        elements=np.array([26, 8]),
        occupancies=np.ones(2),
        b_iso=np.zeros(2),
        rotations=rotations,
        translations=translations,
        space_group=group.number,
    )


@in_every_group
def test_every_group_is_found_again_in_its_reference_setting(group):
    crystal = _general_crystal(group)
    rng = np.random.default_rng(group.number)
    # a primitive cell, as a file may have it, at another origin
    written = _rewritten(crystal, np.eye(3, dtype=int)[[1, 2, 0]], rng.random(3))
    analysis = analyse(written)
    general = wyckoff_positions(group.number)[-1]
    assert analysis.space_group == group.number
    assert analysis.wyckoff_letters == (general.letter,) * 2
    assert analysis.multiplicities == (general.multiplicity,) * 2
    _, sites = expand_sites(analysis.standard)
    assert tuple(np.bincount(sites)) == analysis.multiplicities
    hand = min(group.number, group.enantiomorph or group.number)
    m = general.multiplicity
    assert analysis.type_key == f"{hand} AB {m} {m}"
    assert math.isclose(analysis.standard.volume, crystal.volume, rel_tol=1e-6)


@for_each_crystal
def test_each_site_lies_on_the_wyckoff_position_of_its_letter(structure, key):
    rng = np.random.default_rng(2)
    analysis = analyse(_rewritten(structure, _unimodular(rng), rng.random(3)))
    standard = analysis.standard
    positions, sites = expand_sites(standard)
    wyckoff = {p.letter: p for p in wyckoff_positions(analysis.space_group)}
    assert np.bincount(sites).tolist() == list(analysis.multiplicities)
    for row, letter in enumerate(analysis.wyckoff_letters):
        position = wyckoff[letter]
        assert position.multiplicity == analysis.multiplicities[row]
        # some atom of the orbit is at W (x, y, z) + w for some (x, y, z)
        w, shift = position.maps[0, :, :3], position.maps[0, :, 3]
        steps = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
        d = (positions[sites == row][:, None] + steps[None] - shift).reshape(-1, 3)
        coordinates, *_ = np.linalg.lstsq(w, d.T, rcond=None)
        assert np.min(np.max(np.abs(w @ coordinates - d.T), axis=0)) < 1e-6


@for_each_crystal
def test_analysing_the_standard_structure_changes_nothing(structure, key):
    first = analyse(structure)
    again = analyse(first.standard)
    assert again.type_key == first.type_key
    assert sorted(again.multiplicities) == sorted(first.multiplicities)
    np.testing.assert_allclose(again.standard.lattice, first.standard.lattice)


def _mixed_halite(occupancies):
    sites = [("Mg", (0, 0, 0)), ("Fe", (0, 0, 0)), ("O", (0.5, 0.5, 0.5))]
    return _crystal("mixed", 225, _cubic(4.25), sites, occupancies=occupancies)


def test_a_mixed_site_is_one_site_of_one_species():
    analysis = analyse(_mixed_halite([0.3, 0.7, 1.0]))
    assert analysis.type_key == "225 AB 4 4"
    assert analysis.sites in ((0, 0, 1), (0, 1, 1))
    rows = analysis.standard
    content = dict(zip(rows.elements.tolist(), rows.occupancies.tolist(), strict=True))
    assert content == {8: 1.0, 12: 0.3, 26: 0.7}
    assert len(set(analysis.wyckoff_letters)) == 2


def test_rows_that_lie_less_than_a_hundredth_of_an_angstrom_apart_share_a_site():
    structure = _mixed_halite([0.3, 0.7, 1.0])
    structure.positions[1] += 0.005 / 4.25
    assert analyse(structure).type_key == "225 AB 4 4"


def test_different_occupancy_is_a_different_species():
    def cesium_chloride(first, second):
        sites = [("Fe", (0, 0, 0)), ("Co", (0, 0, 0))]
        sites += [("Fe", (0.5,) * 3), ("Co", (0.5,) * 3)]
        occupancies = [first, 1 - first, second, 1 - second]
        return analyse(
            _crystal("alloy", 221, _cubic(2.86), sites, occupancies=occupancies)
        )

    assert cesium_chloride(0.5, 0.5).type_key == "229 A 2"
    assert cesium_chloride(0.5, 0.6).type_key == "221 AB 1 1"


def test_a_vacancy_is_part_of_the_pattern():
    sites = [("Fe", (0, 0, 0)), ("Fe", (0.5,) * 3)]
    for occupancies, key in (((1.0, 1.0), "229 A 2"), ((1.0, 0.9), "221 AB 1 1")):
        crystal = _crystal("iron", 221, _cubic(2.86), sites, occupancies=occupancies)
        assert analyse(crystal).type_key == key


def test_an_empty_site_changes_nothing():
    sites = [("Cu", (0, 0, 0)), ("O", (0.25,) * 3)]
    crystal = _crystal("copper", 225, _cubic(3.61), sites)
    analysis = analyse(dataclasses.replace(crystal, occupancies=np.array([1.0, 0.0])))
    assert analysis.type_key == "225 A 4"
    assert analysis.standard.elements.tolist() == [29]


def test_displacements_go_with_their_elements():
    sites = [("Na", (0, 0, 0)), ("Cl", (0.5, 0.5, 0.5))]
    crystal = _crystal("halite", 225, _cubic(5.64), sites, b_iso=(1.5, 2.5))
    standard = analyse(crystal).standard
    assert dict(zip(standard.elements.tolist(), standard.b_iso, strict=True)) == {
        11: 1.5,
        17: 2.5,
    }


def test_a_crystal_without_atoms_is_named():
    empty = dataclasses.replace(KNOWN[0][0], occupancies=np.zeros(1))
    with pytest.raises(InputError, match="copper has no occupied site"):
        analyse(empty)


def _overlapping():
    """Two images of one atom, nearer to each other than a coarse symprec."""
    site = ("H", (0.005, 0.005, 0.005))
    return _crystal("overlap", 2, (5, 6, 7, 80, 85, 75), [site], occupancies=[0.5])


def test_overlapping_atoms_are_an_error_that_says_what_to_do():
    with pytest.raises(InputError, match="overlap within 0.2 angstrom.*symprec"):
        analyse(_overlapping(), symprec=0.2)


def test_what_cannot_be_analysed_is_named_and_the_others_are_analysed():
    structures = [KNOWN[0][0], _overlapping(), KNOWN[1][0]]
    analyses, failures = analyse_all(structures, symprec=0.2)
    assert [a.standard.name for a in analyses] == ["copper", "halite"]
    assert [failure.name for failure in failures] == ["overlap"]
    assert "symprec" in failures[0].reason


def _sample(path, every):
    """One in so many of the crystals of a folder or zip."""
    texts = cif_texts(path, every)
    return [s for name, text in texts.items() for s in read_text(text, name).structures]


def test_atoms_have_the_group_that_their_files_state(numbered_cifs):
    every = {"gallery": 1, "mp_experimental_cifs.zip": 130}[numbered_cifs.name]
    structures = _sample(numbered_cifs, every)
    analyses, failures = analyse_all(structures)
    assert len(structures) == len(analyses) > 100
    assert not failures
    for structure, analysis in zip(structures, analyses, strict=True):
        assert analysis.space_group == structure.space_group
        _, sites = expand_sites(analysis.standard)
        assert tuple(np.bincount(sites)) == analysis.multiplicities
        np.testing.assert_allclose(
            _contents(analysis.standard), _contents(structure), rtol=1e-6
        )


def test_all_but_few_files_of_any_kind_state_the_full_symmetry(collected_cifs):
    every = {"data": 1, "cod_cifs.zip": 4}[collected_cifs.name]
    structures = _sample(collected_cifs, every)
    analyses, failures = analyse_all(structures)
    assert len(structures) == len(analyses) >= 16
    assert not failures
    same = [
        analysis.space_group == structure.space_group
        for structure, analysis in zip(structures, analyses, strict=True)
    ]
    # a few hand-typed files state too little
    assert np.mean(same) > 0.95
