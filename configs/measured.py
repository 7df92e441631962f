"""Space groups of measured patterns, learned from simulated measurements.

    python -m xrdjax.main --config=configs/measured.py --config.crystals=PATH \
        --workdir=runs/measured

Everything that a laboratory diffractometer with a copper tube adds is sampled for each
pattern: emission lines, width and shape of the peaks, their shifts, texture, other
phases, background, counts, and the measured range. No measured pattern is used in
training. `configs/measured.py:quick` is a short run that shows that everything works.

31,000 steps (`--config.steps=31000 --config.optimizer.decay_steps=11000`) of the 86 space
groups with most crystals, on one core of an AMD EPYC (on commit ff3f960, 88 min of a core
that was shared): top-1 44.7 % on 423 measured patterns of RRUFF, 41.4 % on simulated
measurements of held-out structure types. README has the bundled network.
"""

import runpy
from pathlib import Path

import ml_collections

from xrdjax.errors import InputError

_RESNET = runpy.run_path(str(Path(__file__).with_name("resnet.py")))


def get_config(arg: str = "long") -> ml_collections.ConfigDict:
    """Every setting of a run; configs/resnet.py describes those not set here.

    Args:
        arg: "long", or "quick" for a run of minutes.
    """
    if arg not in ("long", "quick"):
        raise InputError(
            f"configs/measured.py has no variant {arg!r}: choose long or quick"
        )
    config = _RESNET["get_config"]("cpu").unlock()
    config.points = 4251  # steps of 0.02 degrees, as in usual measurements
    config.spacing = "two_theta"
    config.min_crystals = 0  # measured patterns may be of any group
    config.anomalous = True  # f' and f" of the wavelength
    model = config.model
    model.channels = "measured"
    model.points = 2126  # cells of the network's axis

    # nanometres; the rest of the width is the instrument's
    config.crystallite_size_nm = (20.0, 1000.0, "log")
    effects = config.effects
    effects.k_alpha2 = (0.4, 0.55, "even", 0.9)  # of K-alpha1's intensity
    effects.k_beta = (0.001, 0.02, "log", 0.25)
    effects.w_l_alpha = (0.001, 0.01, "log", 0.1)
    effects.caglioti_u = (0.0, 0.01)  # square degrees
    effects.caglioti_w = (0.0012, 0.015, "log")
    effects.lorentzian_deg = (0.0, 0.04)
    effects.zero_deg = (-0.1, 0.1)
    effects.displacement = (-7e-4, 7e-4)  # of the goniometer's radius
    effects.polarization = (0.8, 1.0, "even", 0.5)  # graphite: 0.8
    effects.strain = (5e-5, 5e-3, "log")
    effects.lorentzian = (0.0, 1.0)
    effects.b_iso = (0.0, 2.5)  # square angstrom
    effects.march = (0.6, 1.4, "even", 0.5)
    effects.other_phases = (0.01, 0.1, "log", 0.05)  # of the main phase's maximum
    effects.background = (0.002, 0.3, "log")  # of the maximum
    effects.counts = (100.0, 100_000.0, "log")  # at the maximum
    effects.first_deg = (5.0, 25.0, "even", 0.35)
    effects.last_deg = (60.0, 90.0, "even", 0.25)
    if arg == "quick":
        config.steps = 5_000
        config.checkpoint_every = 500
        config.optimizer.schedule = "cosine"
        config.evaluation.synthetic = 1_000
    return config
