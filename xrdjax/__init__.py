"""Random crystals, their powder diffractograms, and networks that read them.

The names here are those that notebooks and scripts need; everything else is in
`xrdjax.crystals`, `xrdjax.diffraction` and `xrdjax.models`.
"""

from xrdjax.checkpoints.writer import load_run
from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.cif import read_crystals, write_cif
from xrdjax.crystals.crystal import Crystal, Structure, to_crystal
from xrdjax.crystals.textbook import gallery, gallery_names
from xrdjax.diffraction.powder import powder_lines, powder_pattern
from xrdjax.errors import InputError
from xrdjax.evaluation.predict import classify_patterns
from xrdjax.instrument.diffractometer import Diffractometer
from xrdjax.instrument.profiles import profile_grid
from xrdjax.measured.text import read_pattern, resample
from xrdjax.patterns.pipeline import (
    Simulation,
    patterns_of_structures,
    synthetic_patterns,
)
from xrdjax.prior.file import load_statistics
from xrdjax.prior.prior import Limits, make_prior
from xrdjax.prior.sampling import sample_crystal, sample_crystals, sample_group_rows
from xrdjax.prior.sites import Sites, sites_to_crystal, sites_to_structure
from xrdjax.prior.tables import group_row
from xrdjax.run import load_pretrained

__version__ = "0.1.0"
__all__ = [
    "Crystal",
    "Diffractometer",
    "InputError",
    "Limits",
    "Simulation",
    "Sites",
    "Structure",
    "classify_patterns",
    "sample_group_rows",
    "gallery",
    "gallery_names",
    "group_row",
    "load_pretrained",
    "load_run",
    "load_statistics",
    "make_prior",
    "patterns_of_structures",
    "powder_lines",
    "powder_pattern",
    "profile_grid",
    "read_crystals",
    "read_pattern",
    "resample",
    "sample_crystal",
    "sample_crystals",
    "sites_to_crystal",
    "sites_to_structure",
    "structure_from_sites",
    "synthetic_patterns",
    "to_crystal",
    "write_cif",
]
