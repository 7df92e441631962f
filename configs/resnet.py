"""Space groups from powder patterns: the ResNets of Schopmans et al. (2023).

    python -m xrdjax.main --config=configs/resnet.py --workdir=runs/resnet10

trains ResNet-10 with the paper's settings, which takes days on a GPU. An argument
chooses the depth (`configs/resnet.py:50`; 10, 18, 34, 50 or 101), or a small network
that shows within minutes, on two CPU cores, that everything works:

    python -m xrdjax.main --config=configs/resnet.py:quick --workdir=runs/quick

:quick, 5,000 steps on two cores of an AMD EPYC (on commit f1d61f0, 5 min 59 s): top-1
68.3 % on synthetic crystals, 57.4 % on held-out structure types of the Materials Project
(15.7 % by frequency).

The bundled network learned more per core-second, and for longer, from synthetic
crystals and variations of known ones:

    python -m xrdjax.main --config=configs/resnet.py:cpu --config.crystals=PATH \
        --workdir=runs/cpu

:cpu, 54,000 steps on one core of an AMD EPYC (this recipe on the code of 8d3764c, 112 min):
80.0 % on synthetic crystals, 73.7 % on held-out structure types. `:bundled` is the network
that was bundled before: 20,000 steps on two cores (commit 36b0ee9, 67 min), 66.7 % and
62.7 %.

A flag changes any value: `--config.optimizer.learning_rate=3e-4`.
"""

import ml_collections

from xrdjax.config import NO_EFFECTS
from xrdjax.errors import InputError
from xrdjax.models.resnet import SIZES


def _learn_more_per_second(config: ml_collections.ConfigDict) -> None:
    """Replaces settings of the paper by those that learn most per second on a CPU."""
    config.spacing = "log_sin_theta"
    config.model.channels = "sqrt_fourth_root_log"
    config.model.norm = "none"
    config.model.stem = "patch"
    config.model.head = "rms_relu"


