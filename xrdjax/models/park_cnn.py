"""The convolutional networks of Park et al. (2017), for comparison with ResNets.

Park et al., IUCrJ 4 (2017) 486: three convolutions with mean pooling and two hidden
linear layers. They proposed one network for crystal systems, one for extinction groups
and one for space groups; Schopmans et al., Digital Discovery 2 (2023) 1414, trained all
three on space groups, as the small, medium and large network.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from xrdjax.errors import InputError
from xrdjax.models.convolution import convolve_in_blocks

# Channels of the convolutions, and the two hidden linear layers.
SIZES: dict[str, tuple[int, tuple[int, int]]] = {
    "small": (80, (700, 70)),
    "medium": (80, (4040, 202)),
    "large": (120, (2300, 1150)),
}

# Points and stride of each convolution, points and stride of the pooling after it.
_STAGES = (((100, 5), (3, 2)), ((50, 5), (3, 3)), ((25, 2), (3, 3)))
# Dropout rates after convolutions and after linear layers.
_CONVOLUTION_DROPOUT, _LINEAR_DROPOUT = 0.3, 0.5

# With fewer, nothing is left for the last pooling: 711, 143, 71, 15, 5, 3, 1.
LEAST_POINTS = 711


class ParkCNN(nn.Module):
    """Three convolutions, each with mean pooling, and three linear layers.

    Attributes:
        outputs: number of classes K.
        width: channels of each convolution.
        hidden: sizes of the two hidden linear layers.
        dropout: whether training drops 0.3 of the maps and 0.5 of the hidden values.
        dtype: type of the computation; parameters are always float32.
    """

    outputs: int
    width: int
    hidden: tuple[int, int]
    dropout: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "B T"], train: bool = False
    ) -> Float[Array, "B K"]:
        """Logits of each class.

        Args:
            inputs: [B, T] patterns from `preprocess`, T at least LEAST_POINTS.
            train: drops values at random, by the key "dropout" of `rngs`.

        Returns:
            [B, K] float32 logits.
        """

        def drop(x, rate):
            if not self.dropout:
                return x
            return nn.Dropout(rate, deterministic=not train)(x)

        x = inputs[..., None]
        for (kernel, stride), (window, step) in _STAGES:
            x = nn.Conv(
                self.width,
                (kernel,),
                strides=(stride,),
                dtype=self.dtype,
                conv_general_dilated=convolve_in_blocks,
            )(x)
            x = drop(nn.relu(x), _CONVOLUTION_DROPOUT)
            # flax divides by an integer, which strict promotion forbids
            with jax.numpy_dtype_promotion("standard"):
                x = nn.avg_pool(x, (window,), strides=(step,))
        x = x.reshape(x.shape[0], -1)
        for size in self.hidden:
            x = drop(nn.relu(nn.Dense(size, dtype=self.dtype)(x)), _LINEAR_DROPOUT)
        # float32, as the loss takes their logarithm
        return nn.Dense(self.outputs, dtype=jnp.float32)(x)


def park_cnn(
    size: str | int,
    outputs: int,
    points: int,
    width: int | None = None,
    dropout: bool = False,
    dtype: Any = jnp.float32,
) -> ParkCNN:
    """The network of Park et al. of a given size.

    Args:
        size: "small", "medium" or "large".
        outputs: number of classes.
        points: number of points T of a pattern.
        width: channels of the convolutions; by default as published.
        dropout: whether training drops values.
        dtype: type of the computation, float32 or bfloat16.

    Raises:
        InputError: for an unknown size, no channels, or too few points.
    """
    if size not in SIZES:
        raise InputError(
            f"there is no Park CNN of size {size!r}: choose {', '.join(SIZES)}"
        )
    if points < LEAST_POINTS:
        raise InputError(
            f"{points} points are too few for Park's CNN, whose strides reduce them to "
            f"none: give at least {LEAST_POINTS}"
        )
    published, hidden = SIZES[size]
    width = published if width is None else width
    if width < 1:
        raise InputError(f"the width is {width} channels, expected at least 1")
    return ParkCNN(outputs, width, hidden, dropout, dtype)
