"""Collections of measured patterns in .npz files."""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from xrdjax.errors import InputError
from xrdjax.files import read_npz


@dataclasses.dataclass(frozen=True)
class MeasuredPatterns:
    """Measured patterns and the space groups and minerals of their specimens.

    Attributes:
        two_theta: [R] degrees, for Cu K-alpha1.
        intensity: [n, R]; NaN where not measured.
        space_groups: [n] numbers.
        minerals: [n] number of the mineral or phase, to weight minerals equally.
    """

    two_theta: Float[np.ndarray, " R"]
    intensity: Float[np.ndarray, "n R"]
    space_groups: Int[np.ndarray, " n"]
    minerals: Int[np.ndarray, " n"]


def read_patterns(path: Path) -> MeasuredPatterns:
    """Reads `intensity` and `space_group`, `group` or `phase`, and `two_theta_deg`.

    Without angles, the points are evenly spaced from 5 to 90 degrees.

    Raises:
        InputError: the file cannot be read or lacks one of these.
    """
    arrays = read_npz(path, None, "patterns", "name a .npz file of measured patterns")
    missing = {"intensity", "space_group"} - set(arrays)
    if missing:
        raise InputError(
            f"{str(path)!r} lacks the arrays {', '.join(sorted(missing))}: expected "
            "intensity [n, R] and space_group [n]"
        )
    intensity = np.asarray(arrays["intensity"], float)
    even = np.linspace(5, 90, intensity.shape[1])
    names = arrays.get("group", arrays.get("phase", np.arange(len(intensity))))
    return MeasuredPatterns(
        two_theta=np.asarray(arrays.get("two_theta_deg", even), float),
        intensity=intensity,
        space_groups=np.asarray(arrays["space_group"]).astype(int),
        minerals=np.unique(names, return_inverse=True)[1],
    )
