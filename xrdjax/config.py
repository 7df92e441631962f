"""Checks a run's configuration, writes it to the work directory and reads it there.

The values, their units and their defaults are in configs/resnet.py; `build` makes
objects from them.
"""

import difflib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_collections

from xrdjax.devices import DISTRIBUTED
from xrdjax.errors import InputError
from xrdjax.files import write_text
from xrdjax.instrument.grid import SPACINGS
from xrdjax.models import park_cnn, resnet

CONFIG_FILE = "config.json"

# A run may be resumed with other values of these: they change how long it is and what
# is reported, but nothing that the parameters depend on.
_FREE = {
    "steps",
    "checkpoint_every",
    "checkpoints_kept",
    "max_skipped_steps",
    "compilation_cache",
    "distributed",
    "crystals",
    "evaluation.batch_size",
    "evaluation.synthetic",
    "evaluation.validation",
}

_SOURCES = ("synthetic", "crystals", "mixed")
_KINDS = ("resnet", "park_cnn")
_MODEL_SIZES = (*resnet.SIZES, *park_cnn.SIZES)
_OPTIMIZERS = ("adam", "muon")
_SCHEDULES = ("halve", "cosine", "stable_decay")
_DTYPES = ("auto", "float32", "bfloat16")
_CHECKPOINTS = ("newest", "best")
_OPTIMIZER_STATES = ("fresh", "kept")

# Range of each effect of a measurement where it is absent.
NO_EFFECTS: dict[str, tuple[float, float]] = {
    "k_alpha2": (0.0, 0.0),
    "k_beta": (0.0, 0.0),
    "w_l_alpha": (0.0, 0.0),
    "gaussian_deg": (0.0, 0.0),
    "caglioti_u": (0.0, 0.0),
    "caglioti_v": (0.0, 0.0),
    "caglioti_w": (0.0, 0.0),
    "lorentzian_deg": (0.0, 0.0),
    "zero_deg": (0.0, 0.0),
    "displacement": (0.0, 0.0),
    "transparency": (0.0, 0.0),
    "polarization": (1.0, 1.0),
    "axial": (0.0, 0.0),
    "strain": (0.0, 0.0),
    "lorentzian": (0.0, 0.0),
    "b_iso": (0.0, 0.0),
    "march": (1.0, 1.0),
    "other_phases": (0.0, 0.0),
    "background": (0.0, 0.0),
    "counts": (0.0, 0.0),
    "first_deg": (0.0, 0.0),
    "last_deg": (180.0, 180.0),
}

# Fields that older configurations lack, and the values that those runs had.
_LATER: dict[str, Any] = {
    "min_crystals": 0,
    "init": "",
    "init_checkpoint": "newest",
    "init_optimizer": "fresh",
    "freeze": "",
    "spacing": "two_theta",
    "anomalous": False,
    "model.channels": "sqrt",
    "model.norm": "group",
    "model.stem": "conv",
    "model.head": "linear",
    "model.widths": (),
    "model.points": 0,
    "lattice_weight": 0.0,
    "min_distance": 0.0,
    "placements": 1,
    "optimizer.decay_steps": 0,
} | {f"effects.{name}": value for name, value in NO_EFFECTS.items()}


def _whole(least: int) -> tuple[Callable[[Any], bool], str]:
    return (
        lambda value: isinstance(value, int) and value >= least,
        f"a whole number, at least {least}",
    )


def _one_of(choices: tuple[Any, ...]) -> tuple[Callable[[Any], bool], str]:
    return choices.__contains__, f"one of {', '.join(map(str, choices))}"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


_POSITIVE = (lambda value: _number(value) and value > 0, "a number above 0")
_NOT_NEGATIVE = (lambda value: _number(value) and value >= 0, "a number, at least 0")
_BELOW_ONE = (lambda value: _number(value) and 0 <= value < 1, "in [0, 1)")
_ANGLE = (lambda value: _number(value) and 0 < value < 180, "degrees in (0, 180)")
_BOOLEAN = (lambda value: isinstance(value, bool), "True or False")
_TEXT = (lambda value: isinstance(value, str), "text")
_PATH = (
    lambda value: isinstance(value, str) and (not value or Path(value).exists()),
    "the path of a file or folder that exists, or empty",
)
_RANGE = (
    lambda value: (
        isinstance(value, tuple | list)
        and 2 <= len(value) <= 4
        and all(map(_number, value[:2]))
        and value[0] <= value[1]
        and (len(value) < 3 or value[2] in ("even", "log"))
        and (len(value) < 4 or (_number(value[3]) and 0 <= value[3] <= 1))
    ),
    "two numbers, the smaller first; perhaps 'even' or 'log', and a share from 0 to 1",
)

