"""The comparison of training sources: synthetic crystals, known ones, or both.

    python -m experiments.compare_sources --crystals=PATH --out=DIR

trains each network on each source, once with whole structure types held out and once
with single crystals held out, all with the same budget.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """What is compared, and the flags of `python -m xrdjax.main` for each run."""
    config = ml_collections.ConfigDict()
    # Name and flags of each source.
    config.sources = (
        ("crystals", ("--config.source=crystals",)),
        ("synthetic", ("--config.source=synthetic",)),
        (
            "mixed",
            (
                "--config.source=mixed",
                "--config.known.strain=0.03",
                "--config.known.exchange=0.5",
            ),
        ),
    )
    config.splits = ("type", "random")  # values of statistics --split

    # Flags of `python -m xrdjax.statistics` for each split.
    config.statistics = ("--held_out=0.2", "--seed=0", "--min_crystals=50")

    # Name and flags of each network: small ones, each with an optimizer that suits it.
    config.models = (
        (
            "resnet10",
            (
                "--config=configs/resnet.py:10",
                "--config.model.width=16",
                "--config.model.groups=8",
                "--config.optimizer.kind=muon",
                "--config.optimizer.learning_rate=6e-3",
            ),
        ),
        (
            "park",
            (
                "--config=configs/park_cnn.py:small",
                "--config.optimizer.kind=adam",
                "--config.optimizer.learning_rate=1e-3",
            ),
        ),
    )

    # Flags of all runs; one device each, so that two runs share two cores.
    config.all_runs = (
        "--config.cpu_devices=1",
        "--config.points=2126",  # steps of 0.04 degrees
        "--config.batch_size=128",
        "--config.steps=1000",
        "--config.steps_per_call=20",
        "--config.steps_per_draw=4",
        "--config.checkpoint_every=200",
        "--config.optimizer.schedule=cosine",
        "--config.optimizer.warmup_steps=100",
        "--config.evaluation.synthetic=5000",
        "--config.evaluation.validation=1000",
    )
    return config.lock()
