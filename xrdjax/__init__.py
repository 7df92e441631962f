"""Random crystals, their powder diffractograms, and networks that read them.

The names here are those that notebooks and scripts need; everything else is in
`xrdjax.crystals`, `xrdjax.diffraction` and `xrdjax.models`.
"""

from xrdjax.checkpoints import load_run
from xrdjax.classify import classify
from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.cif import read_crystals, write_cif
from xrdjax.crystals.crystal import Crystal, Structure, to_crystal
from xrdjax.crystals.gallery import gallery, gallery_names
from xrdjax.crystals.prior import Limits, make_prior
from xrdjax.crystals.sampling import draw_groups, sample_crystal, sample_crystals
from xrdjax.crystals.sites import Sites, sites_to_crystal, sites_to_structure
from xrdjax.crystals.statistics import group_index, load_statistics
from xrdjax.diffraction.diffractometer import Diffractometer
from xrdjax.diffraction.powder import powder_lines, powder_pattern
from xrdjax.diffraction.profiles import profile_grid
from xrdjax.errors import InputError
from xrdjax.patterns import read_pattern, resample
from xrdjax.pipeline import Simulation, patterns_of_structures, synthetic_patterns
from xrdjax.pretrained import load_pretrained

__version__ = "0.1.0"
__all__ = [
    "Crystal",
    "Diffractometer",
    "InputError",
    "Limits",
    "Simulation",
    "Sites",
    "Structure",
    "classify",
    "draw_groups",
    "gallery",
    "gallery_names",
    "group_index",
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