_WIDTHS = (
    lambda value: (
        isinstance(value, tuple | list)
        and len(value) in (0, 4)
        and all(isinstance(width, int) and width > 0 for width in value)
    ),
    "four whole numbers, at least 1, or none",
)

# Of each field: whether a value is allowed, and which values are.
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "seed": _whole(0),
    "steps": _whole(1),
    "batch_size": _whole(0),
    "steps_per_call": _whole(1),
    "steps_per_draw": _whole(1),
    "checkpoint_every": _whole(1),
    "checkpoints_kept": _whole(1),
    "max_skipped_steps": _whole(1),
    "compilation_cache": _TEXT,
    "cpu_devices": _whole(1),
    "distributed": _one_of(DISTRIBUTED),
    "init": _TEXT,
    "init_checkpoint": _one_of(_CHECKPOINTS),
    "init_optimizer": _one_of(_OPTIMIZER_STATES),
    "freeze": _TEXT,
    "source": _one_of(_SOURCES),
    "known.share": (lambda value: _number(value) and 0 < value < 1, "in (0, 1)"),
    "known.strain": (lambda value: _number(value) and 0 <= value <= 0.1, "in [0, 0.1]"),
    "known.exchange": (lambda value: _number(value) and 0 <= value <= 1, "in [0, 1]"),
    "statistics": _PATH,
    "crystals": _PATH,
    "min_crystals": _whole(0),
    "symprec": _POSITIVE,
    "wavelength": _POSITIVE,
    "anomalous": _BOOLEAN,
    "two_theta_min_deg": _ANGLE,
    "two_theta_max_deg": _ANGLE,
    "points": _whole(2),
    "spacing": _one_of(SPACINGS),
    "crystallite_size_nm": _RANGE,
    "max_volume": _POSITIVE,
    "max_sites": _whole(1),
    "min_distance": (lambda value: _number(value) and 0 <= value <= 1.5, "in [0, 1.5]"),
    "placements": _whole(1),
    "model.kind": _one_of(_KINDS),
    "model.size": _one_of(_MODEL_SIZES),
    "model.width": _whole(1),
    "model.groups": _whole(1),
    "model.channels": _one_of(resnet.CHANNELS),
    "model.norm": _one_of(resnet.NORMS),
    "model.stem": _one_of(resnet.STEMS),
    "model.head": _one_of(resnet.HEADS),
    "model.widths": _WIDTHS,
    "model.points": _whole(0),
    "model.dropout": _BOOLEAN,
    "model.dtype": _one_of(_DTYPES),
    "lattice_weight": _NOT_NEGATIVE,
    "optimizer.kind": _one_of(_OPTIMIZERS),
    "optimizer.learning_rate": _POSITIVE,
    "optimizer.schedule": _one_of(_SCHEDULES),
    "optimizer.halve_every_steps": _whole(1),
    "optimizer.warmup_steps": _whole(0),
    "optimizer.decay_steps": _whole(0),
    "optimizer.b1": _BELOW_ONE,
    "optimizer.b2": _BELOW_ONE,
    "optimizer.eps": _POSITIVE,
    "evaluation.batch_size": _whole(1),
    "evaluation.synthetic": _whole(0),
    "evaluation.validation": _whole(0),
} | {f"effects.{name}": _RANGE for name in NO_EFFECTS}


