"""Random crystals, their powder X-ray patterns, and networks that read them.

The names here are those that notebooks and scripts need; everything else is in the
package of its subject, such as `xrdjax.crystals` or `xrdjax.diffraction`.
"""

from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.cif import read_crystals, write_cif
from xrdjax.crystals.crystal import Crystal, Structure, to_crystal
from xrdjax.crystals.strains import symmetric_strains
from xrdjax.crystals.textbook import gallery, gallery_names
from xrdjax.diffraction.overflow import Overflow
from xrdjax.diffraction.powder import pattern_of_lines, powder_lines, powder_pattern
from xrdjax.errors import InputError
from xrdjax.evaluation.measured import prepare_pattern
from xrdjax.evaluation.predict import classify_patterns
from xrdjax.instrument.exposure import ExposureRanges
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.instrument import Instrument, InstrumentRanges, make_instrument
from xrdjax.instrument.measurement import Measurement, make_measurement, peaks_for
from xrdjax.instrument.ranges import Spread
from xrdjax.instrument.specimen import Specimen, SpecimenRanges, make_specimen
from xrdjax.measured.agreement import r_factors
from xrdjax.measured.pattern import MeasuredPattern
from xrdjax.measured.reader import read_pattern
from xrdjax.measured.resampling import resample
from xrdjax.ops.marquardt import least_squares
from xrdjax.patterns.structures import patterns_of_structures
from xrdjax.patterns.synthetic import make_synthetic_source
from xrdjax.prior.file import load_statistics
from xrdjax.prior.prior import Limits, make_prior
from xrdjax.prior.sampling import sample_crystal, sample_crystals, sample_group_rows
from xrdjax.prior.sites import Sites, sites_to_crystal, sites_to_structure
from xrdjax.prior.tables import group_row
from xrdjax.run import load_measured, load_pretrained, load_run

__version__ = "0.1.0"
__all__ = [
    "Crystal",
    "ExposureRanges",
    "InputError",
    "Instrument",
    "InstrumentRanges",
    "Limits",
    "MeasuredPattern",
    "Measurement",
    "Overflow",
    "Sites",
    "Specimen",
    "SpecimenRanges",
    "Spread",
    "Structure",
    "TwoThetaGrid",
    "classify_patterns",
    "gallery",
    "gallery_names",
    "group_row",
    "least_squares",
    "load_measured",
    "load_pretrained",
    "load_run",
    "load_statistics",
    "make_instrument",
    "make_measurement",
    "make_prior",
    "make_specimen",
    "make_synthetic_source",
    "pattern_of_lines",
    "patterns_of_structures",
    "peaks_for",
    "powder_lines",
    "powder_pattern",
    "prepare_pattern",
    "r_factors",
    "read_crystals",
    "read_pattern",
    "resample",
    "sample_crystal",
    "sample_crystals",
    "sample_group_rows",
    "sites_to_crystal",
    "sites_to_structure",
    "structure_from_sites",
    "symmetric_strains",
    "to_crystal",
    "write_cif",
]
