"""Traits of known crystals against values by hand, and the command as a whole."""

import itertools

import jax
import numpy as np
import pytest
from examples import general_lattice
from matplotlib.image import imread
from scipy.stats import ks_2samp

from experiments.compare_prior import __main__ as command
from experiments.compare_prior import crystals as kinds
from experiments.compare_prior.crystals import ordered, synthetic_structures
from experiments.compare_prior.table import largest_gap, table
from experiments.compare_prior.traits import Traits, measure, shortest_distance
from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.cif import write_cif
from xrdjax.crystals.elements import ATOMIC_VOLUMES, atomic_number
from xrdjax.crystals.structure_types import analyse
from xrdjax.crystals.textbook import gallery
from xrdjax.known.splits import split_by_hash
from xrdjax.prior.file import load_statistics, read_provenance
from xrdjax.prior.sites import Sites
from xrdjax.symmetry.wyckoff import wyckoff_positions

KNOWN = ("quartz", "halite", "rutile", "calcite", "spinel", "anatase", "corundum")


@pytest.mark.parametrize(
    "name,distance",
    [
        ("halite", lambda a, c: a / 2),
        ("diamond", lambda a, c: np.sqrt(3) / 4 * a),
        ("fluorite", lambda a, c: np.sqrt(3) / 4 * a),
        ("copper", lambda a, c: a / np.sqrt(2)),
        ("magnesium", lambda a, c: np.hypot(a / np.sqrt(3), c / 2)),
    ],
)
def test_the_shortest_distance_is_that_of_the_textbook(name, distance):
    crystal = gallery(name)
    a, _, c, *_ = crystal.unit_cell
    assert measure([crystal]).distances[0] == pytest.approx(distance(a, c), abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_shortest_distance_does_not_depend_on_the_cell_that_is_chosen(seed):
    rng = np.random.default_rng(seed)
    lattice = np.diag([4.0, 5.0, 6.0]) + rng.normal(0, 0.5, (3, 3))
    positions = rng.random((4, 3))
    far = np.array(list(itertools.product(range(-3, 4), repeat=3)))
    pairs = positions[:, None] - positions[None]
    vectors = (pairs[:, :, None] + far[None, None]) @ lattice
    lengths = np.linalg.norm(vectors, axis=-1)
    expected = lengths[lengths > 1e-6].min()
    oblique = np.array([[1, 0, 0], [3, 1, 0], [-2, 4, 1]])
    for change in (np.eye(3, dtype=int), oblique, oblique[::-1]):
        cell = change @ lattice
        inside = np.mod(positions @ np.linalg.inv(change), 1)
        assert shortest_distance(cell, inside, inside) == pytest.approx(expected)


def test_traits_of_fluorite_are_those_counted_by_hand():
    fluorite = gallery("fluorite")
    traits = measure([fluorite, gallery("quartz")])
    calcium, fluorine = atomic_number("Ca"), atomic_number("F")
    atoms = 4 * ATOMIC_VOLUMES[calcium] + 8 * ATOMIC_VOLUMES[fluorine]
    assert traits.space_groups[0] == 225
    assert np.flatnonzero(traits.elements[0]).tolist() == [fluorine, calcium]
    assert (traits.sites[0], traits.primitive_atoms[0]) == (2, 3)
    assert traits.packing_factors[0] == pytest.approx(fluorite.volume / atoms)
    _, _, c, *_ = gallery("quartz").unit_cell
    a = gallery("quartz").unit_cell[0]
    assert traits.ratios_of("hexagonal").tolist() == [pytest.approx(c / a)]
    assert not traits.ratios_of("tetragonal").size


def test_a_mixed_site_counts_as_its_majority_element():
    mixed = structure_from_sites(
        "ferropericlase",
        225,
        (4.24, 4.24, 4.24, 90, 90, 90),
        ["Mg", "Fe", "O"],
        [(0, 0, 0), (0, 0, 0), (0.5, 0.5, 0.5)],
        [0.3, 0.7, 1.0],
    )
    crystal = ordered(analyse(mixed))
    assert crystal.formula == "FeO"
    assert crystal.is_ordered


def test_the_largest_gap_is_the_kolmogorov_smirnov_distance():
    rng = np.random.default_rng(0)
    first, second = rng.poisson(4, 70), rng.poisson(5, 110)
    expected = ks_2samp(first, second).statistic
    assert largest_gap(first, second) == pytest.approx(expected)


def test_what_is_compared_with_itself_does_not_differ():
    traits = measure([gallery(name) for name in KNOWN])
    lines = table(traits, traits).splitlines()
    gaps = [line.split()[-2] for line in lines[1:] if line and "chance" not in line]
    assert len(gaps) == 12
    assert set(gaps) == {"0.000", "0.0%"}
    empty = {name: values[:0] for name, values in vars(traits).items()}
    assert not Traits(**empty).ratios_of("cubic").size


def test_as_many_crystals_are_sampled_as_asked_for_whatever_the_batch(monkeypatch):
    statistics, groups = load_statistics(), []

    def one_atom_each(key, prior, rows):
        """In place of the compiled sampling: one iron atom on the general position."""
        numbers = np.asarray(statistics.space_groups)[rows]
        groups.extend(numbers.tolist())
        sites = [
            Sites(
                group_row=row,
                space_group=number,
                lattice=general_lattice(int(number)),
                elements=np.array([26, 0]),
                letters=np.array([len(wyckoff_positions(int(number))) - 1, 0]),
                coordinates=np.full((2, 3), 0.1),
            )
            for row, number in zip(rows.tolist(), numbers, strict=True)
        ]
        return jax.tree.map(lambda *leaves: np.stack(leaves), *sites), None

    monkeypatch.setattr(kinds, "sample_crystals", one_atom_each)
    monkeypatch.setattr(kinds, "_BATCH", 3)
    structures = synthetic_structures(statistics, count=7, seed=0)
    assert [s.space_group for s in structures] == groups[:7]
    assert len(set(groups)) > 1
    assert {s.formula for s in structures} == {"Fe"}


@pytest.fixture
def crystals(tmp_path):
    folder = tmp_path / "crystals"
    folder.mkdir()
    for name in KNOWN:
        (folder / f"{name}.cif").write_text(write_cif(gallery(name)))
    return folder


def test_the_command_compares_what_the_statistics_may_know(
    crystals, monkeypatch, capsys
):
    provenance = read_provenance()
    analyses = [analyse(gallery(name)) for name in KNOWN]
    out = split_by_hash(
        [a.type_key for a in analyses], provenance["held_out"], provenance["seed"]
    )
    groups = load_statistics().space_groups
    expected = sum(
        a.space_group in groups and not is_out
        for a, is_out in zip(analyses, out, strict=True)
    )
    assert 2 <= expected <= len(KNOWN)
    # saves compiling the sampling
    monkeypatch.setattr(
        command,
        "synthetic_structures",
        lambda statistics, count, seed: [gallery("zircon")] * count,
    )
    figure = crystals.parent / "prior.png"
    command.main([f"--crystals={crystals}", f"--out={figure}", "--count=8"])
    printed = capsys.readouterr().out
    assert f"{expected} known crystals, 8 synthetic" in printed
    assert "shortest distance" in printed
    pixels = imread(figure)
    assert pixels.shape[0] > 1000 and pixels[..., :3].std() > 0.02


def test_a_limit_chooses_at_random_and_keeps_the_order():
    every = list(range(100))
    some = command._choose(every, 10, seed=0)
    assert len(some) == 10 and some == sorted(some)
    assert some == command._choose(every, 10, seed=0) != command._choose(every, 10, 1)
    assert command._choose(every, 100, 0) is command._choose(every, None, 0) is every


@pytest.mark.parametrize(
    "option,word",
    [
        ("--crystals=nowhere", "nowhere"),
        ("--count=0", "--count"),
        ("--limit=0", "--limit"),
        ("--out=nowhere/prior.png", "nowhere/prior.png"),
    ],
)
def test_bad_flags_are_one_sentence(crystals, capsys, option, word):
    with pytest.raises(SystemExit) as exit_:
        command.main([f"--crystals={crystals}", f"--out={crystals}.png", option])
    assert exit_.value.code == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("error: ") and word in message