def _flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"model": {"size": 10}} becomes {"model.size": 10}."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def expected_value(name: str) -> str:
    """What a field of the configuration may hold, in words.

    Raises:
        InputError: there is no such field; suggests the nearest name.
    """
    if name not in _RULES:
        close = difflib.get_close_matches(name, _RULES, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "see configs/resnet.py"
        raise InputError(f"the configuration has no field {name!r}: {hint}")
    return _RULES[name][1]


def check_config(config: ml_collections.ConfigDict) -> None:
    """Checks every value by itself, and the numbers of steps against one another.

    Raises:
        InputError: names the first field that is unknown, missing or out of range,
            what it holds and what is expected.
    """
    flat = _flat(config.to_dict())
    for name in flat:
        expected_value(name)
    for name, (good, expected) in _RULES.items():
        if name not in flat:
            raise InputError(
                f"the configuration lacks the field {name!r} ({expected}): add it, as "
                "in configs/resnet.py"
            )
        if not good(flat[name]):
            raise InputError(f"{name} is {flat[name]!r}, expected {expected}")
    _check_steps(config)


def _check_steps(config: ml_collections.ConfigDict) -> None:
    """Makes sure that calls of the program, draws and checkpoints fit together."""
    for name in ("steps", "checkpoint_every"):
        if config[name] % config.steps_per_call:
            raise InputError(
                f"{name} is {config[name]}, which is not a multiple of steps_per_call, "
                f"{config.steps_per_call}: the compiled program always takes that many"
            )
    if config.steps_per_call % config.steps_per_draw:
        raise InputError(
            f"steps_per_call is {config.steps_per_call}, which is not a multiple of "
            f"steps_per_draw, {config.steps_per_draw}: crystals are sampled for that "
            "many steps together"
        )


def write_config(workdir: Path, config: ml_collections.ConfigDict) -> None:
    """Writes the configuration as JSON to the work directory."""
    text = json.dumps(config.to_dict(), indent=2)
    write_text(workdir / CONFIG_FILE, text + "\n")


def read_config(workdir: Path) -> ml_collections.ConfigDict:
    """The configuration of a run; fields that it lacks have the values it ran with.

    Raises:
        InputError: there is none, it cannot be read, or a value is out of range.
    """
    path = workdir / CONFIG_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        for name, value in _LATER.items():
            section, _, field = name.rpartition(".")
            (values.setdefault(section, {}) if section else values).setdefault(
                field, value
            )
        # JSON knows lists only; the fields of several values are tuples.
        values["crystallite_size_nm"] = tuple(values["crystallite_size_nm"])
        values["model"]["widths"] = tuple(values["model"]["widths"])
        values["effects"] = {k: tuple(v) for k, v in values["effects"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"cannot read the configuration {str(path)!r} ({error}): name the work "
            "directory of a run"
        ) from error
    config = ml_collections.ConfigDict(values).lock()
    # what was read from these paths is in the run; they need not exist any more
    check_config(ml_collections.ConfigDict(values | {"statistics": "", "crystals": ""}))
    return config


def check_same_run(
    old: ml_collections.ConfigDict, new: ml_collections.ConfigDict, workdir: Path
) -> None:
    """Refuses to resume a run with settings that would make it another run.

    Args:
        old: configuration that the run was started with.
        new: configuration that it is to be resumed with.
        workdir: of the run, for the message.

    Raises:
        InputError: names the fields that differ, and both values.
    """
    free = _free_fields(old, new)
    differ = [
        f"{name} (there {was!r}, asked for {now!r})"
        for name, (was, now) in differences(old, new).items()
        if name not in free
    ]
    may_be_cut = new.optimizer.schedule == "stable_decay"
    if new.steps < old.steps and "steps" in free and not may_be_cut:
        differ.append(f"steps (there {old.steps}, asked for only {new.steps})")
    if differ:
        raise InputError(
            f"the run in {str(workdir)!r} was started with another configuration: "
            f"{', '.join(differ)}: give the same values or another work directory"
        )


def differences(
    old: ml_collections.ConfigDict, new: ml_collections.ConfigDict
) -> dict[str, tuple[Any, Any]]:
    """Both values of each field in which two configurations differ, by full names."""
    was, now = _values(old), _values(new)
    return {
        name: (was.get(name), now.get(name))
        for name in sorted(was | now)
        if was.get(name) != now.get(name)
    }


def _values(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """Values by full names, as JSON has them: a tuple equals the list it is kept as."""
    return _flat(json.loads(json.dumps(config.to_dict())))


def _free_fields(
    old: ml_collections.ConfigDict, new: ml_collections.ConfigDict
) -> set[str]:
    """Fields that may change as a run is resumed."""
    free = set(_FREE)
    if new.source != "synthetic":
        free -= {"crystals"}  # the network learns from them
    if old.evaluation.validation:
        # the best checkpoint is the best on one and the same set of patterns
        free -= {"crystals", "evaluation.batch_size", "evaluation.validation"}
    if new.optimizer.schedule == "cosine":
        free -= {"steps"}  # where the learning rate falls to zero
    if new.optimizer.schedule == "stable_decay":
        free |= {"optimizer.decay_steps"}  # until it begins: see training/workdir.py
    return free
