"""Residual networks that recognise the space group of a powder pattern.

The networks of Schopmans, Reiser and Friederich, Digital Discovery 2 (2023) 1414
(doi 10.1039/D3DD00071K): the ResNets of He et al. (2016) in one dimension, where a
3 x 3 kernel becomes one of 9 points and a stride of 2 x 2 one of 4, with group
normalisation (batch normalisation was unstable), a flattened last map (no pooling, as
the positions of peaks matter) and a linear layer of 256 units before the output.

`Parts` offers alternatives that learn more in the same time on a CPU
(configs/resnet.py:cpu).
"""

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from xrdjax.errors import InputError
from xrdjax.models.cells import PARAMETERS
from xrdjax.models.convolution import convolution_of_backend, patch_product
from xrdjax.models.preprocess import lift_weak_lines

# Blocks in each of the four stages, and whether they are bottlenecks.
SIZES: dict[int, tuple[tuple[int, ...], bool]] = {
    10: ((1, 1, 1, 1), False),
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
}

# Epsilon of the group normalisation in the published networks.
_NORM_EPSILON = 1e-3

# Choices for each part of a network, that of the paper first.
CHANNELS = ("sqrt", "sqrt_fourth_root_log", "measured")
NORMS = ("group", "none")
STEMS = ("conv", "patch")
HEADS = ("linear", "rms_relu")

# Layers of the second output, and the size of the first of them.
LATTICE_LAYERS = ("lattice_hidden", "lattice")
_LATTICE_WIDTH = 256


@dataclasses.dataclass(frozen=True)
class Parts:
    """Parts of a ResNet that can be chosen; by default those of the paper.

    Attributes:
        channels: of the input: "sqrt", the preprocessed pattern alone; or
            "sqrt_fourth_root_log", those of `lift_weak_lines`; or "measured", those
            of `measured_input`.
        norm: after each convolution: "group", or "none", with biases instead.
        stem: "conv", 7 points with stride 2 and pooling by 2; or "patch", 12 points
            with stride 4, which is one matrix product.
        head: between the last two layers: "linear", nothing; or "rms_relu", division
            by the root mean square and a relu.
        widths: channels of each stage; empty to double them at every stage.
    """

    channels: str = "sqrt"
    norm: str = "group"
    stem: str = "conv"
    head: str = "linear"
    widths: tuple[int, ...] = ()


PAPER = Parts()


class ResNet(nn.Module):
    """One-dimensional ResNet.

    Attributes:
        stage_sizes: blocks in each stage.
        bottleneck: blocks of kernels 1, 9, 1, the last with four times as many
            channels, instead of 9, 9.
        outputs: number of classes K.
        width: channels of the first stage.
        groups: groups of each group normalisation; divides width.
        dtype: type of the computation; parameters are always float32.
        parts: choices of its parts.
        lattices: number of Bravais lattices L that it gives a cell for; 0 for none.
    """

    stage_sizes: Sequence[int]
    bottleneck: bool
    outputs: int
    width: int = 64
    groups: int = 32
    dtype: Any = jnp.float32
    parts: Parts = PAPER
    lattices: int = 0

    @nn.compact
    def __call__(
        self,
        inputs: Float[Array, "B T ..."],
        train: bool = False,
        with_cells: bool = False,
    ) -> Float[Array, "B K"] | tuple[Float[Array, "B K"], Float[Array, "B L 6"]]:
        """Logits of each class; with the cells, if they are asked for.

        Args:
            inputs: [B, T] patterns from `preprocess`, or [B, T, 4] channels from
                `measured_input`.
            train: ignored; part of the interface of all networks.
            with_cells: also return the second output, which `models.cells` reads.

        Returns:
            [B, K] float32 logits, alone or with [B, L, 6] float32.
        """
        del train
        parts = self.parts
        conv = partial(
            nn.Conv,
            use_bias=parts.norm == "none",
            dtype=self.dtype,
            conv_general_dilated=convolution_of_backend(),
        )
        group_norm = partial(
            nn.GroupNorm, self.groups, epsilon=_NORM_EPSILON, dtype=self.dtype
        )
        norm = group_norm if parts.norm == "group" else _no_norm
        block = _bottleneck_block if self.bottleneck else _basic_block
        stem = _patch_stem if parts.stem == "patch" else _conv_stem

        x = stem(_channels(inputs, parts.channels), self.width, conv, norm)
        for stage, blocks in enumerate(self.stage_sizes):
            channels = parts.widths[stage] if parts.widths else self.width * 2**stage
            for i in range(blocks):
                stride = 4 if stage > 0 and i == 0 else 1
                x = block(x, channels, stride, i == 0, conv, norm)
        x = x.reshape(x.shape[0], -1)
        x = nn.Dense(256, dtype=self.dtype)(x)
        if parts.head == "rms_relu":
            x = nn.relu(nn.RMSNorm(dtype=self.dtype)(x))
        # float32, as the loss takes their logarithm
        logits = nn.Dense(self.outputs, dtype=jnp.float32)(x)
        if not self.lattices:
            return logits
        cells = _cells(x, self.lattices)
        return (logits, cells) if with_cells else logits


