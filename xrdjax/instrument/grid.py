"""The angles at which a powder pattern is known."""

import dataclasses
import math

import numpy as np

from xrdjax.errors import InputError

SPACINGS = ("two_theta", "log_sin_theta")


@dataclasses.dataclass(frozen=True)
class TwoThetaGrid:
    """Angles 2 theta; hashable, so static under jit.

    Attributes:
        two_theta_min_deg: first point, degrees.
        two_theta_max_deg: last point, degrees.
        points: number of points T, both ends included.
        spacing: what the points are evenly spaced in: "two_theta", or "log_sin_theta",
            where a cell whose edges are k times longer shifts all lines by the same
            distance, log k, as sin(theta) = wavelength / (2 d).

    Raises:
        InputError: there is no such grid.
    """

    two_theta_min_deg: float = 5.0
    two_theta_max_deg: float = 90.0
    points: int = 8501
    spacing: str = "two_theta"

    def __post_init__(self) -> None:
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
        if self.spacing not in SPACINGS:
            raise InputError(
                f"the spacing of the grid is {self.spacing!r}: expected "
                f"{' or '.join(SPACINGS)}"
            )

    @property
    def two_theta_deg(self) -> np.ndarray:
        """Angles of the points, [T] float64, degrees."""
        ends = self.two_theta_min_deg, self.two_theta_max_deg
        if self.spacing == "two_theta":
            return np.linspace(*ends, self.points)
        low, high = self.u_range
        angles = np.rad2deg(2 * np.arcsin(np.geomspace(low, high, self.points) / 2))
        angles[[0, -1]] = ends  # without the rounding
        return angles

    @property
    def u_range(self) -> tuple[float, float]:
        """Smallest and largest u = 2 sin(theta), which is wavelength / d."""
        low, high = self.two_theta_min_deg, self.two_theta_max_deg
        return (
            2 * math.sin(math.radians(low) / 2),
            2 * math.sin(math.radians(high) / 2),
        )

    @property
    def u_limits(self) -> np.ndarray:
        """`u_range` as [2] float32, so wide that rounding loses no line at an end."""
        low, high = self.u_range
        return np.array([low * (1 - 1e-6), high * (1 + 1e-6)], np.float32)


# The grid of Schopmans et al. (2023).
PAPER_GRID = TwoThetaGrid()
