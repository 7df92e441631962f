"""Least squares of a few parameters, with exact derivatives."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

# Marquardt's factors of the damping after a step that was worse or better.
_UP, _DOWN = 4.0, 0.25
_MOST_DAMPING = 1e8


@dataclasses.dataclass(frozen=True)
class Fit:
    """What `least_squares` found.

    Attributes:
        parameters: the pytree that was fitted.
        errors: standard uncertainty of each of them, by the residuals that are left.
        chi_squared: sum of the squared residuals over their number less the parameters.
        steps: how many were taken.
    """

    parameters: PyTree
    errors: PyTree
    chi_squared: float
    steps: int


def least_squares(
    residuals: Callable[[PyTree], Float[Array, " N"]],
    start: PyTree,
    *,
    steps: int = 50,
    tolerance: float = 1e-5,
) -> Fit:
    """Minimises a sum of squares by the method of Levenberg and Marquardt.

    Each step solves (J^T J + damping diag(J^T J)) step = -J^T r, with J by forward
    differentiation, and is undone if the sum grows; Marquardt, J. Soc. Ind. Appl.
    Math. 11 (1963) 431. A residual that is not finite counts as worse than any.

    Args:
        residuals: from parameters to [N] residuals over their uncertainties.
        start: pytree of float32 arrays to begin with.
        steps: tried at most.
        tolerance: relative fall of the sum that ends the search.
    """
    flat, unravel = ravel_pytree(jax.tree.map(jnp.asarray, start))

    @jax.jit
    def evaluate(x):
        return residuals(unravel(x)), jax.jacfwd(lambda y: residuals(unravel(y)))(x)

    def measure(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        r, jacobian = (np.asarray(y, float) for y in evaluate(x.astype(np.float32)))
        total = float(np.sum(r**2))
        return r, jacobian, total if np.isfinite(total) else np.inf

    x, damping, taken, converged = np.asarray(flat, float), 1e-2, 0, False
    r, jacobian, total = measure(x)
    while taken < steps and damping < _MOST_DAMPING and not converged:
        taken += 1
        tried = x + _step(jacobian, r, damping)
        next_r, next_jacobian, next_total = measure(tried)
        if next_total > total:
            damping *= _UP
            continue
        converged = total - next_total < tolerance * total and damping < 1
        x, r, jacobian, total = tried, next_r, next_jacobian, next_total
        damping *= _DOWN
    chi_squared = total / max(len(r) - len(x), 1)
    scale = _scale(jacobian)
    rows = np.linalg.pinv(jacobian / scale, rcond=1e-6)
    errors = np.linalg.norm(rows, axis=1) / scale * np.sqrt(chi_squared)
    return Fit(_as(unravel, x), _as(unravel, errors), chi_squared, taken)


def _scale(jacobian: np.ndarray) -> np.ndarray:
    """Lengths of the columns; one that is next to nothing, which is noise, has another."""
    lengths = np.linalg.norm(jacobian, axis=0)
    return np.maximum(lengths, 1e-5 * lengths.max() + 1e-30)


def _step(jacobian: np.ndarray, r: np.ndarray, damping: float) -> np.ndarray:
    """Marquardt's step, by least squares of the equations and those of the damping."""
    scale = _scale(jacobian)
    equations = np.vstack([jacobian / scale, np.sqrt(damping) * np.eye(len(scale))])
    aims = np.concatenate([-r, np.zeros(len(scale))])
    return np.linalg.lstsq(equations, aims)[0] / scale


def _as(unravel: Callable[[Array], Any], x: np.ndarray) -> PyTree:
    return jax.tree.map(np.asarray, unravel(jnp.asarray(x, jnp.float32)))
