"""From gradients to updates: Adam, and Muon for the kernels that are matrices."""

from typing import Any

import jax
import optax


def make_optimizer(
    kind: str,
    learning_rate: float,
    schedule: str,
    halve_every_steps: int,
    warmup_steps: int,
    b1: float,
    b2: float,
    eps: float,
    *,
    steps: int,
) -> optax.GradientTransformation:
    """The transformation of gradients into updates.

    Args:
        kind: "adam", or "muon", which makes the updates of matrices orthogonal (Jordan
            et al., 2024, kellerjordan.github.io/posts/muon) and leaves the rest to
            Adam with Nesterov momentum (Dozat, 2016), which Muon has too.
        learning_rate: after the warm-up; the same for both, as the updates of Muon
            are scaled to the size of Adam's (Liu et al., arXiv 2502.16982).
        schedule: "halve" or "cosine", which falls to zero at the last step.
        halve_every_steps: of "halve".
        warmup_steps: number of steps in which the learning rate rises from zero.
        b1, b2, eps: of Adam; Muon adds eps to the norm that it divides by.
        steps: of the whole run.
    """
    rate = _learning_rate(
        learning_rate, schedule, halve_every_steps, warmup_steps, steps
    )
    if kind == "adam":
        return optax.adam(rate, b1=b1, b2=b2, eps=eps)
    return optax.contrib.muon(
        rate,
        muon_weight_dimension_numbers=_matrices,
        consistent_rms=0.2,  # the size of Adam's updates
        eps=eps,
        adam_b1=b1,
        adam_b2=b2,
        adam_learning_rate=rate,
    )


def _learning_rate(
    peak: float, schedule: str, halve_every_steps: int, warmup_steps: int, steps: int
) -> optax.Schedule:
    """Learning rate by step; see `make_optimizer`."""
    if schedule == "cosine":
        rate = optax.cosine_decay_schedule(peak, max(1, steps - warmup_steps))
    else:
        rate = optax.exponential_decay(
            peak, halve_every_steps, decay_rate=0.5, staircase=True
        )
    if not warmup_steps:
        return rate
    rise = optax.linear_schedule(0.0, peak, warmup_steps)
    return optax.join_schedules([rise, rate], [warmup_steps])


def _matrices(params: Any) -> Any:
    """Which kernels Muon takes, and which of their axes are inputs and outputs.

    The first convolution, whose input has one channel, is left to Adam.
    """

    def axes(leaf: Any) -> optax.contrib.MuonDimensionNumbers | None:
        if leaf.ndim < 2 or leaf.shape[-2] == 1:
            return None
        inputs = tuple(range(leaf.ndim - 1))
        return optax.contrib.MuonDimensionNumbers(inputs, leaf.ndim - 1)

    return jax.tree.map(axes, params)
