"""Muon: momentum whose matrices are orthogonalised.

Jordan et al. (2024), kellerjordan.github.io/posts/muon. Most matrices of a network are
much longer than wide. For these, the iteration that orthogonalises them works on their
small Gram matrix, which takes half the time.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

# Of Jordan et al.: after five steps, singular values lie between 0.7 and 1.2.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_STEPS = 5
_MOMENTUM = 0.95
# Root mean square of an update of Adam (Liu et al., arXiv 2502.16982).
_RMS = 0.2
# Matrices at least this many times as long as wide are iterated on their Gram matrix.
_LONG = 2


def orthogonal(matrix: Float[Array, "M N"], eps: float = 1e-7) -> Float[Array, "M N"]:
    """A matrix with the same singular vectors and singular values near one.

    X <- a X + b X G + c X G G, G = X'X, five times, from X / (|X| + eps)
    Newton-Schulz iteration of Jordan et al. (2024). The factors of all steps are
    polynomials of G and commute, so that for a long X they are collected in Q:
        P = a I + b G + c G G;  Q <- Q P;  G <- P G P;  at the end X Q

    Args:
        matrix: [M, N].
        eps: added to the norm that the matrix is divided by.
    """
    long, wide = matrix.shape
    if long < wide:
        return orthogonal(matrix.T, eps).T
    x = matrix / (jnp.linalg.norm(matrix) + eps)
    identity = jnp.eye(wide, dtype=x.dtype)

    def factor(gram):
        return _A * identity + _B * gram + _C * (gram @ gram)

    if long < _LONG * wide:
        for _ in range(_STEPS):
            x = x @ factor(x.T @ x)
        return x
    gram, product = x.T @ x, identity
    for step in range(_STEPS):
        p = factor(gram)
        product = product @ p if step else p
        if step < _STEPS - 1:
            gram = p @ gram @ p
    return x @ product


def scale_by_muon(eps: float = 1e-7) -> optax.GradientTransformation:
    """Nesterov momentum, orthogonalised, and scaled to the size of Adam's updates.

    m <- 0.95 m + g;  update = 0.2 sqrt(max(M, N)) orthogonal(g + 0.95 m)

    Every leaf [..., O] is treated as a matrix [M, O], whose rows are all the inputs
    that an output is summed over.

    Args:
        eps: added to the norm that a matrix is divided by.
    """

    def update_leaf(gradient: Array, momentum: Array) -> Array:
        ahead = (gradient + _MOMENTUM * momentum).reshape(-1, gradient.shape[-1])
        scale = _RMS * math.sqrt(max(ahead.shape))
        return (scale * orthogonal(ahead, eps)).reshape(gradient.shape)

    def update(gradients: Any, state: optax.TraceState, params: Any = None):
        del params
        momentum = jax.tree.map(lambda g, m: g + _MOMENTUM * m, gradients, state.trace)
        updates = jax.tree.map(update_leaf, gradients, momentum)
        return updates, optax.TraceState(momentum)

    def init(params: Any) -> optax.TraceState:
        return optax.TraceState(jax.tree.map(jnp.zeros_like, params))

    return optax.GradientTransformation(init, update)


def muon(
    learning_rate: float | Callable[[Array], Array], b1: float, b2: float, eps: float
) -> optax.GradientTransformation:
    """Muon for kernels that map many inputs to outputs, Adam for the rest.

    A convolution whose input has one channel is left to Adam. Both have Nesterov
    momentum (Adam as in Dozat, 2016).

    Args:
        learning_rate: of both, or its schedule.
        b1, b2, eps: of Adam; Muon adds eps to the norm that it divides by.
    """

    def kinds(params: Any) -> Any:
        return jax.tree.map(
            lambda x: "muon" if x.ndim > 1 and x.shape[-2] > 1 else "adam", params
        )

    for_matrices = optax.chain(
        scale_by_muon(eps), optax.scale_by_learning_rate(learning_rate)
    )
    for_others = optax.adam(learning_rate, b1=b1, b2=b2, eps=eps, nesterov=True)
    return optax.partition({"muon": for_matrices, "adam": for_others}, kinds)
