"""Stops a run whose settings leave crystals of some groups unsampled."""

import dataclasses
from collections.abc import Mapping

from xrdjax.errors import InputError

# As many may be abandoned, and this share of all.
_MOST, _SHARE = 10, 1e-3


@dataclasses.dataclass
class ExhaustedCrystals:
    """Counts synthetic crystals abandoned after all tries, whose label may be wrong.

    The counts are not part of a checkpoint: a resumed run starts at zero.

    Attributes:
        crystals: number sampled.
        exhausted: number of them abandoned.
    """

    crystals: int = 0
    exhausted: int = 0

    def add(self, crystals: int, counts: Mapping[str, float]) -> None:
        """Counts the crystals of one call of the compiled program.

        Args:
            crystals: number of them.
            counts: of the source, with `exhausted` if it samples synthetic ones.

        Raises:
            InputError: more than 10, and more than 1 in 1,000, were abandoned.
        """
        self.crystals += crystals
        self.exhausted += int(counts.get("exhausted", 0))
        if self.exhausted > max(_MOST, _SHARE * self.crystals):
            raise InputError(
                f"{self.exhausted:,} of {self.crystals:,} crystals exceeded the limits "
                "in all tries, so that their space groups are wrong: raise max_volume or "
                "max_sites, or lower min_distance, in another work directory"
            )
