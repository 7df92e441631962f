"""From a checked configuration to objects: the only reader of its fields."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from flax import linen as nn

from xrdjax.diffraction.reflections import INDEX_LIMIT
from xrdjax.errors import InputError
from xrdjax.instrument.exposure import ExposureRanges
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.instrument import InstrumentRanges
from xrdjax.instrument.measurement import Measurement, make_measurement
from xrdjax.instrument.radiation import ANODES, lines_beside
from xrdjax.instrument.ranges import Range, Spread, is_always
from xrdjax.instrument.specimen import SpecimenRanges
from xrdjax.known.collection import known_crystals
from xrdjax.known.selection import Selection, select_crystals, split_of
from xrdjax.known.variations import Variation
from xrdjax.models import layers, park_cnn, resnet
from xrdjax.models.cells import LATTICES, CellLoss
from xrdjax.models.network_input import NetworkInput
from xrdjax.patterns.batch import Source
from xrdjax.patterns.known import KnownSource, crystal_table, make_known_source
from xrdjax.patterns.mixed import MixedSource
from xrdjax.patterns.synthetic import SyntheticSource, make_synthetic_source
from xrdjax.prior.prior import Limits
from xrdjax.prior.tables import Statistics

if TYPE_CHECKING:
    import optax

# Emission lines beside the first one.
_EMISSION_LINES = ("k_alpha2", "k_beta", "w_l_alpha")


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How long a run is, and how much it does at once.

    Attributes:
        steps: updates of the parameters.
        batch_size: patterns a step on all devices together.
        steps_per_call: steps of one call of the compiled program.
        steps_per_draw: steps whose crystals are sampled together.
        checkpoint_every: steps.
        checkpoints_kept: newest ones that stay.
        max_skipped_steps: in a row, not finite, until the run stops.
    """

    steps: int
    batch_size: int
    steps_per_call: int
    steps_per_draw: int
    checkpoint_every: int
    checkpoints_kept: int
    max_skipped_steps: int


@dataclasses.dataclass(frozen=True)
class WarmStart:
    """What a run starts from.

    Attributes:
        init: "pretrained" or "measured", a folder of weights or a work directory; empty
            for random parameters.
        checkpoint: of a work directory, "newest" or "best".
        keeps_optimizer: whether its optimizer's state is taken as well.
    """

    init: str
    checkpoint: str
    keeps_optimizer: bool


@dataclasses.dataclass(frozen=True)
class EvaluationSettings:
    """How a network is evaluated.

    Attributes:
        seed: of the run.
        batch_size: patterns at once on each device.
        synthetic: number of fresh synthetic crystals.
        validation: number of patterns at each checkpoint.
        crystals: path of known crystals; empty for none.
        crystal_limits: symprec, max_volume, max_sites and max_edge of known crystals,
            as `select_crystals` takes them.
    """

    seed: int
    batch_size: int
    synthetic: int
    validation: int
    crystals: str
    crystal_limits: dict[str, Any]

    @property
    def symprec(self) -> float:
        """Tolerance of spglib for known crystals, angstrom."""
        return self.crystal_limits["symprec"]


def make_model(config: ml_collections.ConfigDict, outputs: int) -> nn.Module:
    """The network that a configuration describes, for so many space groups.

    Its computation is in bfloat16 on accelerators if model.dtype is "auto".

    Raises:
        InputError: the settings do not go together.
    """
    model, dtype = config.model, config.model.dtype
    if dtype == "auto":
        dtype = "float32" if jax.default_backend() == "cpu" else "bfloat16"
    parts = _parts(model)
    if model.kind == "park_cnn":
        if parts != resnet.PAPER:
            raise InputError(
                f"the network has the parts {dataclasses.asdict(parts)}, but Park's "
                "have no such choice: leave them as in configs/park_cnn.py, or take "
                "configs/resnet.py"
            )
        if config.lattice_weight:
            raise InputError(
                f"lattice_weight is {config.lattice_weight}, but Park's networks give "
                "no unit cell: set it to 0, or take configs/resnet.py"
            )
        return park_cnn.park_cnn(
            model.size,
            outputs,
            config.points,
            width=model.width,
            dropout=model.dropout,
            dtype=jnp.dtype(dtype),
        )
    if model.dropout:
        raise InputError(
            "model.dropout is True, but a ResNet has no dropout: set it to False, or "
            "take configs/park_cnn.py"
        )
    return resnet.resnet(
        model.size,
        outputs,
        width=model.width,
        groups=model.groups,
        dtype=jnp.dtype(dtype),
        parts=parts,
        lattices=LATTICES if config.lattice_weight else 0,
    )


def cell_loss_of(
    config: ml_collections.ConfigDict, space_groups: Iterable[int]
) -> CellLoss | None:
    """The loss of the unit cell, of classes with these numbers; None if not asked for."""
    if not config.lattice_weight:
        return None
    return CellLoss(float(config.lattice_weight), tuple(space_groups))


