"""From what a specimen scatters to what is recorded: background, counts, window."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Key

from xrdjax.instrument.background import (
    Background,
    background_curve,
    sample_backgrounds,
)
from xrdjax.instrument.counts import count_photons
from xrdjax.instrument.ranges import (
    Range,
    Scalar,
    check_range,
    is_always,
    sample_range,
)
from xrdjax.ops.safe import safe_reciprocal


@struct.dataclass
class Exposure:
    """How a pattern is recorded.

    Attributes:
        background: under the peaks.
        counts: [] of the highest peak; 0 for no noise.
        first_deg, last_deg: [] range of 2 theta that is measured, degrees.
    """

    background: Background
    counts: Scalar
    first_deg: Scalar
    last_deg: Scalar


@dataclasses.dataclass(frozen=True)
class ExposureRanges:
    """From what exposures are sampled; none of the effects by default.

    Attributes:
        background: mean background, in units of the highest peak.
        counts: of the highest peak; 0 for no noise.
        first_deg, last_deg: ends of the measured range, degrees.
        other_phases: weight of a second and a third crystal, of the first's maximum.

    Raises:
        InputError: there is no such exposure.
    """

    background: Range = (0.0, 0.0)
    counts: Range = (0.0, 0.0)
    first_deg: Range = (0.0, 0.0)
    last_deg: Range = (180.0, 180.0)
    other_phases: Range = (0.0, 0.0)

    def __post_init__(self) -> None:
        check_range("background", self.background, 0.0)
        check_range("counts", self.counts, 0.0)
        check_range("first_deg", self.first_deg, 0.0, 180.0)
        check_range("last_deg", self.last_deg, 0.0, 180.0)
        check_range("other_phases", self.other_phases, 0.0, 1.0)

    @property
    def is_perfect(self) -> bool:
        """Whether all of the range is measured of one phase, and nothing added."""
        absent = {"background": 0.0, "counts": 0.0, "other_phases": 0.0}
        absent |= {"first_deg": 0.0, "last_deg": 180.0}
        return all(is_always(getattr(self, name), x) for name, x in absent.items())


def sample_exposures(
    key: Key[Array, ""], ranges: ExposureRanges, count: int
) -> Exposure:
    """Exposures with a leading axis B, each quantity from its range."""
    keys = jax.random.split(key, 4)
    return Exposure(
        background=sample_backgrounds(keys[0], ranges.background, count),
        counts=sample_range(keys[1], ranges.counts, count),
        first_deg=sample_range(keys[2], ranges.first_deg, count),
        last_deg=sample_range(keys[3], ranges.last_deg, count, 180.0),
    )


def expose(
    key: Key[Array, ""],
    patterns: Float[Array, "B T"],
    exposures: Exposure,
    two_theta_deg: Float[np.ndarray, " T"],
) -> tuple[Float[Array, "B T"], Bool[Array, "B T"]]:
    """Patterns as they are recorded, and which of their points were.

    Args:
        key: random key of the noise.
        patterns: [B, T] what the specimens scatter, with maximum 1.
        exposures: [B].
        two_theta_deg: [T] degrees.

    Returns:
        Patterns, 0 where nothing was measured, with maximum 1; and their masks.
    """
    curves = jax.vmap(lambda one: background_curve(one, two_theta_deg))(
        exposures.background
    )
    counted = count_photons(key, patterns + curves, jnp.asarray(exposures.counts))
    angle = jnp.asarray(two_theta_deg, jnp.float32)[None]
    first, last = jnp.asarray(exposures.first_deg), jnp.asarray(exposures.last_deg)
    mask = (angle >= first[:, None]) & (angle <= last[:, None])
    recorded = jnp.where(mask, counted, 0.0)
    return recorded * safe_reciprocal(jnp.max(recorded, axis=1, keepdims=True)), mask
