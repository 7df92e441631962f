"""From gradients to updates: Adam or Muon, and the schedule of the learning rate."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from xrdjax.models.muon import muon


def make_optimizer(
    kind: str,
    learning_rate: float,
    schedule: str,
    halve_every_steps: int,
    warmup_steps: int,
    b1: float,
    b2: float,
    eps: float,
    decay_steps: int = 0,
    *,
    steps: int,
) -> optax.GradientTransformation:
    """The transformation of gradients into updates.

    Args:
        kind: "adam", or "muon", which orthogonalises the updates of matrices (Jordan et
            al., 2024, kellerjordan.github.io/posts/muon) and leaves the rest to Adam,
            both with Nesterov momentum (Adam as in Dozat, 2016).
        learning_rate: after the warm-up; the same for both, as the updates of Muon
            are scaled to the size of Adam's (Liu et al., arXiv 2502.16982).
        schedule: "halve"; "cosine", which falls to zero at the last step; or
            "stable_decay", constant until it falls to zero over the last steps as
            1 - sqrt(x) (Haegele et al., arXiv 2405.18392), so that a run can be
            extended until then.
        halve_every_steps: period of "halve".
        warmup_steps: number of steps over which the learning rate rises from zero.
        b1, b2, eps: of Adam; Muon adds eps to the norm that it divides by.
        decay_steps: number of steps over which "stable_decay" falls.
        steps: length of the whole run.
    """
    last = max(1, steps - warmup_steps)
    if schedule == "cosine":
        rate = optax.cosine_decay_schedule(learning_rate, last)
    elif schedule == "stable_decay":
        rate = _stable_decay(learning_rate, last, decay_steps)
    else:
        rate = optax.exponential_decay(
            learning_rate, halve_every_steps, decay_rate=0.5, staircase=True
        )
    if warmup_steps:
        rise = optax.linear_schedule(0.0, learning_rate, warmup_steps)
        rate = optax.join_schedules([rise, rate], [warmup_steps])
    if kind == "adam":
        return optax.adam(rate, b1=b1, b2=b2, eps=eps)
    return muon(rate, b1, b2, eps)


def hold(
    optimizer: optax.GradientTransformation, layers: frozenset[str]
) -> optax.GradientTransformation:
    """An optimizer that does not move some layers; its state keeps the same structure.

    Args:
        optimizer: of parameters that are dictionaries by layers.
        layers: names of those that do not move.
    """

    def update(gradients: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        updates, state = optimizer.update(gradients, state, params)
        held = {
            layer: jax.tree.map(jnp.zeros_like, tree) if layer in layers else tree
            for layer, tree in updates.items()
        }
        return held, state

    return optax.GradientTransformation(optimizer.init, update) if layers else optimizer


def _stable_decay(peak: float, last: int, decay_steps: int) -> optax.Schedule:
    """peak (1 - sqrt(x)), x rising from 0 to 1 in `decay_steps` until the last one."""

    def rate(step: Int[Array, ""]) -> Float[Array, ""]:
        share = jnp.clip((step - last + decay_steps) / max(1, decay_steps), 0, 1)
        return peak * (1 - jnp.sqrt(share))

    return rate
