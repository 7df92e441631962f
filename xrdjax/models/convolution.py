"""A convolution whose gradients are fast inside compiled loops on the CPU.

XLA's CPU compiler converts a convolution to the layout of its fast kernels only
outside of loops (jax issue 12868). The gradients that JAX derives have another layout
and are twenty times slower in a loop over training steps. Here they are written in the
fast layout: channels last, kernels as (width, in, out), no swapped axes.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

_CHANNELS_LAST = ("NWC", "WIO", "NWC")


def _convolve(x, kernel, stride, padding, *, input_dilation=1, kernel_dilation=1):
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride,),
        (padding,),
        (input_dilation,),
        (kernel_dilation,),
        _CHANNELS_LAST,
    )


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolve(
    x: Float[Array, "B W I"],
    kernel: Float[Array, "K I O"],
    stride: int,
    padding: tuple[int, int],
) -> Float[Array, "B V O"]:
    """Convolution y[v] = sum_k x[stride v + k - padding[0]] kernel[k] of networks.

    Args:
        x: [B, W, I] signals, channels last.
        kernel: [K, I, O].
        stride: distance between the points of the result, in points of the signal.
        padding: zeros before and after the signal.
    """
    return _convolve(x, kernel, stride, padding)


def _forward(x, kernel, stride, padding):
    return _convolve(x, kernel, stride, padding), (x, kernel)


def _backward(stride, padding, saved, gradient):
    x, kernel = saved
    width, size, outputs = x.shape[1], kernel.shape[0], gradient.shape[1]
    # the barriers keep the compiler from undoing the transpositions
    turned = lax.optimization_barrier(kernel[::-1].transpose(0, 2, 1))
    # points at the end that no output depends on have a gradient of zero
    reach = stride * (outputs - 1) + size
    before = size - 1 - padding[0]
    after = width + padding[0] - reach + size - 1
    of_x = _convolve(gradient, turned, 1, (before, after), input_dilation=stride)
    swapped_x = lax.optimization_barrier(x.transpose(2, 1, 0))
    swapped_gradient = lax.optimization_barrier(gradient.transpose(1, 0, 2))
    of_kernel = _convolve(
        swapped_x,
        swapped_gradient,
        1,
        (padding[0], reach - width - padding[0]),
        kernel_dilation=stride,
    )
    return of_x, of_kernel.transpose(1, 0, 2)


convolve.defvjp(_forward, _backward)


def conv_general_dilated(
    inputs: Float[Array, "B W I"],
    kernel: Float[Array, "K I O"],
    strides: Sequence[int],
    padding: Any,
    **unused: Any,
) -> Float[Array, "B V O"]:
    """`convolve`, called as flax's nn.Conv calls lax.conv_general_dilated.

    A kernel of one point is a matrix, whose product compiles and runs faster.
    """
    if kernel.shape[0] == 1 and padding in ("SAME", "VALID"):
        return inputs[:, :: strides[0]] @ kernel[0]
    (pads,) = (
        lax.padtype_to_pads(inputs.shape[1:2], kernel.shape[:1], strides, padding)
        if isinstance(padding, str)
        else padding
    )
    return convolve(inputs, kernel, strides[0], tuple(pads))


def convolution_of_backend() -> Callable[..., Array]:
    """The fastest convolution for nn.Conv on the default backend; all give the same."""
    on_cpu = jax.default_backend() == "cpu"
    return conv_general_dilated if on_cpu else lax.conv_general_dilated


def patch_product(
    inputs: Float[Array, "B W I"],
    kernel: Float[Array, "K I O"],
    strides: Sequence[int],
    padding: Any,
    **unused: Any,
) -> Float[Array, "B V O"]:
    """A convolution of stride s with K = n s points as one matrix product.

    y[v] = sum_k x[s v + k - padding[0]] kernel[k], where the K points are those of n
    neighbouring blocks of s points. Called as flax's nn.Conv calls
    lax.conv_general_dilated, with the padding "SAME".
    """
    (stride,), size = strides, kernel.shape[0]
    width = inputs.shape[1]
    outputs, neighbours = -(-width // stride), size // stride
    ((before, _),) = lax.padtype_to_pads((width,), (size,), strides, padding)
    blocks = outputs + neighbours - 1
    after = blocks * stride - width - before
    x = jnp.pad(inputs, ((0, 0), (before, after), (0, 0)))
    x = x.reshape(x.shape[0], blocks, -1)
    patches = [x[:, n : n + outputs] for n in range(neighbours)]
    return jnp.concatenate(patches, axis=-1) @ kernel.reshape(-1, kernel.shape[-1])


def convolve_in_blocks(
    inputs: Float[Array, "B W I"],
    kernel: Float[Array, "K I O"],
    strides: Sequence[int],
    padding: Any,
    **unused: Any,
) -> Float[Array, "B V O"]:
    """A convolution of stride s as one of stride 1 over blocks of s points.

    y[v] = sum_j sum_r x[s (v + j) + r - padding[0]] kernel[s j + r], r < s, where the
    points of a block are channels. It is the same sum, but its gradient with respect
    to x has no s - 1 zeros for every point: with kernels of 100 and 50 points and
    strides of 5, training steps are five times faster on a CPU.

    Called as flax's nn.Conv calls lax.conv_general_dilated.
    """
    (stride,), size = strides, kernel.shape[0]
    width = inputs.shape[1]
    ((before, after),) = (
        lax.padtype_to_pads((width,), (size,), strides, padding)
        if isinstance(padding, str)
        else padding
    )
    outputs = (width + before + after - size) // stride + 1
    taps = -(-size // stride)
    points = (outputs + taps - 1) * stride
    # points beyond the reach of the last output are cut off, or multiplied by zeros
    missing = max(points - before - width, 0)
    x = jnp.pad(inputs, ((0, 0), (before, missing), (0, 0)))[:, :points]
    blocks = x.reshape(x.shape[0], -1, stride * x.shape[2])
    taps_of_blocks = jnp.pad(kernel, ((0, taps * stride - size), (0, 0), (0, 0)))
    return convolution_of_backend()(
        blocks,
        taps_of_blocks.reshape(taps, -1, kernel.shape[2]),
        (1,),
        ((0, 0),),
        dimension_numbers=_CHANNELS_LAST,
    )
