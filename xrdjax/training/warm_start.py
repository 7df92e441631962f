"""Starts a run from the weights of another network.

Layers are matched by name. The head, which has a row for each space group, takes over
the rows of groups that both networks know, by space-group number. The layers of the
unit cell, a second output, are taken over where both networks have them.
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax
from flax.traverse_util import flatten_dict

from xrdjax.build import WarmStart, make_optimizer, warm_start_of
from xrdjax.checkpoints.reader import restore
from xrdjax.checkpoints.records import recorded_steps
from xrdjax.config import differences
from xrdjax.devices import replicate
from xrdjax.errors import InputError
from xrdjax.models.layers import head_layers
from xrdjax.models.resnet import LATTICE_LAYERS
from xrdjax.patterns.streams import warm_start_key
from xrdjax.run import MEASURED, PRETRAINED, Run, is_weights, load_network
from xrdjax.training.origin import Start, updates_of
from xrdjax.training.state import TrainState, to_items

_BUNDLED = {"pretrained": PRETRAINED, "measured": MEASURED}
# Fields that describe the input of a network; all of `model` but these two belong to
# the network itself.
_INPUT = {"two_theta_min_deg", "two_theta_max_deg", "points", "spacing"}
_FREE_OF_MODEL = {"model.dtype", "model.dropout"}


def open_start(config: ml_collections.ConfigDict, workdir: Path) -> Start | None:
    """Reads the weights that a run starts from, and makes sure that they fit.

    Returns:
        None where the run starts from random weights, or is resumed.

    Raises:
        InputError: there are no such weights, they are those of another network or
            were trained on another input, or their optimizer cannot be kept.
    """
    settings = warm_start_of(config)
    if not settings.init or recorded_steps(workdir):
        return None
    folder = _BUNDLED.get(settings.init, Path(settings.init))
    network = load_network(folder, settings.checkpoint)
    _check_same_network(network.config, config, settings.init)
    if not settings.keeps_optimizer:
        return Start(_name_of(settings), network, None)
    _check_same_optimizer(network.config, config, folder)
    return Start(
        _name_of(settings), *_with_opt_state(network, folder, settings.checkpoint)
    )


def _name_of(settings: WarmStart) -> str:
    """Without the place where the folder is, as reports and weights are published."""
    if settings.init in _BUNDLED:
        return settings.init
    return Path(settings.init).resolve().name


def _check_same_network(
    old: ml_collections.ConfigDict, new: ml_collections.ConfigDict, init: str
) -> None:
    """Refuses weights of another network, or of one that is given other patterns."""
    differ = [
        f"{name} {was!r} (asked for {now!r})"
        for name, (was, now) in differences(old, new).items()
        if name in _INPUT or (name.startswith("model.") and name not in _FREE_OF_MODEL)
    ]
    if differ:
        raise InputError(
            f"the weights of init, {init!r}, were trained with {', '.join(differ)}: "
            "give the same values, or start from other weights"
        )


def _check_same_optimizer(
    old: ml_collections.ConfigDict, new: ml_collections.ConfigDict, folder: Path
) -> None:
    """Refuses to keep the state of an optimizer that is not there or of another kind."""
    if is_weights(folder):
        raise InputError(
            f"init_optimizer is 'kept', but weights such as {str(folder)!r} come "
            "without the state of their optimizer: name a work directory, or set "
            "init_optimizer to 'fresh'"
        )
    if old.optimizer.kind != new.optimizer.kind:
        raise InputError(
            f"init_optimizer is 'kept', but that of {str(folder)!r} is "
            f"{old.optimizer.kind!r} and this run's is {new.optimizer.kind!r}: set "
            "optimizer.kind to the same, or init_optimizer to 'fresh'"
        )
    if bool(old.lattice_weight) != bool(new.lattice_weight):
        raise InputError(
            f"init_optimizer is 'kept', but lattice_weight is {new.lattice_weight} and "
            f"that of {str(folder)!r} is {old.lattice_weight}, so that only one of the "
            "networks gives unit cells: set init_optimizer to 'fresh'"
        )


def _with_opt_state(network: Run, folder: Path, checkpoint: str) -> tuple[Run, Any]:
    """The network with the state of its optimizer, both of one checkpoint."""
    state = TrainState(
        step=jnp.int32(0),
        key=jnp.zeros(2, jnp.uint32),
        params=network.params,
        opt_state=make_optimizer(network.config).init(network.params),
    )
    found = restore(folder, to_items(state), checkpoint)
    if found is None:
        raise InputError(
            f"the checkpoints of {str(folder)!r} have been removed: start from another "
            "work directory"
        )
    step, items = found
    network = dataclasses.replace(network, params=items["params"], step=step)
    return network, items["training"]["opt_state"]


@dataclasses.dataclass(frozen=True)
class _Rows:
    """Which classes of one network are which of another.

    Attributes:
        head: names of the layers that have a row for each class.
        new, old: rows of the classes that both know.
    """

    head: frozenset[str]
    new: np.ndarray
    old: np.ndarray

    def carry_over(self, fresh: Any, learned: Any) -> Any:
        """A pytree like the first one with what the second one has learned.

        Args:
            fresh: parameters, or the state of an optimizer.
            learned: the same of the other network.
        """

        def leaf(path: tuple[Any, ...], new: Any, old: Any) -> np.ndarray:
            if self.head.isdisjoint(getattr(key, "key", None) for key in path):
                return np.asarray(old)
            mixed = np.array(new)
            mixed[..., self.new] = np.asarray(old)[..., self.old]
            return mixed

        return jax.tree.map_with_path(leaf, fresh, learned)


def warm_state(
    start: Start, run: Run, initial: TrainState, mesh: jax.sharding.Mesh
) -> TrainState:
    """The state before the first step of a run that starts from other weights.

    The schedule of the learning rate begins anew, whether or not the rest of the
    optimizer's state is kept.

    Args:
        start: from `open_start`.
        run: the run that starts, without parameters.
        initial: its state with random weights.
        mesh: of all devices.

    Raises:
        InputError: the layers differ, which the configurations do not show.
    """
    _, new, old = np.intersect1d(
        run.space_groups, start.network.space_groups, return_indices=True
    )
    rows = _Rows(head_layers(run.model, run.network_input.shape), new, old)
    local = jax.tree.map(lambda leaf: leaf.addressable_data(0), initial)
    learned = _with_layers_of(local.params, start.network.params)
    _check_same_shapes(local.params, learned, rows.head)
    opt_state = local.opt_state
    if start.opt_state is not None:
        opt_state = rows.carry_over(opt_state, _restarted(start.opt_state))
    key = warm_start_key(jax.random.wrap_key_data(local.key), updates_of(start.network))
    state = TrainState(
        step=local.step,
        key=jax.random.key_data(key),
        params=rows.carry_over(local.params, learned),
        opt_state=opt_state,
    )
    return replicate(state, mesh)


def _with_layers_of(fresh: dict[str, Any], learned: dict[str, Any]) -> dict[str, Any]:
    """What was learned, with the layers of the unit cell only where they are wanted."""
    others = {name: x for name, x in learned.items() if name not in LATTICE_LAYERS}
    wanted = {name: fresh[name] for name in LATTICE_LAYERS if name in fresh}
    return others | wanted | {n: learned[n] for n in wanted if n in learned}


def _check_same_shapes(fresh: Any, learned: Any, head: frozenset[str]) -> None:
    """Compares layers by name; those of the head may have other numbers of classes."""

    def shapes(params: Any) -> dict[str, tuple[int, ...]]:
        return {
            "/".join(path): leaf.shape[:-1] if path[0] in head else leaf.shape
            for path, leaf in flatten_dict(params).items()
        }

    new, old = shapes(fresh), shapes(learned)
    for name in sorted(new | old):
        if new.get(name) != old.get(name):
            raise InputError(
                f"the weights of init have {name} of shape {old.get(name)}, and the "
                f"network has {new.get(name)}: start from weights of the same network"
            )


def _restarted(opt_state: Any) -> Any:
    """The state of an optimizer whose schedule begins anew."""

    def is_schedule(state: Any) -> bool:
        return isinstance(state, optax.ScaleByScheduleState)

    return jax.tree.map(
        lambda state: (
            optax.ScaleByScheduleState(jnp.zeros_like(state.count))
            if is_schedule(state)
            else state
        ),
        opt_state,
        is_leaf=is_schedule,
    )
