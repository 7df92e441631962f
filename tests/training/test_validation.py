import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_run import POINTS, draw, tiny_config
from xrdjax.patterns.pipeline import patterns_of_structures

from xrdjax.checkpoints.writer import Run
from xrdjax.config import make_simulation
from xrdjax.crystals.cif import Reading
from xrdjax.crystals.textbook import gallery_structures
from xrdjax.errors import InputError
from xrdjax.known.analyses import AnalysedCrystals, analyse_reading
from xrdjax.known.file import save_analyses
from xrdjax.known.splits import Split, members
from xrdjax.models.preprocess import preprocess
from xrdjax.models.resnet import ResNet, init_params
from xrdjax.prior.file import load_statistics
from xrdjax.prior.prior import make_prior
from xrdjax.training.validation import draw_patterns, known_patterns, make_validation


@pytest.fixture(scope="module")
def run():
    statistics = load_statistics()
    numbers = np.asarray(statistics.space_groups)
    model = ResNet((1,), False, outputs=len(numbers), width=2, groups=1)
    return Run(tiny_config(), model, {}, statistics, 0, numbers)


@pytest.fixture(scope="module")
def tables(run):
    return jax.device_put((make_prior(run.statistics),))


def test_as_many_patterns_as_asked_for_and_the_same_for_a_seed(tables):
    patterns, labels = draw_patterns(5, draw, tables, 10, 4)
    assert patterns.shape == (10, POINTS) and labels.shape == (10,)
    again, _ = draw_patterns(5, draw, tables, 10, 4)
    np.testing.assert_array_equal(patterns, again)
    other, _ = draw_patterns(6, draw, tables, 10, 4)
    assert not np.array_equal(patterns, other)
    assert len(np.unique(patterns, axis=0)) == 10


def test_accuracy_is_the_share_of_patterns_that_the_network_names(run, tables):
    calls = []

    def make_patterns():
        calls.append(None)
        return draw_patterns(0, draw, tables, 10, 4)

    validate = make_validation(run, make_patterns)
    assert not calls
    params = init_params(jax.random.key(1), run.model, POINTS)
    patterns, _ = draw_patterns(0, draw, tables, 10, 4)
    answers = run.model.apply({"params": params}, preprocess(jnp.asarray(patterns)))
    right = np.asarray(answers.argmax(-1))
    # three wrong ones among ten
    validate = make_validation(run, lambda: (patterns, np.r_[right[:7], right[7:] + 1]))
    assert validate(params) == pytest.approx(0.7)
    validate = make_validation(run, make_patterns)
    assert validate(params) == validate(params)
    assert len(calls) == 1


PROVENANCE = {"held_out": 0.9, "seed": 3, "split": "random"}


@pytest.fixture(scope="module")
def known():
    return analyse_reading(Reading(tuple(gallery_structures().values()), ()))


@pytest.fixture(scope="module")
def validation_part(known, run):
    """The gallery's crystals for validation, of the run's groups."""
    split = Split(PROVENANCE["held_out"], PROVENANCE["seed"], PROVENANCE["split"])
    chosen = members(known.analyses, split, "validation")
    return [
        analysis
        for analysis, is_chosen in zip(known.analyses, chosen, strict=True)
        if is_chosen and analysis.space_group in run.space_groups
    ]


@pytest.fixture
def run_on(known, run, tmp_path):
    """A run on some of the gallery's crystals, with changes to its configuration."""

    def run_on(analyses=known.analyses, **changes):
        path = tmp_path / "known.npz"
        crystals = AnalysedCrystals(tuple(analyses), (), (), known.symprec)
        save_analyses(path, crystals, overwrite=True)
        # one size of crystallites, by which a pattern tells its crystal
        config = tiny_config(
            crystals=str(path), crystallite_size_nm=(50.0, 50.0), **changes
        )
        return dataclasses.replace(run, config=config)

    return run_on


@pytest.mark.parametrize("most", [1000, 4])
def test_validation_is_on_no_crystals_but_those_for_it_and_at_most_so_many(
    run_on, validation_part, most
):
    run = run_on(**{"evaluation.validation": most})
    patterns, labels = known_patterns(run, PROVENANCE)
    count = min(most, len(validation_part))
    assert 4 < len(validation_part) < 1000
    assert patterns.shape == (count, POINTS) and labels.shape == (count,)
    structures = [analysis.standard for analysis in validation_part]
    sizes_nm = np.full(len(structures), 50.0, np.float32)
    expected = patterns_of_structures(structures, make_simulation(run.config), sizes_nm)
    groups = run.space_groups.tolist()
    rows = np.array([groups.index(a.space_group) for a in validation_part])
    errors = np.abs(patterns[:, None] - expected).max(-1)
    errors[labels[:, None] != rows] = np.inf
    nearest = errors.argmin(1)
    assert errors.min(1).max() < 1e-5
    assert len(set(nearest.tolist())) == count  # each crystal once


def test_crystals_for_validation_are_the_same_for_a_seed(run_on):
    few = {"evaluation.validation": 4}
    patterns, labels = known_patterns(run_on(**few), PROVENANCE)
    again, same = known_patterns(run_on(**few), PROVENANCE)
    np.testing.assert_array_equal(patterns, again)
    np.testing.assert_array_equal(labels, same)
    other, _ = known_patterns(run_on(seed=1, **few), PROVENANCE)
    assert not np.array_equal(patterns, other)


def test_no_crystal_for_validation_is_one_sentence(run_on, known, validation_part):
    names = {analysis.standard.name for analysis in validation_part}
    others = [a for a in known.analyses if a.standard.name not in names]
    run = run_on(others)
    with pytest.raises(
        InputError,
        match=r"^'.*known.npz' has no crystal for validation among the held-out ones: "
        r"give more crystals, or set evaluation.validation to 0$",
    ):
        known_patterns(run, PROVENANCE)
