"""The unit cells that a network answers: which is the most probable, how good they are."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float, Int

from xrdjax.crystals.standard_cell import (
    BRAVAIS_LATTICES,
    bravais_rows,
    primitive_cell,
    standard_cell,
)
from xrdjax.errors import InputError
from xrdjax.evaluation.markdown import percent, table
from xrdjax.evaluation.metrics import proportion
from xrdjax.evaluation.predict import gives_cells, network_outputs
from xrdjax.run import Run

# A cell within these of the true one starts a refinement: relative, and degrees.
LENGTH_TOLERANCE, ANGLE_TOLERANCE_DEG = 0.03, 1.0
_STANDARD = jax.jit(jax.vmap(standard_cell))
_PRIMITIVE = jax.jit(jax.vmap(primitive_cell))

_TITLES = {
    "lattice_given": "conventional, true Bravais lattice given",
    "lattice_answered": "conventional, most probable Bravais lattice",
    "reduced": "reduced primitive, most probable Bravais lattice",
}
_NOTE = (
    "Published, of other networks on other crystals: mean error of the lengths 19.8 % on "
    "simulated and 23.5 % on measured patterns; 9.2 % where the crystal system was given. "
    "The cell is within the tolerances if all of its lengths and angles are; a "
    "conventional cell of another Bravais lattice than the true one is not."
)


@dataclasses.dataclass(frozen=True)
class Cells:
    """The most probable unit cell of each of n patterns.

    Attributes:
        bravais_lattices: n symbols, such as "oP".
        probabilities: [n] of these lattices.
        parameters: [n, 6] a, b, c (angstrom), alpha, beta, gamma (degrees) of the cell
            that `crystals.standard_cell` describes.
    """

    bravais_lattices: tuple[str, ...]
    probabilities: Float[np.ndarray, " n"]
    parameters: Float[np.ndarray, "n 6"]


def _lattice_probabilities(
    probabilities: Float[np.ndarray, "n K"], space_groups: Int[np.ndarray, " K"]
) -> Float[np.ndarray, "n L"]:
    """Probability of each Bravais lattice, the sum over its space groups."""
    members = np.eye(len(BRAVAIS_LATTICES), dtype=probabilities.dtype)
    return probabilities @ members[bravais_rows()[space_groups]]


def predict_cells(
    run: Run,
    patterns: Float[np.ndarray, "n T"],
    batch_size: int = 128,
    mesh: Mesh | None = None,
    masks: Bool[np.ndarray, "n T"] | None = None,
) -> Cells:
    """The unit cell of each pattern, for its most probable Bravais lattice.

    Example: `predict_cells(run, prepared.pattern[None], masks=prepared.mask[None])`

    Args:
        run: a network that was trained with a lattice_weight above 0.
        patterns, batch_size, mesh, masks: as for `predict.network_outputs`.

    Raises:
        InputError: the network gives no cells, or as `network_outputs`.
    """
    if not gives_cells(run):
        raise InputError(
            "the network gives no unit cells, as it was trained with a lattice_weight "
            "of 0: train one with --config.lattice_weight=1, which may start from these "
            "weights by --config.init"
        )
    outputs = network_outputs(run, patterns, batch_size, mesh, masks)
    lattices = _lattice_probabilities(outputs.probabilities, run.space_groups)
    rows = lattices.argmax(axis=1)
    every = np.arange(len(rows))
    return Cells(
        tuple(BRAVAIS_LATTICES[row] for row in rows),
        lattices[every, rows],
        np.asarray(outputs.cells)[every, rows],
    )


def score_cells(
    probabilities: Float[np.ndarray, "n K"],
    labels: Int[np.ndarray, " n"],
    space_groups: Int[np.ndarray, " K"],
    cells: Float[np.ndarray, "n L 6"],
    true_cells: Float[np.ndarray, "n 6"],
) -> dict[str, Any]:
    """Errors of unit cells, ready for JSON.

    Args:
        probabilities: [n, K] of each space group, n at least 1.
        labels: [n] row of the true group.
        space_groups: [K] number of each column's group.
        cells: [n, L, 6] answered for each Bravais lattice, angstrom and degrees.
        true_cells: [n, 6] angstrom and radians, in the reference settings.

    Returns:
        `_errors` of the cells of the true Bravais lattice ("lattice_given"), of those
        of the most probable one ("lattice_answered"), where another lattice than the
        true one counts as a miss and lengths are compared in ascending order, and of
        the reduced primitive cells of the latter ("reduced"); and of the first by
        Bravais lattice.
    """
    numbers = space_groups[labels].astype(np.int32)
    true = bravais_rows()[numbers]
    answered = _lattice_probabilities(probabilities, space_groups).argmax(axis=1)
    every = np.arange(len(labels))
    given, best = cells[every, true], cells[every, answered]
    wanted = _to_degrees(_STANDARD(true_cells, numbers))
    ascending = [np.sort(x[:, :3], axis=1) for x in (best, wanted)]
    right = answered == true
    reduced = [
        _to_degrees(_PRIMITIVE(_to_radians(x), row.astype(np.int32)))
        for x, row in ((best, answered), (wanted, true))
    ]
    return {
        "lattice_given": _errors(given, wanted),
        "lattice_answered": _about(
            _relative(*ascending), right & _are_near(best, wanted)
        ),
        "reduced": _errors(*reduced),
        "by_bravais_lattice": {
            name: _errors(given[true == row], wanted[true == row])
            for row, name in enumerate(BRAVAIS_LATTICES)
            if (true == row).any()
        },
    }


def _to_degrees(cells: Any) -> np.ndarray:
    cells = np.asarray(cells)
    return np.concatenate([cells[:, :3], np.rad2deg(cells[:, 3:])], axis=1)


def _to_radians(cells: np.ndarray) -> np.ndarray:
    cells = np.concatenate([cells[:, :3], np.deg2rad(cells[:, 3:])], axis=1)
    return cells.astype(np.float32)


def _relative(
    found: Float[np.ndarray, "n 3"], true: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, " n"]:
    """Mean relative error of the three lengths of each cell."""
    return np.abs(found / true - 1).mean(axis=1)


def _are_near(
    found: Float[np.ndarray, "n 6"], true: Float[np.ndarray, "n 6"]
) -> Bool[np.ndarray, " n"]:
    """Whether all lengths and all angles of a cell are within the tolerances."""
    lengths = np.abs(found[:, :3] / true[:, :3] - 1) <= LENGTH_TOLERANCE
    angles = np.abs(found[:, 3:] - true[:, 3:]) <= ANGLE_TOLERANCE_DEG
    return lengths.all(axis=1) & angles.all(axis=1)


def _errors(
    found: Float[np.ndarray, "n 6"], true: Float[np.ndarray, "n 6"]
) -> dict[str, Any]:
    return _about(_relative(found[:, :3], true[:, :3]), _are_near(found, true))


def _about(
    errors: Float[np.ndarray, " n"], near: Bool[np.ndarray, " n"]
) -> dict[str, Any]:
    """Mean and median error of the lengths, in per cent, and proportion of near cells."""
    return {
        "length_mape": float(100 * errors.mean()),
        "length_median": float(100 * np.median(errors)),
        "within": proportion(near)._asdict(),
    }


def cells_page(scores: Mapping) -> list[str]:
    """Lines of the report's page about `score_cells`."""
    header = [
        "cell",
        "crystals",
        "lengths, mean error / %",
        "median error / %",
        f"within {100 * LENGTH_TOLERANCE:g} % and {ANGLE_TOLERANCE_DEG:g} degree / %",
    ]
    rows = [(title, scores[name]) for name, title in _TITLES.items()]
    rows += [
        (f"{name}, given", entry)
        for name, entry in scores["by_bravais_lattice"].items()
    ]
    return [
        "### Unit cell",
        "",
        table(
            header,
            [
                [
                    title,
                    entry["within"]["count"],
                    f"{entry['length_mape']:.1f}",
                    f"{entry['length_median']:.1f}",
                    percent(entry["within"]),
                ]
                for title, entry in rows
            ],
        ),
        "",
        _NOTE,
        "",
    ]
