"""Temperature and calibration error."""

import numpy as np
import pytest

from xrdjax.evaluation.calibration import (
    at_temperature,
    calibration_error,
    fit_temperature,
)


def answers(count=40_000, classes=6):
    """Calibrated probabilities, and answers drawn from them."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (count, classes))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    uniform = generator.uniform(size=(count, 1))
    rows = (probabilities.cumsum(axis=1) < uniform).sum(axis=1)
    return probabilities, np.minimum(rows, classes - 1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.8])
def test_the_temperature_that_spoilt_calibrated_answers_is_found(temperature):
    probabilities, rows = answers()
    spoilt = at_temperature(probabilities, 1 / temperature)
    assert fit_temperature(spoilt, rows) == pytest.approx(temperature, rel=0.03)


def test_calibrated_answers_have_hardly_any_error_and_bold_ones_have():
    probabilities, rows = answers()
    errors = [
        calibration_error(p.max(axis=1), p.argmax(axis=1) == rows)
        for p in (probabilities, at_temperature(probabilities, 0.4))
    ]
    assert errors[0] < 0.015
    assert errors[1] > 0.1


def test_the_error_of_certainty_is_the_share_of_wrong_answers():
    right = np.arange(10) < 7
    assert calibration_error(np.ones(10), right) == pytest.approx(0.3)
    assert calibration_error(np.ones(7), right[:7]) == 0


def test_temperature_changes_no_order():
    probabilities, _ = answers(100)
    for temperature in (0.2, 5.0):
        changed = at_temperature(probabilities, temperature)
        np.testing.assert_allclose(changed.sum(axis=1), 1)
        order = probabilities.argsort(axis=1)
        np.testing.assert_array_equal(changed.argsort(axis=1), order)
