"""A convolution whose gradients are fast inside compiled loops on the CPU.

XLA's CPU compiler brings a convolution into the form that its fast kernels take
only outside of loops (jax issue 12868). The gradients that JAX derives lack that
form, and are twenty times slower in a loop over training steps. Here they are
written in it: channels last, kernels as (width, in, out), no swapped axes.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
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
        stride: distance of the points where the result is taken.
        padding: zeros before and after the signal.
    """
    return _convolve(x, kernel, stride, padding)


def _forward(x, kernel, stride, padding):
    return _convolve(x, kernel, stride, padding), (x, kernel)


def _backward(stride, padding, saved, gradient):
    x, kernel = saved
    width, size, outputs = x.shape[1], kernel.shape[0], gradient.shape[1]
    # the barriers keep the compiler from undoing the change of axes
    turned = lax.optimization_barrier(kernel[::-1].transpose(0, 2, 1))
    # points at the end that no output reaches get a gradient of zero
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
    """`convolve`, called as flax's nn.Conv calls lax.conv_general_dilated."""
    (pads,) = (
        lax.padtype_to_pads(inputs.shape[1:2], kernel.shape[:1], strides, padding)
        if isinstance(padding, str)
        else padding
    )
    return convolve(inputs, kernel, strides[0], tuple(pads))


def convolution_of_backend() -> Callable[..., Array]:
    """The convolution for nn.Conv on the default backend; all give the same."""
    on_cpu = jax.default_backend() == "cpu"
    return conv_general_dilated if on_cpu else lax.conv_general_dilated
