"""What instruments and specimens are sampled, and which of them do not exist."""

import jax
import numpy as np
import pytest

from xrdjax.errors import InputError
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.instrument import (
    Instrument,
    InstrumentRanges,
    make_instrument,
    sample_instruments,
)
from xrdjax.instrument.measurement import make_measurement, peaks_for
from xrdjax.instrument.profile import peak_sigma
from xrdjax.instrument.specimen import SpecimenRanges, make_specimen

RANGES = InstrumentRanges(
    wavelengths=(1.5406, 1.5444),
    weights=(2.0, 1.0),
    gaussian_deg=(0.02, 0.08),
    zero_deg=(-0.1, 0.1),
    displacement=(-1e-3, 1e-3),
    transparency=(0.0, 2e-3),
)
COUNT = 4000


def test_each_quantity_is_uniform_in_its_range_and_independent_of_the_others():
    grid = TwoThetaGrid(points=100)
    measurement = make_measurement(grid, RANGES, SpecimenRanges((20, 100), (0.0, 2.0)))
    instruments, specimens = measurement.sample(jax.random.key(0), COUNT)
    samples = {
        name: (np.asarray(getattr(instruments, name)), getattr(RANGES, name))
        for name in ("gaussian_deg", "zero_deg", "displacement", "transparency")
    }
    samples["size_nm"] = np.asarray(specimens.size_nm), (20, 100)
    samples["b_iso"] = np.asarray(specimens.b_iso), (0.0, 2.0)
    uniform = []
    for name, (values, (low, high)) in samples.items():
        scaled = (values - low) / (high - low)
        assert scaled.min() >= 0 and scaled.max() <= 1, name
        # five standard deviations of mean and variance of a uniform distribution
        assert abs(scaled.mean() - 1 / 2) < 5 / np.sqrt(12 * COUNT), name
        assert abs(scaled.var() - 1 / 12) < 5 / np.sqrt(180 * COUNT), name
        uniform.append(scaled)
    correlations = np.corrcoef(uniform) - np.eye(len(uniform))
    assert np.abs(correlations).max() < 5 / np.sqrt(COUNT)


def test_emission_lines_are_the_same_for_all_and_their_weights_add_up_to_one():
    instruments = sample_instruments(jax.random.key(0), RANGES, 3)
    np.testing.assert_allclose(instruments.wavelengths, [[1.5406, 1.5444]] * 3)
    np.testing.assert_allclose(instruments.weights, [[2 / 3, 1 / 3]] * 3, rtol=1e-6)


def test_the_papers_measurement_has_one_instrument_and_a_range_of_sizes():
    measurement = make_measurement()
    instruments, specimens = measurement.sample(jax.random.key(0), 5)
    paper = make_instrument()
    for name, values in vars(instruments).items():
        np.testing.assert_array_equal(values, [getattr(paper, name)] * 5, name)
    assert len(set(np.asarray(specimens.size_nm).tolist())) == 5
    np.testing.assert_array_equal(specimens.b_iso, 0)
    assert measurement.s_max == pytest.approx(2 * np.sin(np.pi / 4) / 1.5406)


def test_there_is_room_for_every_width_of_the_ranges():
    ranges = InstrumentRanges((0.7093, 1.5406), (1, 1), gaussian_deg=(0.0, 0.3))
    specimens = SpecimenRanges((5.0, 200.0))
    peaks = peaks_for(TwoThetaGrid(5.0, 60.0, 1001), ranges, specimens)
    low, high = peaks.sigma_range
    for wavelength in ranges.wavelengths:
        for size_nm in (5.0, 20.0, 200.0):
            for gaussian_deg in (0.0, 0.1, 0.3):
                assert low <= peak_sigma(wavelength, size_nm, gaussian_deg) <= high


def test_one_program_samples_from_equal_ranges():
    """Ranges are static, so equal ones must be one."""
    assert hash(make_measurement().instruments) == hash(InstrumentRanges())
    assert make_measurement().specimens == SpecimenRanges()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_instrument((0.0,)), "the wavelength is 0.0 angstrom: expected a"),
        (lambda: make_instrument((np.nan,)), "the wavelength is nan angstrom"),
        (lambda: make_instrument((1.5, 1.4), (1.0,)), "expected one for each of the 2"),
        (lambda: make_instrument((1.5, 1.4), (1.0, -1.0)), "runs from -1.0 to -1.0"),
        (lambda: make_instrument(gaussian_deg=-0.1), "gaussian_deg runs from -0.1"),
        (lambda: make_instrument(zero_deg=np.inf), "zero_deg runs from inf to inf"),
        (lambda: InstrumentRanges(zero_deg=(0.1, -0.1)), "the smaller one first"),
        (lambda: make_specimen(-5.0), "size .nm. runs from -5.0 to -5.0: exp"),
        (lambda: make_specimen(b_iso=-1.0), "b_iso runs from -1.0 to -1.0"),
        (lambda: SpecimenRanges((50.0, 20.0)), "runs from 50.0 to 20.0: expected two"),
        (lambda: SpecimenRanges((0.0, np.inf)), "size .nm. runs from 0.0 to inf"),
    ],
)
def test_what_does_not_exist_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_an_instrument_is_a_pytree_that_vmap_takes_apart():
    instruments = sample_instruments(jax.random.key(1), RANGES, 7)
    shapes = jax.vmap(lambda one: one.wavelengths.shape[0] * one.zero_deg)(instruments)
    assert isinstance(instruments, Instrument) and shapes.shape == (7,)