def _parts(model: ml_collections.ConfigDict) -> resnet.Parts:
    """The choices of a ResNet's parts."""
    return resnet.Parts(
        channels=model.channels,
        norm=model.norm,
        stem=model.stem,
        head=model.head,
        widths=tuple(model.widths),
    )


def make_optimizer(
    config: ml_collections.ConfigDict,
) -> "optax.GradientTransformation":
    """What turns gradients into updates; those of frozen layers are zero."""
    from xrdjax.models import optimizer  # optax takes long to import

    made = optimizer.make_optimizer(**config.optimizer, steps=config.steps)
    return optimizer.hold(made, frozen_layers(config))


def warm_start_of(config: ml_collections.ConfigDict) -> WarmStart:
    """What a run starts from.

    Raises:
        InputError: something of other weights is asked for, and none are named.
    """
    start = WarmStart(
        init=config.init,
        checkpoint=config.init_checkpoint,
        keeps_optimizer=config.init_optimizer == "kept",
    )
    if not start.init and (start.keeps_optimizer or config.freeze):
        raise InputError(
            f"init_optimizer is {config.init_optimizer!r} and freeze is "
            f"{config.freeze!r}, but init is empty: name the weights to start from "
            "with --config.init=DIR"
        )
    return start


def frozen_layers(config: ml_collections.ConfigDict) -> frozenset[str]:
    """Names of the layers that training leaves as they are.

    Raises:
        InputError: there is no such layer, or none is left to train.
    """
    if not config.freeze:
        return frozenset()
    model = make_model(config, outputs=1)
    return layers.frozen_layers(config.freeze, model, network_input_of(config).shape)


def measurement_of(config: ml_collections.ConfigDict) -> Measurement:
    """The measurement that a configuration describes.

    Raises:
        InputError: there is no such measurement.
    """
    return make_measurement(
        TwoThetaGrid(
            two_theta_min_deg=config.two_theta_min_deg,
            two_theta_max_deg=config.two_theta_max_deg,
            points=config.points,
            spacing=config.spacing,
        ),
        _instruments(config),
        _specimens(config),
        _exposures(config.effects),
    )


def _range(value: Sequence) -> Range:
    """(low, high), (low, high, "log") or (low, high, "even" or "log", share)."""
    low, high, *rest = value
    return Spread(low, high, "log" in rest[:1], *map(float, rest[1:]))


def _ranges(effects: ml_collections.ConfigDict, names: Iterable[str]) -> dict[str, Any]:
    return {name: _range(effects[name]) for name in names}


def _instruments(config: ml_collections.ConfigDict) -> InstrumentRanges:
    """Emission lines beside the first are those of the anode that has the first.

    Raises:
        InputError: no anode has it.
    """
    names = [
        name
        for name in _EMISSION_LINES
        if not is_always(_range(config.effects[name]), 0.0)
    ]
    ratios = lines_beside(config.wavelength) or {}
    if names and not ratios:
        raise InputError(
            f"effects.{names[0]} is {config.effects[names[0]]}, but {config.wavelength} "
            f"angstrom is K-alpha of none of {', '.join(ANODES)}: set it to (0.0, 0.0), "
            f"or wavelength to that of an anode, such as {ANODES['Cu'].k_alpha1}"
        )
    lines = {name: ratios[name] for name in names}
    names = [field.name for field in dataclasses.fields(InstrumentRanges)][3:]
    return InstrumentRanges(
        wavelengths=(
            config.wavelength,
            *(config.wavelength * r for r in lines.values()),
        ),
        weights=(1.0, *(_range(config.effects[name]) for name in lines)),
        anomalous=config.anomalous,
        **_ranges(config.effects, names),
    )


def _specimens(config: ml_collections.ConfigDict) -> SpecimenRanges:
    names = [field.name for field in dataclasses.fields(SpecimenRanges)][1:]
    size_nm = _range(config.crystallite_size_nm)
    return SpecimenRanges(size_nm, **_ranges(config.effects, names))


def _exposures(effects: ml_collections.ConfigDict) -> ExposureRanges:
    names = [field.name for field in dataclasses.fields(ExposureRanges)]
    return ExposureRanges(**_ranges(effects, names))


def network_input_of(config: ml_collections.ConfigDict) -> NetworkInput:
    """What a network is given of each pattern.

    Raises:
        InputError: recorded patterns are not even in 2 theta.
    """
    grid = measurement_of(config).grid
    if config.model.channels != "measured":
        return NetworkInput(grid)
    if grid.spacing != "two_theta":
        raise InputError(
            f"model.channels is 'measured' and spacing is {grid.spacing!r}: set spacing "
            "to 'two_theta', as a diffractometer measures; the network's own axis is "
            "even in log sin(theta) anyway"
        )
    return NetworkInput(grid, config.model.points)


