"""The answer to one measured pattern, as data."""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from xrdjax.checkpoints.calibration import Calibration
from xrdjax.evaluation.classes import sum_probabilities
from xrdjax.measured.pattern import MeasuredPattern
from xrdjax.models.network_input import NetworkInput

SPACE_GROUPS_IN_ALL = 230


@dataclasses.dataclass(frozen=True)
class Seen:
    """A measured pattern as a network sees it.

    Attributes:
        pattern: [T] on the grid of the network, divided by its maximum.
        mask: [T] which points were measured.
        network_input: from these to what the network is given.
        wavelength: that the grid belongs to, angstrom.
        share: of the grid's range that was measured, 0 to 1.
    """

    pattern: Float[np.ndarray, " T"]
    mask: Bool[np.ndarray, " T"]
    network_input: NetworkInput
    wavelength: float
    share: float

    @property
    def range_deg(self) -> tuple[float, float]:
        """First and last angle that the network reads, degrees."""
        grid = self.network_input.grid
        return grid.two_theta_min_deg, grid.two_theta_max_deg

    @property
    def removes_background(self) -> bool:
        """Whether the network has learned from patterns with background and noise."""
        return self.network_input.cells is not None


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class Ranked:
    """The space groups of a measured pattern, by their probabilities.

    Attributes:
        name: of the pattern, such as that of its file.
        space_groups: [K] numbers of all groups that the network can name, the most
            probable first.
        probabilities: [K] of these groups; they add up to one.
        refusal: why the first of them should not be believed; None if it should.
        measured: the pattern as it was read.
        wavelength: of the measurement, angstrom.
        wavelength_origin: where the wavelength comes from.
        seen: the pattern as the network sees it.
        step: of the network.
        calibration: what refusals are based on; None if the network has none.
        notes: sentences on what was changed, assumed or missing.
    """

    name: str
    space_groups: Int[np.ndarray, " K"]
    probabilities: Float[np.ndarray, " K"]
    refusal: str | None
    measured: MeasuredPattern
    wavelength: float
    wavelength_origin: str
    seen: Seen
    step: int
    calibration: Calibration | None
    notes: tuple[str, ...]

    @property
    def short_name(self) -> str:
        """The name without folders, as it is printed."""
        return shown(Path(self.name).name)

    @property
    def refuses(self) -> bool:
        """Whether the answer is that the pattern does not tell."""
        return self.refusal is not None

    def most_probable(self, count: int = 5) -> list[tuple[int, float]]:
        """Number and probability of the most probable space groups, best first."""
        pairs = zip(self.space_groups, self.probabilities, strict=True)
        return [(int(number), float(p)) for number, p in pairs][:count]

    def classes(self, kind: str, count: int | None = None) -> list[tuple[str, float]]:
        """Name and summed probability of the classes of one kind, best first.

        Args:
            kind: "extinction_symbol", "bravais_lattice", "centring", "laue_class",
                "crystal_system", or "space_group", in which enantiomorphs are one.
            count: at most so many; by default all.
        """
        sums = sum_probabilities(self.probabilities[None], self.space_groups)
        found = sums[kind]
        return found.most_probable(0, len(found.names) if count is None else count)


def shown(name: str) -> str:
    """A name that can be printed: without line ends and bytes that are no text."""
    text = name.encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() else "?" for c in text)
