"""Fine-tunes the bundled network on your own instrument, crystals or statistics.

    python -m xrdjax.main --config=configs/fine_tune.py --workdir=runs/mine \
        --config.effects.k_alpha2="(0.5, 0.5)" \
        --config.effects.caglioti_w="(0.0064, 0.0064)" \
        --config.effects.lorentzian_deg="(0.05, 0.05)"

All but the initial weights and the length is as in configs/resnet.py:cpu, which
describes each value. Ranges of `config.effects` describe your instrument. Train on
known crystals of your own with --config.crystals=PATH --config.source=mixed, and on
other space groups with --config.statistics=FILE.

These 600 steps of 128 patterns (on commit 894765b, 172 seconds of one core of an AMD
EPYC with compilation and report) raise the accuracy of the bundled network on 1,000
synthetic crystals, as that instrument measures them, from 1.6 % to 61.1 %; from random
weights, they reach 42.8 %. With K-alpha2 alone, 300 steps raise it from 24.1 % to
78.9 %, and reach 41.2 % from random weights. experiments/fine_tune.ipynb does the same
step by step.
"""

import runpy
from pathlib import Path

import ml_collections

_RESNET = runpy.run_path(str(Path(__file__).with_name("resnet.py")))


def get_config() -> ml_collections.ConfigDict:
    """Every setting of a run."""
    config = _RESNET["get_config"]("cpu").unlock()
    config.init = "pretrained"
    config.source = "synthetic"
    config.steps = 600
    config.checkpoint_every = 100
    config.optimizer.warmup_steps = 20
    config.optimizer.decay_steps = 400
    config.evaluation.synthetic = 1_000
    return config.lock()