def _cells(x, lattices):
    """Cells [B, L, 6] from the last hidden values."""
    hidden, last = LATTICE_LAYERS
    x = nn.relu(nn.Dense(_LATTICE_WIDTH, dtype=jnp.float32, name=hidden)(x))
    x = nn.Dense(PARAMETERS * lattices, dtype=jnp.float32, name=last)(x)
    return x.reshape(x.shape[0], lattices, PARAMETERS)


def _channels(inputs, choice):
    """Input [B, T, C] with the chosen channels."""
    if choice == "sqrt_fourth_root_log":
        return lift_weak_lines(inputs)
    return inputs if choice == "measured" else inputs[..., None]


def _no_norm():
    """The identity, in place of a norm."""
    return lambda x: x


def _conv_stem(x, channels, conv, norm):
    """relu(convolution of 7 points), then the maximum of 3; keeps a quarter of points."""
    x = nn.relu(norm()(conv(channels, (7,), strides=(2,))(x)))
    return nn.max_pool(x, (3,), strides=(2,), padding="SAME")


def _patch_stem(x, channels, conv, norm):
    """relu(convolution of 12 points); keeps a quarter of the points."""
    patch = conv(channels, (12,), strides=(4,), conv_general_dilated=patch_product)
    return nn.relu(norm()(patch(x)))


def _basic_block(x, channels, stride, project, conv, norm):
    """relu(x + f(x)), f two convolutions of 9 points."""
    residual = norm()(conv(channels, (1,), strides=(stride,))(x)) if project else x
    y = nn.relu(norm()(conv(channels, (9,), strides=(stride,))(x)))
    y = norm()(conv(channels, (9,))(y))
    return nn.relu(y + residual)


def _bottleneck_block(x, channels, stride, project, conv, norm):
    """relu(x + f(x)), f convolutions of 1, 9 and 1 points, the last four times wider."""
    residual = norm()(conv(4 * channels, (1,), strides=(stride,))(x)) if project else x
    y = nn.relu(norm()(conv(channels, (1,))(x)))
    y = nn.relu(norm()(conv(channels, (9,), strides=(stride,))(y)))
    y = norm()(conv(4 * channels, (1,))(y))
    return nn.relu(y + residual)


def resnet(
    size: int | str,
    outputs: int,
    width: int = 64,
    groups: int = 32,
    dtype: Any = jnp.float32,
    parts: Parts = PAPER,
    lattices: int = 0,
) -> ResNet:
    """The ResNet of a given depth.

    Args:
        size: 10, 18, 34, 50 or 101.
        outputs: number of classes.
        width: channels of the first stage; 64 in the paper.
        groups: groups of each group normalisation; 32 in the paper.
        dtype: type of the computation, float32 or bfloat16.
        parts: choices of its parts.
        lattices: number of Bravais lattices that it gives a cell for; 0 for none.

    Raises:
        InputError: an unknown size, not one width for each stage, or groups that do
            not divide a width.
    """
    if size not in SIZES:
        raise InputError(
            f"there is no ResNet-{size}: choose {', '.join(map(str, list(SIZES)[:-1]))}"
            f" or {list(SIZES)[-1]}"
        )
    stage_sizes, bottleneck = SIZES[size]
    if parts.widths and len(parts.widths) != len(stage_sizes):
        raise InputError(
            f"the widths of the stages are {parts.widths}: expected one for each of "
            f"the {len(stage_sizes)} stages, or none"
        )
    for channels in (width, *parts.widths):
        if channels < 1 or groups < 1 or channels % groups:
            raise InputError(
                f"{groups} groups do not divide a width of {channels} channels: choose "
                "a width that is a multiple of the number of groups"
            )
    return ResNet(
        stage_sizes, bottleneck, outputs, width, groups, dtype, parts, lattices
    )
