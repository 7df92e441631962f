"""The comparison of sources of training patterns: random crystals against known ones.

    python -m experiments.compare_sources --crystals=PATH --out=DIR

trains each network on each source, once with whole structure types held out and once
with single crystals, with the same budget for all.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """What is compared, and the flags of `python -m xrdjax.main` for each run."""
    config = ml_collections.ConfigDict()
    config.sources = ("crystals", "synthetic")  # values of config.source
    config.splits = ("type", "random")  # values of statistics --split

    # Of `python -m xrdjax.statistics`, for each split.
    config.statistics = ("--held_out=0.2", "--seed=0", "--min_crystals=50")

    # Name and flags of the networks, with the grid, batch and schedule of :quick.
    config.models = (
        ("resnet10", ("--config=configs/resnet.py:quick",)),
        ("park", ("--config=configs/park_cnn.py:quick",)),
    )

    # For all runs alike. One device each, so that two runs share two cores.
    config.all_runs = (
        "--config.cpu_devices=1",
        "--config.steps=10000",
        "--config.evaluation.synthetic=1000",
    )
    return config.lock()
