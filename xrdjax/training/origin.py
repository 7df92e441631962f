"""What a run started from: other weights, and the record of them."""

import dataclasses
import hashlib
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict

from xrdjax.run import Run

# Space groups that a message lists at most.
_MOST_LISTED = 12


@dataclasses.dataclass(frozen=True)
class Start:
    """What a run starts from.

    Attributes:
        name: "pretrained", or name of the folder.
        network: with its parameters.
        opt_state: its optimizer's state, where that is kept; else None.
    """

    name: str
    network: Run
    opt_state: Any | None


def updates_of(network: Run) -> int:
    """Number of updates that weights have seen, in all runs that they went through."""
    return network.step + (network.origin or {}).get("updates", 0)


def origin_of(
    start: Start, run: Run, frozen: frozenset[str], accuracy: float | None
) -> dict[str, Any]:
    """The record of what a run started from.

    Args:
        start: from `warm_start.open_start`.
        run: the run that starts.
        frozen: names of its layers that stay.
        accuracy: on the validation patterns before the first step, if it is measured.
    """
    network = start.network
    known = set(network.space_groups.tolist())
    groups = run.space_groups.tolist()
    return {
        "init": start.name,
        "step": network.step,
        "updates": updates_of(network),
        "sha256": _sha256(network.params),
        "carried_over": [number for number in groups if number in known],
        "fresh": [number for number in groups if number not in known],
        "optimizer": "fresh" if start.opt_state is None else "kept",
        "frozen": sorted(frozen),
        "validation_accuracy": accuracy,
        "origin": network.origin,
    }


def _sha256(params: Any) -> str:
    """SHA-256 over the names and the values of parameters."""
    total = hashlib.sha256()
    for name, leaf in sorted(flatten_dict(params, sep="/").items()):
        total.update(name.encode() + np.asarray(leaf).tobytes())
    return total.hexdigest()


def describe(origin: dict[str, Any]) -> str:
    """A record of `origin_of` in one line."""
    shared, fresh = origin["carried_over"], origin["fresh"]
    listed = ", ".join(map(str, fresh[:_MOST_LISTED]))
    if len(fresh) > _MOST_LISTED:
        listed += f" and {len(fresh) - _MOST_LISTED} more"
    parts = [
        f"started from {origin['init']!r} at step {origin['step']}",
        f"{len(shared)} of {len(shared) + len(fresh)} space groups carried over"
        + (f" (not {listed})" if fresh else ""),
        f"optimizer {origin['optimizer']}",
    ]
    if origin["frozen"]:
        parts.append(f"frozen: {', '.join(origin['frozen'])}")
    if origin["validation_accuracy"] is not None:
        parts.append(f"validation accuracy {origin['validation_accuracy']:.1%}")
    return "; ".join(parts)
