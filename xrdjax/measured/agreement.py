"""How well a calculated pattern agrees with an observed one."""

import dataclasses

import numpy as np
from jaxtyping import Float


@dataclasses.dataclass(frozen=True)
class Agreement:
    """R factors of a pattern, as a Rietveld refinement reports them.

    Attributes:
        r_wp: weighted profile R factor, background included.
        r_exp: what it would be if only the counting noise were left.
        goodness: r_wp / r_exp, the square root of the reduced chi squared.
    """

    r_wp: float
    r_exp: float
    goodness: float


def r_factors(
    observed: Float[np.ndarray, " T"],
    calculated: Float[np.ndarray, " T"],
    sigma: Float[np.ndarray, " T"],
    parameters: int = 0,
) -> Agreement:
    """R factors of a calculated pattern.

    R_wp^2 = sum w (y_o - y_c)^2 / sum w y_o^2, R_exp^2 = (N - P) / sum w y_o^2 with
    w = 1 / sigma^2; Young, The Rietveld Method (1993), ch. 1.

    Args:
        observed, calculated: [T] intensities in the same unit.
        sigma: [T] standard uncertainty of what is observed, above 0: for counts, their
            square root.
        parameters: number P of those that were fitted.
    """
    scaled, calculated = (np.asarray(x, float) / sigma for x in (observed, calculated))
    total = np.sum(scaled**2)
    r_wp = np.sqrt(np.sum((scaled - calculated) ** 2) / total)
    r_exp = np.sqrt((len(scaled) - parameters) / total)
    return Agreement(float(r_wp), float(r_exp), float(r_wp / r_exp))
