import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_run import POINTS, draw, tiny_config

from xrdjax.checkpoints import Run
from xrdjax.crystals.prior import make_prior
from xrdjax.crystals.statistics import load_statistics
from xrdjax.models.preprocess import preprocess
from xrdjax.models.resnet import ResNet, init_params
from xrdjax.validation import draw_patterns, make_validation


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
