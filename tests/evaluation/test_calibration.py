"""Calibration: laws, worked values, and SciPy's minimum as an oracle."""

import math

import numpy as np
from laws import for_each
from scipy.optimize import minimize_scalar

from xrdjax.evaluation import calibration
from xrdjax.evaluation.calibration import (
    accuracy_at_coverage,
    expected_calibration_error,
    fit_temperature,
    probabilities_at,
    refusal_confidence,
    reliability,
    to_logits,
)

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(400, 6)) * 3
# answers at temperature 2 of what they are taken for
LABELS = np.array([RNG.choice(6, p=p) for p in probabilities_at(LOGITS, 2.0)])


def test_the_temperature_of_calibrated_probabilities_is_one():
    # each answer as often as its probability says
    probabilities = np.repeat([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]], [4, 10], axis=0)
    labels = np.array([0, 0, 1, 2] + [0] + [1] * 2 + [2] * 7)
    np.testing.assert_allclose(fit_temperature(to_logits(probabilities), labels), 1)


def test_the_temperature_is_at_the_minimum_that_scipy_finds():
    def loss(temperature):
        p = probabilities_at(LOGITS, temperature)
        return -np.log(p[np.arange(len(LABELS)), LABELS]).mean()

    expected = minimize_scalar(loss, bounds=(0.1, 10), options={"xatol": 1e-8}).x
    found = fit_temperature(LOGITS, LABELS)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert 1.6 < found < 2.4


def test_the_temperature_grows_with_the_logits_and_ignores_their_zero():
    once = fit_temperature(LOGITS, LABELS)
    shifted = 3 * LOGITS + RNG.normal(size=(len(LOGITS), 1))
    np.testing.assert_allclose(fit_temperature(shifted, LABELS), 3 * once)
    # the answers after the fit need no further one
    again = to_logits(probabilities_at(LOGITS, once))
    np.testing.assert_allclose(fit_temperature(again, LABELS), 1)


def test_answers_that_are_all_right_or_all_wrong_meet_a_bound():
    logits = np.array([[4.0, 0.0], [0.0, 4.0]])
    assert fit_temperature(logits, np.array([0, 1])) == calibration.COLDEST
    assert fit_temperature(logits, np.array([1, 0])) == calibration.HOTTEST


def test_probabilities_add_up_and_keep_their_order_at_every_temperature():
    for temperature in (0.05, 1.0, 40.0):
        p = probabilities_at(LOGITS, temperature)
        np.testing.assert_allclose(p.sum(axis=1), 1)
        np.testing.assert_array_equal(p.argmax(axis=1), LOGITS.argmax(axis=1))
    np.testing.assert_allclose(probabilities_at(LOGITS, 1e9), 1 / 6, rtol=1e-6)


def test_probabilities_of_zero_have_finite_logits():
    p = np.array([[1.0, 0.0]], np.float32)
    np.testing.assert_allclose(probabilities_at(to_logits(p), 1.0), p, atol=1e-30)


@for_each(
    ("confidence", "share", "error"),
    [(1.0, 1.0, 0.0), (1.0, 0.0, 1.0), (0.75, 0.75, 0.0), (0.9, 0.5, 0.4), (0, 0, 0)],
)
def test_the_error_of_a_constant_answer_is_confidence_minus_accuracy(
    confidence, share, error
):
    right = np.arange(100) < 100 * share
    found = expected_calibration_error(np.full(100, float(confidence)), right)
    np.testing.assert_allclose(found, error, atol=1e-12)


def test_bins_hold_every_answer_and_weigh_by_their_number():
    confidences = np.array([0.05, 0.95, 0.95, 1.0])
    right = np.array([True, True, False, True])
    found = reliability(confidences, right, bins=10)
    assert found.counts.tolist() == [1, *[0] * 8, 3]
    expected = (1 * 0.95 + 3 * abs(2 / 3 - 2.9 / 3)) / 4
    np.testing.assert_allclose(
        expected_calibration_error(confidences, right, bins=10), expected
    )


def test_a_fitted_temperature_lowers_the_calibration_error():
    right = LOGITS.argmax(axis=1) == LABELS

    def error(temperature):
        p = probabilities_at(LOGITS, temperature)
        return expected_calibration_error(p.max(axis=1), right)

    assert error(fit_temperature(LOGITS, LABELS)) < error(1.0) / 2


def test_accuracy_of_the_surest_is_counted_among_them_alone():
    confidences = np.linspace(1, 0, 100, endpoint=False)
    right = np.arange(100) < 40
    found = accuracy_at_coverage(confidences[::-1], right[::-1])
    assert {k: (p.hits, p.count) for k, p in found.items()} == {
        1.0: (40, 100),
        0.5: (40, 50),
        0.2: (20, 20),
    }
    assert accuracy_at_coverage(confidences[:1], right[:1])[0.2].count == 1


def test_answers_are_refused_below_the_confidence_where_half_are_right():
    confidences = np.repeat([0.2, 0.4, 0.6, 0.8], 10)
    right = np.concatenate([np.arange(10) < n for n in (1, 3, 5, 9)])
    assert refusal_confidence(confidences, right) == 0.6
    assert refusal_confidence(confidences, np.full(40, True)) == 0
    assert refusal_confidence(confidences, np.full(40, False)) == math.inf


def test_an_exception_to_the_rule_does_not_move_the_refusal():
    confidences = np.linspace(0.1, 0.9, 9)
    right = np.array([False, False, True, False, False, True, True, False, True])
    # 0.3 is pooled with what follows it, and so is 0.8 with what precedes it
    np.testing.assert_allclose(refusal_confidence(confidences, right), 0.6)
