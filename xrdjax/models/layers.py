"""The layers of a network by name: which is its head, and which are frozen."""

import fnmatch

from flax import linen as nn
from flax.traverse_util import flatten_dict

from xrdjax.errors import InputError
from xrdjax.models.parameters import parameter_shapes
from xrdjax.models.resnet import LATTICE_LAYERS

ALL_BUT_HEAD = "all_but_head"


def head_layers(model: nn.Module, shape: tuple[int, ...] | int) -> frozenset[str]:
    """Names of the layers whose size depends on the number of classes.

    Args:
        model: a network with a field `outputs`, its number of classes.
        shape: of the input of one pattern, such as its number of points T.
    """
    one, two = (
        flatten_dict(parameter_shapes(model.clone(outputs=classes), shape))
        for classes in (1, 2)
    )
    return frozenset(path[0] for path in one if one[path].shape != two[path].shape)


def frozen_layers(
    names: str, model: nn.Module, shape: tuple[int, ...] | int
) -> frozenset[str]:
    """Names of the layers that training does not change.

    Args:
        names: of layers, separated by commas, such as "Conv_*,Dense_0"; or
            "all_but_head".
        model: a network with a field `outputs`, its number of classes.
        shape: of the input of one pattern, such as its number of points T.

    Raises:
        InputError: there is no such layer, or no layer is left to train.
    """
    layers = sorted(parameter_shapes(model, shape))
    if names == ALL_BUT_HEAD:
        heads = head_layers(model, shape) | frozenset(LATTICE_LAYERS)
        return frozenset(layers) - heads
    frozen: set[str] = set()
    for name in names.split(","):
        found = fnmatch.filter(layers, name.strip())
        if not found:
            raise InputError(
                f"freeze names {name!r}, but the network has the layers "
                f"{', '.join(layers)}: name some of these, or {ALL_BUT_HEAD}"
            )
        frozen.update(found)
    if len(frozen) == len(layers):
        raise InputError(
            f"freeze is {names!r}, which leaves no layer to train: name fewer layers, "
            f"or {ALL_BUT_HEAD}"
        )
    return frozenset(frozen)
