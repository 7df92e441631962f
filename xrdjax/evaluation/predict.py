"""From powder patterns to probabilities of space groups, and to unit cells."""

import functools
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Float

from xrdjax.devices import AXIS, local_mesh, per_device
from xrdjax.errors import InputError
from xrdjax.models.cells import LATTICES, PARAMETERS, decode_cells
from xrdjax.models.network_input import NetworkInput
from xrdjax.run import Run


class Outputs(NamedTuple):
    """What a network answers to n patterns.

    Attributes:
        probabilities: [n, K] of each space group.
        cells: [n, L, 6] a, b, c (angstrom), alpha, beta, gamma (degrees) for each of
            `standard_cell.BRAVAIS_LATTICES`; None of a network without this output.
    """

    probabilities: Float[np.ndarray, "n K"]
    cells: Float[np.ndarray, "n L 6"] | None


def gives_cells(run: Run) -> bool:
    """Whether a network was trained to give unit cells, too."""
    return bool(getattr(run.model, "lattices", 0))


@functools.partial(
    jax.jit, static_argnames=("model", "network_input", "with_cells", "mesh")
)
def _apply(
    model,
    network_input: NetworkInput,
    with_cells: bool,
    mesh: Mesh,
    params,
    patterns: Float[Array, "B T"],
    masks: Bool[Array, "B T"],
):
    def share(params, patterns, masks):
        options = {"with_cells": True} if with_cells else {}
        outputs = model.apply(
            {"params": params}, network_input(patterns, masks), **options
        )
        logits, *cells = outputs if with_cells else (outputs,)
        return jax.nn.softmax(logits.astype(np.float32)), *cells

    shared = PartitionSpec(AXIS)
    return per_device(share, mesh, (PartitionSpec(), shared, shared), shared)(
        params, patterns, masks
    )


def classify_patterns(
    run: Run,
    patterns: Float[np.ndarray, "n T"],
    batch_size: int = 128,
    mesh: Mesh | None = None,
    masks: Bool[np.ndarray, "n T"] | None = None,
) -> Float[np.ndarray, "n K"]:
    """Probability of each space group of a run, for each pattern.

    Args:
        run: a trained network; columns of the result follow `run.space_groups`.
        patterns, batch_size, mesh, masks: as for `network_outputs`.

    Raises:
        InputError: as `network_outputs`.
    """
    return network_outputs(run, patterns, batch_size, mesh, masks).probabilities


def network_outputs(
    run: Run,
    patterns: Float[np.ndarray, "n T"],
    batch_size: int = 128,
    mesh: Mesh | None = None,
    masks: Bool[np.ndarray, "n T"] | None = None,
) -> Outputs:
    """All that a network answers to patterns.

    Args:
        run: a trained network.
        patterns: [n, T] on the run's grid, divided by their maximum.
        batch_size: patterns at once on each device; a last, smaller batch is padded,
            so that the network is compiled once.
        mesh: devices of this process that share the work and hold the run's
            parameters; by default its first one.
        masks: [n, T] which points were measured; by default all.

    Raises:
        InputError: the patterns are not on the run's grid, or they or the network's
            answers are not finite.
    """
    points = run.measurement.grid.points
    if patterns.ndim != 2 or patterns.shape[1] != points:
        raise InputError(
            f"the patterns have shape {patterns.shape}, expected (any, {points}): "
            f"resample them on the run's grid of {points} points"
        )
    if not np.isfinite(patterns).all():
        raise InputError(
            "the patterns hold values that are not finite: remove these patterns"
        )
    with_cells = gives_cells(run)
    answers = [_no_answers(run)]
    mesh = mesh or local_mesh(1)
    network_input = run.network_input
    batch_size *= mesh.size
    for start in range(0, len(patterns), batch_size):
        batch = np.asarray(patterns[start : start + batch_size], np.float32)
        padding = ((0, batch_size - len(batch)), (0, 0))
        mask = (
            np.ones(batch.shape, bool)
            if masks is None
            else masks[start : start + batch_size]
        )
        answer = _apply(
            run.model,
            network_input,
            with_cells,
            mesh,
            run.params,
            np.pad(batch, padding),
            np.pad(mask, padding),
        )
        answers.append(tuple(np.asarray(part)[: len(batch)] for part in answer))
    probabilities, *cells = map(np.concatenate, zip(*answers, strict=True))
    if not all(np.isfinite(part).all() for part in (probabilities, *cells)):
        raise InputError(
            f"the network of step {run.step} answers with numbers that are not finite: "
            "its training has diverged, start it again with a lower learning rate"
        )
    return Outputs(probabilities, decode_cells(cells[0]) if with_cells else None)


def _no_answers(run: Run) -> tuple[np.ndarray, ...]:
    """Outputs to no pattern at all."""
    probabilities = np.zeros((0, len(run.space_groups)), np.float32)
    cells = np.zeros((0, LATTICES, PARAMETERS), np.float32)
    return (probabilities, cells) if gives_cells(run) else (probabilities,)


def grid_deg(run: Run) -> Float[np.ndarray, " T"]:
    """Two theta of the points of a run's network, degrees."""
    return run.measurement.grid.two_theta_deg


def most_probable(
    run: Run, probabilities: Float[np.ndarray, " K"], count: int = 5
) -> list[tuple[int, float]]:
    """Number and probability of the most probable space groups, best first."""
    order = np.argsort(-probabilities, kind="stable")[:count]
    return [(int(run.space_groups[i]), float(probabilities[i])) for i in order]
