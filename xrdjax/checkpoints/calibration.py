"""How far a network's answers to measured patterns can be trusted, beside its weights."""

import dataclasses
import json
import math
from pathlib import Path

from xrdjax.errors import InputError
from xrdjax.files import write_text

CALIBRATION = "calibration.json"


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What was counted of a network's answers to measured patterns.

    Attributes:
        step: of the network that answered.
        refusal_confidence: probability of the first answer below which fewer than half
            of the first answers were right; infinite if none is to be believed.
        patterns: number of measured patterns.
        source: name of their file.
        top1: share of right first answers.
        believed: share of the patterns whose answer is not refused.
        top1_believed: share of right first answers among these.
    """

    step: int
    refusal_confidence: float
    patterns: int
    source: str
    top1: float
    believed: float
    top1_believed: float


def write_calibration(folder: Path, calibration: Calibration | None) -> None:
    """Writes a calibration to the folder of its network; None removes an earlier one."""
    path = folder / CALIBRATION
    if calibration is None:
        path.unlink(missing_ok=True)
        return
    fields = dataclasses.asdict(calibration)
    if math.isinf(calibration.refusal_confidence):  # JSON has no infinity
        fields["refusal_confidence"] = None
    write_text(path, json.dumps(fields, indent=2, allow_nan=False) + "\n")


def read_calibration(folder: Path, step: int) -> Calibration | None:
    """The calibration of the network of that step; None if there is none of it.

    Raises:
        InputError: the file is damaged.
    """
    path = folder / CALIBRATION
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if fields["refusal_confidence"] is None:
            fields["refusal_confidence"] = math.inf
        calibration = Calibration(**fields)
        float(calibration.refusal_confidence)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(
            f"cannot read {str(path)!r} ({error}), which states how far the network can "
            "be trusted: restore the file, or remove it"
        ) from error
    return calibration if calibration.step == step else None
