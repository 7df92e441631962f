"""Accuracy while a network is trained, on patterns that it is not trained on."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from peaks import Linear, PeakSource
from tiny_run import POINTS, SOURCE, tiny_config

from xrdjax.crystals.cif import Reading
from xrdjax.crystals.textbook import gallery_structures
from xrdjax.errors import InputError
from xrdjax.known.analyses import AnalysedCrystals, analyse_reading
from xrdjax.known.file import save_analyses
from xrdjax.known.splits import Split, members
from xrdjax.models.parameters import init_params
from xrdjax.models.preprocess import preprocess
from xrdjax.patterns.structures import patterns_of_structures
from xrdjax.prior.file import load_statistics
from xrdjax.run import make_run
from xrdjax.training import validation
from xrdjax.training.validation import (
    Labelled,
    known_patterns,
    make_validation,
    standard_validation,
    synthetic_patterns,
)

PROVENANCE = {"held_out": 0.9, "seed": 3, "split": "random"}


def make(provenance=None, **changes):
    """A run with the smallest network, which validates on ten patterns."""
    config = tiny_config(**{"evaluation.validation": 10} | changes)
    run = make_run(config, load_statistics(), provenance or {})
    return dataclasses.replace(run, model=Linear(len(run.space_groups)))


def test_as_many_synthetic_patterns_as_asked_for_and_the_same_for_a_seed():
    patterns, rows, _ = synthetic_patterns(make(), SOURCE)
    assert patterns.shape == (10, POINTS) and rows.shape == (10,)
    again, _, _ = synthetic_patterns(make(), SOURCE)
    np.testing.assert_array_equal(patterns, again)
    other, _, _ = synthetic_patterns(make(seed=1), SOURCE)
    assert not np.array_equal(patterns, other)
    assert len(np.unique(patterns, axis=0)) == 10


def test_accuracy_is_the_share_of_patterns_that_the_network_names():
    run = make()
    params = init_params(jax.random.key(1), run.model, POINTS)
    patterns, _, _ = synthetic_patterns(run, SOURCE)
    answers = run.model.apply({"params": params}, preprocess(jnp.asarray(patterns)))
    right = np.asarray(answers.argmax(-1))
    rows = np.r_[right[:7], right[7:] + 1]  # three wrong ones among ten
    asked = []

    def make_patterns():
        asked.append(None)
        return Labelled(patterns, rows)

    validate = make_validation(run, make_patterns)
    assert not asked
    assert validate(params) == validate(params) == pytest.approx(0.7)
    assert len(asked) == 1


@pytest.fixture(scope="module")
def known():
    return analyse_reading(Reading(tuple(gallery_structures().values()), ()))


@pytest.fixture(scope="module")
def validation_part(known):
    """The gallery's crystals for validation, of the run's groups, by their names."""
    split = Split(PROVENANCE["held_out"], PROVENANCE["seed"], PROVENANCE["split"])
    chosen = members(known.analyses, split, "validation")
    groups = load_statistics().space_groups
    return {
        analysis.standard.name: analysis
        for analysis, is_chosen in zip(known.analyses, chosen, strict=True)
        if is_chosen and analysis.space_group in groups
    }


@pytest.fixture
def run_on(known, tmp_path):
    """Makes a run on some of the gallery's crystals, with changes to its settings."""

    def run_on(analyses=known.analyses, **changes):
        path = tmp_path / "known.npz"
        crystals = AnalysedCrystals(tuple(analyses), (), (), known.symprec)
        save_analyses(path, crystals, overwrite=True)
        return make(PROVENANCE, crystals=str(path), **changes)

    return run_on


@pytest.fixture
def simulated(monkeypatch):
    """Names and sizes of the crystals simulated, whose patterns are their numbers."""
    calls = []

    def number(structures, measurement, sizes_nm):
        calls.append(([structure.name for structure in structures], sizes_nm))
        return np.arange(float(len(structures)), dtype=np.float32)[:, None]

    monkeypatch.setattr(validation, "patterns_of_structures", number)
    return calls


def test_validation_is_on_no_crystals_but_those_for_it_and_at_most_so_many(
    run_on, simulated, validation_part
):
    assert 4 < len(validation_part) < 1000
    for most in (4, 1000):
        run = run_on(**{"evaluation.validation": most})
        numbers, rows, _ = known_patterns(run)
        names, sizes_nm = simulated.pop()
        assert len(set(names)) == len(names) == min(most, len(validation_part))
        chosen = [validation_part[names[int(number)]] for [number] in numbers]
        groups = [analysis.space_group for analysis in chosen]
        assert run.space_groups[rows].tolist() == groups
        assert np.all((sizes_nm >= 20) & (sizes_nm <= 100))
        assert len(np.unique(sizes_nm)) == len(sizes_nm)


def test_crystals_for_validation_and_their_sizes_are_the_same_for_a_seed(
    run_on, simulated
):
    for seed in (0, 0, 1):
        known_patterns(run_on(seed=seed, **{"evaluation.validation": 4}))
    (names, sizes), (same_names, same_sizes), (other_names, other_sizes) = simulated
    assert names == same_names and names != other_names
    np.testing.assert_array_equal(sizes, same_sizes)
    assert not np.array_equal(sizes, other_sizes)


def test_patterns_for_validation_are_those_of_the_crystals(run_on, validation_part):
    one_size = {"crystallite_size_nm": (50.0, 50.0)}
    run = run_on(list(validation_part.values())[:3], **one_size)
    patterns, _, _ = known_patterns(run)
    expected = patterns_of_structures(
        [analysis.standard for analysis in list(validation_part.values())[:3]],
        run.measurement,
    )
    distances = np.abs(patterns[:, None] - expected).max(-1)
    assert distances.min(1).max() < 1e-5
    assert sorted(distances.argmin(1).tolist()) == [0, 1, 2]


def test_no_crystal_for_validation_is_one_sentence(run_on, known, validation_part):
    others = [a for a in known.analyses if a.standard.name not in validation_part]
    with pytest.raises(
        InputError,
        match=r"^'.*known.npz' has no crystal for validation among the held-out ones: "
        r"give more crystals, or set evaluation.validation to 0$",
    ):
        known_patterns(run_on(others))


@pytest.mark.parametrize(
    ("provenance", "changes", "kind"),
    [
        ({}, {}, "synthetic"),
        ({"held_out": 0.0}, {"crystals": __file__}, "synthetic"),
        (PROVENANCE, {}, "synthetic"),
        (PROVENANCE, {"crystals": __file__}, "known"),
        (PROVENANCE, {"evaluation.validation": 0}, None),
    ],
)
def test_validation_is_on_known_crystals_where_some_are_named_and_held_out(
    monkeypatch, provenance, changes, kind
):
    asked = []
    patterns = Labelled(np.zeros((1, POINTS), np.float32), np.zeros(1, np.int32))
    for name in ("synthetic", "known"):
        monkeypatch.setattr(
            validation,
            f"{name}_patterns",
            lambda *_, name=name: asked.append(name) or patterns,
        )
    run = make(provenance, **changes)
    validate = standard_validation(run, PeakSource(4, POINTS))
    if validate is not None:
        validate(init_params(jax.random.key(0), run.model, POINTS))
    assert asked == ([kind] if kind else [])
