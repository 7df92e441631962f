"""Properties that the randomisation of a crystal keeps, and those it changes."""

import jax
import numpy as np
import pytest
from examples import general_structure
from laws import for_each, in_every_group

from experiments.gap_analysis.positions import wyckoff_position
from experiments.gap_analysis.randomised import (
    MAX_TRIES,
    Kind,
    Randomiser,
    randomise_cells,
    randomise_coordinates,
)
from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.lattices import metric_tensor
from xrdjax.crystals.structure_types import analyse
from xrdjax.crystals.textbook import gallery
from xrdjax.errors import InputError
from xrdjax.known.selection import Selection
from xrdjax.prior.file import load_statistics
from xrdjax.prior.prior import make_prior
from xrdjax.prior.tables import group_row
from xrdjax.symmetry.space_groups import space_group
from xrdjax.symmetry.wyckoff import wyckoff_positions

STATISTICS = load_statistics()
GROUPS = np.asarray(STATISTICS.space_groups)
# Free coordinates on special positions, none at all, and every kind of cell.
NAMES = ("rutile", "quartz", "calcite", "corundum", "spinel", "halite", "anatase")
KNOWN = [analyse(gallery(name)) for name in NAMES]
KNOWN = [analysis for analysis in KNOWN if analysis.space_group in GROUPS]
# x, y, z that are no special position's, and 1 for the constants of a map.
GENERAL = np.array([0.1379, 0.2843, 0.4127, 1.0])


@pytest.fixture(scope="module")
def prior():
    return jax.device_put(make_prior(STATISTICS))


def selection_of(known):
    rows = [group_row(STATISTICS, analysis.space_group) for analysis in known]
    return Selection(
        structures=tuple(analysis.standard for analysis in known),
        labels=np.array(rows),
        type_keys=tuple(analysis.type_key for analysis in known),
        counts={},
        failures=(),
    )


def randomise_known(prior, kind, known=KNOWN, seed=0, max_edge=500.0):
    randomiser = Randomiser(prior, kind, symprec=0.01, max_edge=max_edge)
    return randomiser(jax.random.key(seed), selection_of(known))


@in_every_group
def test_every_image_of_an_atom_is_found_on_its_wyckoff_position(group):
    rng = np.random.default_rng(group.number)
    structure = general_structure(group.number)
    for position in wyckoff_positions(group.number):
        image = position.maps[rng.integers(len(position.maps))]
        assert wyckoff_position(structure, image @ GENERAL) is position


@for_each("name", NAMES)
def test_letters_are_those_that_spglib_finds(name):
    analysis = analyse(gallery(name))
    standard = analysis.standard
    letters = [wyckoff_position(standard, x).letter for x in standard.positions]
    assert tuple(letters) == analysis.wyckoff_letters


def test_sites_without_free_coordinates_stay_and_the_others_move_on_their_position():
    rutile = analyse(gallery("rutile")).standard
    moved = randomise_coordinates(np.random.default_rng(0), rutile)
    titanium = rutile.elements == 22
    np.testing.assert_array_equal(moved.positions[titanium], rutile.positions[titanium])
    before, after = rutile.positions[~titanium][0], moved.positions[~titanium][0]
    assert wyckoff_position(moved, after) is wyckoff_position(rutile, before)
    assert after[0] == after[1] != before[0] and after[2] == 0  # (x, x, 0)
    np.testing.assert_array_equal(moved.lattice, rutile.lattice)


def test_free_coordinates_are_uniform():
    rutile = analyse(gallery("rutile")).standard
    rng = np.random.default_rng(0)
    x = [randomise_coordinates(rng, rutile).positions[-1, 0] for _ in range(400)]
    assert np.abs(np.histogram(x, 4, (0, 1))[0] - 100).max() < 40  # five sigma


def test_elements_that_share_a_site_still_share_it():
    mixed = structure_from_sites(
        "mixed spinel",
        227,
        (8.2, 8.2, 8.2, 90, 90, 90),
        ["Mg", "Al", "O", "S"],
        [(0.125,) * 3, (0.5,) * 3, (0.262,) * 3, (0.262,) * 3],
        [1.0, 1.0, 0.8, 0.2],
    )
    moved = randomise_coordinates(np.random.default_rng(1), mixed)
    assert moved.positions[2, 0] != mixed.positions[2, 0]
    np.testing.assert_array_equal(moved.positions[2], moved.positions[3])


def test_a_new_shape_keeps_volume_group_and_coordinates(prior):
    known = [a.standard for a in KNOWN]
    rows = selection_of(KNOWN).labels
    for old, new in zip(
        known, randomise_cells(jax.random.key(3), prior, known, rows), strict=True
    ):
        assert new.volume == pytest.approx(old.volume, rel=1e-12)
        np.testing.assert_array_equal(new.positions, old.positions)
        metric = metric_tensor(new.lattice)
        for rotation in new.rotations:  # W^T G W = G
            np.testing.assert_allclose(
                rotation.T @ metric @ rotation, metric, atol=1e-9 * metric.max()
            )
        cubic = space_group(new.space_group).lattice_system == "cubic"
        ratio_old, ratio_new = (s.unit_cell[2] / s.unit_cell[0] for s in (old, new))
        assert (abs(ratio_new / ratio_old - 1) < 1e-6) == cubic


@for_each("kind", [Kind(True, False), Kind(False, True), Kind(True, True)])
def test_a_randomised_crystal_keeps_its_structure_type(kind, prior):
    randomised = randomise_known(prior, kind)
    assert randomised.changed.any()
    assert randomised.drawn == randomised.changed.sum() + randomised.rejected
    for known, new, changed in zip(
        KNOWN, randomised.structures, randomised.changed, strict=True
    ):
        again = analyse(new)
        assert again.space_group == known.space_group
        assert again.type_key == known.type_key
        assert new.name == known.standard.name
        np.testing.assert_array_equal(new.elements, known.standard.elements)
        np.testing.assert_array_equal(new.occupancies, known.standard.occupancies)
        same = np.array_equal(new.positions, known.standard.positions)
        assert not (changed and same and not kind.cell)
        assert changed or new is known.standard


def test_a_draw_depends_on_the_seed_alone(prior):
    def positions(seed):
        randomised = randomise_known(prior, Kind(True, False), seed=seed)
        return randomised.structures[0].positions

    np.testing.assert_array_equal(positions(1), positions(1))
    assert not np.array_equal(positions(1), positions(2))


def test_a_crystal_that_no_draw_suits_is_abandoned(prior):
    # of all the crystals, as for those one program is compiled already
    randomised = randomise_known(prior, Kind(False, True), max_edge=0.1)
    for crystal, changed in zip(randomised.structures, randomised.changed, strict=True):
        assert (crystal is None) == changed
    tries = MAX_TRIES * randomised.changed.sum()
    assert randomised.drawn == randomised.rejected == tries


def test_a_crystal_without_a_space_group_is_refused():
    nameless = general_structure(1)
    object.__setattr__(nameless, "space_group", None)
    with pytest.raises(InputError, match="reference setting"):
        wyckoff_position(nameless, np.zeros(3))