def schedule_of(
    config: ml_collections.ConfigDict, groups: int, devices: int
) -> Schedule:
    """Length of a run and sizes of its batches.

    Args:
        config: of the run, checked for so many devices by `check_buildable`.
        groups: number of space groups; a batch_size of 0 is one pattern of each,
            rounded up to a multiple of the devices.
        devices: number of devices that share a batch.
    """
    return Schedule(
        steps=config.steps,
        batch_size=config.batch_size or devices * math.ceil(groups / devices),
        steps_per_call=config.steps_per_call,
        steps_per_draw=config.steps_per_draw,
        checkpoint_every=config.checkpoint_every,
        checkpoints_kept=config.checkpoints_kept,
        max_skipped_steps=config.max_skipped_steps,
    )


def evaluation_settings(config: ml_collections.ConfigDict) -> EvaluationSettings:
    """How the network of a run is evaluated."""
    s_max = measurement_of(config).s_max
    return EvaluationSettings(
        seed=config.seed,
        batch_size=config.evaluation.batch_size,
        synthetic=config.evaluation.synthetic,
        validation=config.evaluation.validation,
        crystals=config.crystals,
        crystal_limits={
            "symprec": config.symprec,
            "max_volume": config.max_volume,
            "max_sites": config.max_sites,
            "max_edge": 0.99 * INDEX_LIMIT / s_max,  # more has no Miller indices here
        },
    )


def synthetic_source(
    config: ml_collections.ConfigDict, statistics: Statistics
) -> SyntheticSource:
    """The source of synthetic crystals that a configuration describes."""
    limits = Limits(
        max_volume=config.max_volume,
        max_sites=config.max_sites,
        min_distance=config.min_distance,
        placements=config.placements,
    )
    return make_synthetic_source(statistics, measurement_of(config), limits)


def training_crystals(
    config: ml_collections.ConfigDict, statistics: Statistics, provenance: Mapping
) -> Selection:
    """Known crystals of the statistics' side, in its groups, within the run's limits.

    Args:
        config: names the crystals and the limits.
        statistics: of the run.
        provenance: of the statistics, which states the split.

    Raises:
        InputError: the crystals cannot be read.
    """
    return select_crystals(
        known_crystals(config.crystals, config.symprec, progress=True),
        np.asarray(statistics.space_groups).tolist(),
        split=split_of(provenance) if provenance.get("held_out") else None,
        part="statistics",
        **evaluation_settings(config).crystal_limits,
    )


def _known_source(
    config: ml_collections.ConfigDict, statistics: Statistics, provenance: Mapping
) -> KnownSource:
    selection = training_crystals(config, statistics, provenance)
    table = crystal_table(selection.structures, selection.labels)
    variation = Variation(strain=config.known.strain, exchange=config.known.exchange)
    return make_known_source(
        table, measurement_of(config), config.max_volume, variation
    )


def make_source(
    config: ml_collections.ConfigDict, statistics: Statistics, provenance: Mapping
) -> Source:
    """The source of training patterns that a configuration asks for.

    Synthetic crystals by default; with `source` "crystals" the `training_crystals`, as
    often as it takes, measured afresh each time; with "mixed" both.

    Raises:
        InputError: the crystals cannot be read, or none can be trained on.
    """
    if config.source == "synthetic":
        return synthetic_source(config, statistics)
    known = _known_source(config, statistics, provenance)
    if config.source == "crystals":
        return known
    return MixedSource(synthetic_source(config, statistics), known, config.known.share)


def check_buildable(config: ml_collections.ConfigDict, devices: int) -> None:
    """Makes sure, before anything is written, that the settings go together.

    Args:
        config: checked by `check_config`.
        devices: number of devices that share a batch.

    Raises:
        InputError: no such network or measurement, known crystals are asked for and
            none are named, or a batch cannot be shared.
    """
    make_model(config, outputs=1)
    network_input_of(config)
    warm_start_of(config)
    frozen_layers(config)
    if config.source != "synthetic" and not config.crystals:
        raise InputError(
            f"source is {config.source!r}, but crystals is empty: name them with "
            "--config.crystals=PATH, the same that the statistics were made from"
        )
    _check_shares(config, devices)


def _check_shares(config: ml_collections.ConfigDict, devices: int) -> None:
    """Refuses a batch that devices, or two sources on a device, cannot share."""
    size = config.batch_size
    if size % devices:
        raise InputError(
            f"batch_size is {size}, which {devices} devices cannot share equally: "
            f"choose a multiple of {devices}"
        )
    if config.source == "mixed" and size * config.steps_per_draw == devices:
        raise InputError(
            f"batch_size is {size}, which leaves a device one crystal, synthetic or "
            f"known: choose {2 * devices} or more"
        )