def get_config(arg: str = "10") -> ml_collections.ConfigDict:
    """Every setting of a run.

    Args:
        arg: depth of the network, "quick", "bundled" or "cpu".
    """
    sizes = [str(size) for size in SIZES]
    if arg not in (*sizes, "quick", "bundled", "cpu"):
        raise InputError(
            f"configs/resnet.py has no variant {arg!r}: choose {', '.join(sizes)}, "
            "quick, bundled or cpu"
        )

    config = ml_collections.ConfigDict()
    config.seed = 0  # of parameters, crystals and crystallite sizes

    # Length of the run, and sizes of its steps and calls.
    config.steps = 1_800_000  # updates; the paper's 2,000 epochs of 900
    config.batch_size = 0  # patterns per step on all devices; 0: number of groups
    config.steps_per_call = 100  # steps per call of the compiled program
    config.steps_per_draw = 1  # steps whose crystals are sampled together
    config.checkpoint_every = 9_000  # steps
    config.checkpoints_kept = 2  # newest ones; the best is kept as well
    config.max_skipped_steps = 20  # non-finite steps in a row that stop the run
    config.cpu_devices = 1  # devices that JAX splits a CPU into
    config.distributed = "off"  # or "auto": processes that the cluster started
    config.compilation_cache = ""  # folder for compiled programs; empty: none

    # Weights to start from: empty for random ones; pretrained or measured, the bundled
    # networks; a folder of weights; or the work directory of another run.
    config.init = ""
    config.init_checkpoint = "newest"  # of a work directory; or best, by validation
    config.init_optimizer = "fresh"  # or kept, that of the work directory
    # Layers that are not trained: names such as "Conv_*,Dense_0"; or all_but_head.
    config.freeze = ""

    # Crystals.
    # synthetic; crystals, known ones on the statistics' side of the split; or mixed
    config.source = "synthetic"
    config.statistics = ""  # file of `python -m xrdjax.statistics`; empty: bundled
    config.min_crystals = 50  # groups of fewer known ones are left out; 0: none is
    config.max_volume = 7000.0  # of the conventional cell, cubic angstrom
    config.max_sites = 100  # in the asymmetric unit
    # Synthetic ones closer to known ones: smallest distance between atoms, in units of
    # their covalent radii (0: any); candidates for the coordinates of each site, of
    # which the one farthest from other atoms is taken (1: uniform, as in the paper).
    config.min_distance = 0.0
    config.placements = 1
    config.symprec = 0.01  # tolerance of spglib for known crystals, angstrom

    config.known = known = ml_collections.ConfigDict()
    known.share = 0.5  # share of known ones in a mixed batch
    known.strain = 0.0  # standard deviation of their strain; 0.03 is 3 %
    known.exchange = 0.0  # share of them whose elements are exchanged

    # Patterns.
    config.wavelength = 1.5406  # Cu K-alpha1, angstrom
    config.anomalous = False  # f' and f'' of the elements at that wavelength
    config.two_theta_min_deg = 5.0  # first point, degrees
    config.two_theta_max_deg = 90.0  # last point, degrees
    config.points = 8501
    config.spacing = "two_theta"  # scale on which the points are even; or log_sin_theta
    config.crystallite_size_nm = (20.0, 100.0)  # smallest and largest, nanometres

    # Effects of a measurement, each sampled from a range: (low, high), with "log" for a
    # uniform logarithm, and the share of patterns that have it. All are absent here;
    # configs/measured.py sets them.
    config.effects = ml_collections.ConfigDict(NO_EFFECTS)

    config.model = model = ml_collections.ConfigDict()
    model.kind = "resnet"  # or park_cnn, as configs/park_cnn.py sets it
    model.size = 10  # depth: 10, 18, 34, 50 or 101
    model.width = 64  # channels of the first stage
    model.groups = 32  # groups of each group normalisation
    # of the input: sqrt; sqrt_fourth_root_log, for weak lines; or measured, with
    # background removed
    model.channels = "sqrt"
    model.points = (
        0  # cells, even in log sin(theta), to which measured patterns are averaged
    )
    model.norm = "group"  # or none, with biases instead
    model.stem = "conv"  # or patch: 12 points with stride 4, no pooling
    model.head = "linear"  # or rms_relu, between the last two layers
    model.widths = ()  # channels of each stage; empty: doubled at every stage
    model.dropout = False  # only Park's networks have dropout
    model.dtype = "auto"  # float32, bfloat16, or auto: bfloat16 except on the CPU

    # Weight of the loss of the unit cell, a second output of the network; 0: none.
    config.lattice_weight = 0.0

    config.optimizer = optimizer = ml_collections.ConfigDict()
    optimizer.kind = "adam"  # or muon, which learns more from each pattern
    optimizer.learning_rate = 1e-4  # at the start, after any warm-up
    # halve; cosine, to zero at the last step; or stable_decay, to zero over decay_steps
    optimizer.schedule = "halve"
    optimizer.halve_every_steps = 450_000  # steps; the paper's 500 epochs
    optimizer.warmup_steps = 0  # steps over which the learning rate rises from zero
    optimizer.decay_steps = 0  # last steps, in which stable_decay falls
    optimizer.b1 = 0.9  # decay of the mean gradient
    optimizer.b2 = 0.999  # decay of the mean squared gradient
    optimizer.eps = 1e-7  # Keras' value, which the paper used

    # Known crystals to train and evaluate on: a CIF file, a folder or zip of them, or
    # the .npz file of their analyses; empty: none.
    config.crystals = ""
    config.evaluation = evaluation = ml_collections.ConfigDict()
    evaluation.batch_size = 128  # patterns at once on each device
    evaluation.synthetic = 10_000  # fresh synthetic crystals of the report
    evaluation.validation = 2_000  # patterns at each checkpoint; 0: no best one

    if arg in sizes:
        model.size = int(arg)
    else:
        config.cpu_devices = 2
        config.steps = 5_000
        config.batch_size = 128
        config.steps_per_call = 20
        config.steps_per_draw = 5
        config.checkpoint_every = 500
        config.points = 2126  # if even in 2 theta, steps of 0.04 degrees
        model.width = 16
        model.groups = 8
        optimizer.kind = "muon"
        optimizer.learning_rate = 6e-3
        optimizer.schedule = "cosine"
        optimizer.warmup_steps = 100
        evaluation.synthetic = 1_000
        evaluation.validation = 1_000
    if arg in ("quick", "cpu"):
        _learn_more_per_second(config)
    if arg in ("bundled", "cpu"):
        config.steps = 20_000
        config.checkpoint_every = 1_000
        config.source = "mixed"
        known.strain = 0.03
        known.exchange = 0.5
        optimizer.warmup_steps = 200
        evaluation.synthetic = 5_000
    if arg == "cpu":
        config.cpu_devices = 1
        config.steps = 54_000
        config.checkpoint_every = 2_000
        config.checkpoints_kept = 5
        model.widths = (16, 32, 96, 192)
        optimizer.schedule = "stable_decay"
        optimizer.decay_steps = 10_000
    return config.lock()
