"""The analysis of a crystal: its group and its structure in the reference setting."""

import itertools
import math

import numpy as np
from examples import general_structure
from laws import for_each, in_every_group
from published import cif_texts
from typed_crystals import KNOWN, contents, crystal, cubic, rewritten, unimodular

from xrdjax.crystals.cif import read_text
from xrdjax.crystals.crystal import expand_sites
from xrdjax.crystals.lattices import reciprocal_lattice
from xrdjax.crystals.structure_types import analyse
from xrdjax.known.analyses import analyse_all
from xrdjax.symmetry.wyckoff import wyckoff_positions

for_each_crystal = for_each(("structure", "key"), KNOWN, lambda case: case[0].name)


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
def test_the_standard_structure_has_the_contents_and_the_powder_lines_of_the_crystal(
    structure, key
):
    rng = np.random.default_rng(1)
    written = rewritten(structure, unimodular(rng), rng.random(3))
    standard = analyse(written).standard
    np.testing.assert_allclose(contents(standard), contents(structure), rtol=1e-6)
    d_min = structure.volume ** (1 / 3) / 3.97  # between two lines
    for other in (written, standard):
        np.testing.assert_allclose(
            _powder_lines(other, d_min), _powder_lines(structure, d_min), rtol=2e-5
        )


@in_every_group
def test_every_group_is_found_again_in_its_reference_setting(group):
    general_crystal = general_structure(group.number, (26, 8))
    rng = np.random.default_rng(group.number)
    # a primitive cell, as a file may have it, at another origin
    written = rewritten(general_crystal, np.eye(3, dtype=int)[[1, 2, 0]], rng.random(3))
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
    assert math.isclose(analysis.standard.volume, general_crystal.volume, rel_tol=1e-6)


@for_each_crystal
def test_each_site_lies_on_the_wyckoff_position_of_its_letter(structure, key):
    rng = np.random.default_rng(2)
    analysis = analyse(rewritten(structure, unimodular(rng), rng.random(3)))
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


def test_displacements_go_with_their_elements():
    sites = [("Na", (0, 0, 0)), ("Cl", (0.5, 0.5, 0.5))]
    halite = crystal("halite", 225, cubic(5.64), sites, b_iso=(1.5, 2.5))
    standard = analyse(halite).standard
    assert dict(zip(standard.elements.tolist(), standard.b_iso, strict=True)) == {
        11: 1.5,
        17: 2.5,
    }


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
            contents(analysis.standard), contents(structure), rtol=1e-6
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
