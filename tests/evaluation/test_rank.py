"""Rankings of the space groups of measured patterns, as values."""

import dataclasses
import json

import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest
from coded_patterns import GROUPS, reading_run, row_of
from tiny_run import tiny_config

from xrdjax.checkpoints.calibration import (
    Calibration,
    read_calibration,
    write_calibration,
)
from xrdjax.errors import InputError
from xrdjax.evaluation.rank import rank_space_groups
from xrdjax.evaluation.ranked import Seen
from xrdjax.evaluation.ranking_page import symbol_html
from xrdjax.evaluation.ranking_plots import seen_by_network
from xrdjax.measured.pattern import MeasuredPattern
from xrdjax.models.network_input import NetworkInput
from xrdjax.run import make_run

X = np.arange(5.0, 90.0, 0.1)


@pytest.fixture(scope="module")
def run():
    """Its network reads the space group off the place of the peak."""
    return dataclasses.replace(reading_run(), params=jnp.float32(9))


@pytest.fixture(scope="module")
def y(run):
    place = run.measurement.grid.two_theta_deg[row_of(62)]
    peaks = ((900, place), (90, 60.0))  # the second is beyond what it reads
    return 50 + sum(h * np.exp(-0.5 * ((X - c) / 0.3) ** 2) for h, c in peaks)


def test_files_arrays_and_patterns_get_the_same_answer(run, y, tmp_path):
    path = tmp_path / "mineral.xy"
    np.savetxt(path, np.stack([X, y], 1))
    given = (str(path), path, (X, y), [X[::-1], y[::-1]], np.stack([X, y], 1))
    answers = [rank_space_groups(one, run) for one in given]
    answers.append(rank_space_groups(MeasuredPattern(X, y), run))
    for answer in answers:
        np.testing.assert_allclose(
            answer.probabilities, answers[0].probabilities, atol=1e-6
        )
        assert answer.most_probable(1)[0][0] == 62
    assert answers[0].short_name == "mineral.xy"


def test_probabilities_and_sums_add_up_to_one_and_descend(run, y):
    answer = rank_space_groups((X, y), run)
    assert sorted(answer.space_groups) == sorted(GROUPS)
    assert answer.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert (np.diff(answer.probabilities) <= 0).all()
    for kind in ("extinction_symbol", "laue_class", "centring", "crystal_system"):
        shares = [share for _, share in answer.classes(kind)]
        assert sum(shares) == pytest.approx(1, abs=1e-5)
        assert shares == sorted(shares, reverse=True)
    assert answer.classes("crystal_system", 1)[0][0] == "orthorhombic"
    json.dumps(answer.to_dict(), allow_nan=False)


def test_the_wavelength_is_given_or_of_the_file_or_assumed(run, y):
    stated = MeasuredPattern(X, y, wavelengths=(1.54,), origin={"wavelengths": "x"})
    for pattern, given, expected in (
        (stated, 1.5, (1.5, "as given")),
        (stated, "Cu", (1.5405929, "as given")),
        (stated, None, (1.54, "x")),
        ((X, y), None, (1.5406, "assumed")),
    ):
        answer = rank_space_groups(pattern, run, wavelength=given)
        assert (answer.wavelength, answer.wavelength_origin) == expected
        contradicted = any("The file states 1.54 angstrom" in n for n in answer.notes)
        assert contradicted == (given == 1.5)


def test_a_refusal_is_below_the_threshold_alone(run, y):
    for threshold, refuses in ((0.0, False), (1.0, True), (np.inf, True)):
        counted = Calibration(40, threshold, 100, "p.npz", 0.4, 0.5, 0.7)
        counted_run = dataclasses.replace(run, calibration=counted)
        answer = rank_space_groups((X, y), counted_run)
        assert answer.refuses == refuses
        assert ("cannot tell" in repr(answer)) == refuses
        assert ("Cannot tell" in answer._repr_html_()) == refuses


def test_a_calibration_is_stored_for_one_step(tmp_path):
    for threshold in (0.42, np.inf):
        counted = Calibration(40, threshold, 100, "p.npz", 0.4, 0.5, 0.7)
        write_calibration(tmp_path, counted)
        assert read_calibration(tmp_path, 40) == counted
        assert read_calibration(tmp_path, 41) is None
    (tmp_path / "calibration.json").write_text('{"step": 40}')
    with pytest.raises(InputError, match="restore the file, or remove it"):
        read_calibration(tmp_path, 40)
    write_calibration(tmp_path, None)
    assert read_calibration(tmp_path, 40) is None


def test_a_plot_shows_both_patterns_on_given_axes_or_new_ones(run, y):
    answer = rank_space_groups((X, y), run)
    figure = matplotlib.figure.Figure()
    axes = tuple(figure.subplots(2, 1))
    assert answer.plot(axes) == axes
    measured, seen = (one.lines[0].get_xydata() for one in axes)
    np.testing.assert_allclose(measured, np.stack([X, y], 1))
    grid = run.measurement.grid.two_theta_deg
    np.testing.assert_allclose(seen[:, 0], grid)
    assert np.nanmax(seen[:, 1]) == 1
    assert "degrees" in axes[0].get_xlabel() and axes[0].get_ylabel()


def test_what_the_network_sees_has_its_peaks_at_their_angles():
    changes = {"model.channels": "measured", "model.points": 512}
    run = make_run(tiny_config(points=4251, **changes), reading_run().statistics, {})
    network_input: NetworkInput = run.network_input
    grid = network_input.grid.two_theta_deg
    pattern = np.exp(-(((grid - 40) / 0.3) ** 2)).astype(np.float32)
    seen = Seen(pattern, grid < 70, network_input, 1.5406, 0.76)
    angles, roots, measured = seen_by_network(seen)
    assert angles[roots.argmax()] == pytest.approx(40, abs=0.2)
    assert not measured[angles > 71].any() and measured[angles < 69].all()


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (14, "<i>P</i>2<sub>1</sub>/<i>c</i>"),
        (225, '<i>Fm</i><span class="over">3</span><i>m</i>'),
        (194, "<i>P</i>6<sub>3</sub>/<i>mmc</i>"),
        (2, '<i>P</i><span class="over">1</span>'),
    ],
)
def test_symbols_are_typeset_as_they_are_printed(number, expected):
    assert symbol_html(number) == expected


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ((X, X[:-1]), "no pair of arrays"),
        (X, "expected two theta in degrees and the intensities"),
        ((X, "nothing"), "no pair of arrays"),
        ((X, X * np.nan), "not finite"),
        ((X[:5], X[:5]), "has 5 points"),
        ("nowhere.xy", "cannot read the pattern"),
        ((X + 100, X), "between 0 and 180"),
    ],
)
def test_what_is_no_pattern_is_refused_in_one_sentence(run, pattern, message):
    with pytest.raises(InputError, match=message) as error:
        rank_space_groups(pattern, run)
    assert "\n" not in str(error.value)
