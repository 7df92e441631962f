"""Random crystals, their powder X-ray patterns, and networks that read them.

The names here are those that notebooks and scripts need; everything else is in the
package of its subject, such as `xrdjax.crystals` or `xrdjax.diffraction`. A name is
imported when it is first used (PEP 562), so that `import xrdjax` takes no time.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xrdjax.crystals.asymmetric_unit import structure_from_sites
    from xrdjax.crystals.cif import read_crystals, write_cif
    from xrdjax.crystals.crystal import Crystal, Structure, to_crystal
    from xrdjax.crystals.strains import symmetric_strains
    from xrdjax.crystals.textbook import gallery, gallery_names
    from xrdjax.diffraction.indices import equivalent_reflections
    from xrdjax.diffraction.overflow import Overflow
    from xrdjax.diffraction.powder import pattern_of_lines, powder_lines, powder_pattern
    from xrdjax.errors import InputError
    from xrdjax.evaluation.cells import predict_cells
    from xrdjax.evaluation.measured import classify_measured, prepare_pattern
    from xrdjax.evaluation.predict import classify_patterns
    from xrdjax.evaluation.rank import rank_space_groups
    from xrdjax.evaluation.ranking import Ranking
    from xrdjax.instrument.exposure import ExposureRanges
    from xrdjax.instrument.grid import TwoThetaGrid
    from xrdjax.instrument.instrument import (
        Instrument,
        InstrumentRanges,
        make_instrument,
    )
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
    from xrdjax.prior.placement import smallest_distance
    from xrdjax.prior.prior import Limits, make_prior
    from xrdjax.prior.sampling import sample_crystal, sample_crystals, sample_group_rows
    from xrdjax.prior.sites import Sites, sites_to_crystal, sites_to_structure
    from xrdjax.prior.tables import group_row
    from xrdjax.run import load_measured, load_pretrained, load_run

__version__ = "0.2.0"
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
    "Ranking",
    "Sites",
    "Specimen",
    "SpecimenRanges",
    "Spread",
    "Structure",
    "TwoThetaGrid",
    "classify_measured",
    "classify_patterns",
    "equivalent_reflections",
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
    "predict_cells",
    "prepare_pattern",
    "r_factors",
    "rank_space_groups",
    "read_crystals",
    "read_pattern",
    "resample",
    "sample_crystal",
    "sample_crystals",
    "sample_group_rows",
    "sites_to_crystal",
    "sites_to_structure",
    "smallest_distance",
    "structure_from_sites",
    "symmetric_strains",
    "to_crystal",
    "write_cif",
]

# Where each name is defined: what type checkers read above.
_HOMES = {
    "Crystal": "xrdjax.crystals.crystal",
    "ExposureRanges": "xrdjax.instrument.exposure",
    "InputError": "xrdjax.errors",
    "Instrument": "xrdjax.instrument.instrument",
    "InstrumentRanges": "xrdjax.instrument.instrument",
    "Limits": "xrdjax.prior.prior",
    "MeasuredPattern": "xrdjax.measured.pattern",
    "Measurement": "xrdjax.instrument.measurement",
    "Overflow": "xrdjax.diffraction.overflow",
    "Ranking": "xrdjax.evaluation.ranking",
    "Sites": "xrdjax.prior.sites",
    "Specimen": "xrdjax.instrument.specimen",
    "SpecimenRanges": "xrdjax.instrument.specimen",
    "Spread": "xrdjax.instrument.ranges",
    "Structure": "xrdjax.crystals.crystal",
    "TwoThetaGrid": "xrdjax.instrument.grid",
    "classify_measured": "xrdjax.evaluation.measured",
    "classify_patterns": "xrdjax.evaluation.predict",
    "equivalent_reflections": "xrdjax.diffraction.indices",
    "gallery": "xrdjax.crystals.textbook",
    "gallery_names": "xrdjax.crystals.textbook",
    "group_row": "xrdjax.prior.tables",
    "least_squares": "xrdjax.ops.marquardt",
    "load_measured": "xrdjax.run",
    "load_pretrained": "xrdjax.run",
    "load_run": "xrdjax.run",
    "load_statistics": "xrdjax.prior.file",
    "make_instrument": "xrdjax.instrument.instrument",
    "make_measurement": "xrdjax.instrument.measurement",
    "make_prior": "xrdjax.prior.prior",
    "make_specimen": "xrdjax.instrument.specimen",
    "make_synthetic_source": "xrdjax.patterns.synthetic",
    "pattern_of_lines": "xrdjax.diffraction.powder",
    "patterns_of_structures": "xrdjax.patterns.structures",
    "peaks_for": "xrdjax.instrument.measurement",
    "powder_lines": "xrdjax.diffraction.powder",
    "powder_pattern": "xrdjax.diffraction.powder",
    "predict_cells": "xrdjax.evaluation.cells",
    "prepare_pattern": "xrdjax.evaluation.measured",
    "r_factors": "xrdjax.measured.agreement",
    "rank_space_groups": "xrdjax.evaluation.rank",
    "read_crystals": "xrdjax.crystals.cif",
    "read_pattern": "xrdjax.measured.reader",
    "resample": "xrdjax.measured.resampling",
    "sample_crystal": "xrdjax.prior.sampling",
    "sample_crystals": "xrdjax.prior.sampling",
    "sample_group_rows": "xrdjax.prior.sampling",
    "sites_to_crystal": "xrdjax.prior.sites",
    "sites_to_structure": "xrdjax.prior.sites",
    "smallest_distance": "xrdjax.prior.placement",
    "structure_from_sites": "xrdjax.crystals.asymmetric_unit",
    "symmetric_strains": "xrdjax.crystals.strains",
    "to_crystal": "xrdjax.crystals.crystal",
    "write_cif": "xrdjax.crystals.cif",
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'xrdjax' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
