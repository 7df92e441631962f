"""Patterns of given structures: the same in bulk as one by one."""

import dataclasses

import numpy as np
import pytest

from xrdjax.crystals.crystal import to_crystal
from xrdjax.crystals.textbook import gallery, gallery_structures
from xrdjax.diffraction.powder import powder_pattern
from xrdjax.errors import InputError
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.instrument import InstrumentRanges, make_instrument
from xrdjax.instrument.measurement import make_measurement
from xrdjax.instrument.specimen import make_specimen
from xrdjax.patterns.structures import patterns_of_structures

MEASUREMENT = make_measurement(TwoThetaGrid(10.0, 60.0, 1001))
# Programs that fuse otherwise round the place of a line otherwise: 7e-5 was seen.
SAME = 1e-4


def alone(structure, size_nm, measurement=MEASUREMENT, **options) -> np.ndarray:
    (wavelength,) = measurement.instruments.wavelengths
    return np.asarray(
        powder_pattern(
            to_crystal(structure, 96),
            make_instrument((wavelength,)),
            make_specimen(size_nm),
            measurement.grid,
            peaks=measurement.peaks,
            max_reflections=2048,
            **options,
        )
    )


def test_the_gallery_has_in_bulk_the_patterns_that_each_crystal_has_alone():
    structures = gallery_structures()
    sizes_nm = np.random.default_rng(0).uniform(20, 100, len(structures))
    patterns = patterns_of_structures(list(structures.values()), MEASUREMENT, sizes_nm)
    assert patterns.dtype == np.float32
    for i, (name, structure) in enumerate(structures.items()):
        expected = alone(structure, float(sizes_nm[i]))
        np.testing.assert_allclose(
            patterns[i], expected, rtol=0, atol=SAME, err_msg=name
        )


def test_the_measurement_states_the_wavelength():
    molybdenum = make_measurement(MEASUREMENT.grid, InstrumentRanges((0.7093,)))
    structures = [gallery("halite"), gallery("quartz")]
    patterns = patterns_of_structures(structures, molybdenum, 40.0)
    for structure, pattern in zip(structures, patterns, strict=True):
        expected = alone(structure, 40.0, molybdenum)
        np.testing.assert_allclose(pattern, expected, rtol=0, atol=SAME)


def test_no_structures_have_no_patterns():
    assert patterns_of_structures([], MEASUREMENT).shape == (0, 1001)


@pytest.mark.parametrize("sizes_nm", [19.0, 101.0, np.array([50.0, 500.0]), np.nan])
def test_a_size_beyond_the_range_is_refused(sizes_nm):
    structures = [gallery("halite")] * np.size(sizes_nm)
    with pytest.raises(InputError, match="nm: the measurement expects 20 to 100"):
        patterns_of_structures(structures, MEASUREMENT, sizes_nm)


def test_a_cell_longer_than_there_are_indices_is_refused_by_name():
    structure = gallery("halite")
    needle = dataclasses.replace(
        structure,
        name="a needle",
        lattice=np.diag([1.1, 1.1, 1100.0]),
        rotations=structure.rotations[:1],
        translations=structure.translations[:1],
    )
    with pytest.raises(InputError, match="^a needle has .*Miller indices of 512"):
        patterns_of_structures([structure] * 7 + [needle], MEASUREMENT)
