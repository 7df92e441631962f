"""The measurement that is simulated: radiation and grid of diffraction angles."""

import dataclasses
import math

import numpy as np

from xrdjax.errors import InputError

# Cu K-alpha as the paper and most databases use it, angstrom.
CU_K_ALPHA = 1.5406


@dataclasses.dataclass(frozen=True)
class Diffractometer:
    """Wavelength and the uniform grid of 2 theta; hashable, so static under jit.

    Attributes:
        wavelength: angstrom.
        two_theta_min_deg: first point of the grid, degrees.
        two_theta_max_deg: last point of the grid, degrees.
        points: number of points T, both ends included.

    Raises:
        InputError: no such measurement is possible.
    """

    wavelength: float = CU_K_ALPHA
    two_theta_min_deg: float = 5.0
    two_theta_max_deg: float = 90.0
    points: int = 8501

    def __post_init__(self) -> None:
        if not (math.isfinite(self.wavelength) and self.wavelength > 0):
            raise InputError(
                f"the wavelength is {self.wavelength} angstrom: expected a positive "
                f"number, such as {CU_K_ALPHA} (Cu K-alpha)"
            )
        if not 0 < self.two_theta_min_deg < self.two_theta_max_deg < 180:
            raise InputError(
                f"the 2 theta range is {self.two_theta_min_deg} to "
                f"{self.two_theta_max_deg} degrees: expected a lower end above 0 and "
                "an upper end above it and below 180"
            )
        if self.points < 2:
            raise InputError(
                f"the grid has {self.points} points: expected at least 2 between "
                f"{self.two_theta_min_deg} and {self.two_theta_max_deg} degrees"
            )

    @property
    def two_theta_deg(self) -> np.ndarray:
        """Angles of the grid, [T] float64, degrees."""
        return np.linspace(self.two_theta_min_deg, self.two_theta_max_deg, self.points)

    @property
    def s_range(self) -> tuple[float, float]:
        """Smallest and largest s = 1/d = 2 sin(theta) / lambda seen, 1/angstrom."""
        ends = np.sin(np.deg2rad([self.two_theta_min_deg, self.two_theta_max_deg]) / 2)
        low, high = 2 * ends / self.wavelength
        return float(low), float(high)


# The measurement that the paper simulates.
PAPER_DIFFRACTOMETER = Diffractometer()
