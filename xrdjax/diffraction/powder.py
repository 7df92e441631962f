"""Powder lines and the powder pattern of one crystal."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from xrdjax.crystals.crystal import Crystal
from xrdjax.crystals.lattices import inverse_spacing
from xrdjax.diffraction.intensities import line_intensities
from xrdjax.diffraction.reflections import (
    INDEX_LIMIT,
    find_reflections,
    unpack_miller,
)
from xrdjax.diffraction.structure_factors import structure_factors
from xrdjax.errors import InputError
from xrdjax.instrument.diffractometer import PAPER_DIFFRACTOMETER, Diffractometer
from xrdjax.instrument.profiles import (
    ProfileGrid,
    add_lines,
    line_heights,
    profile,
    profile_grid,
)

# Lines that `powder_lines` makes room for at most; they take about 1 GB.
_MOST = 2**22


@struct.dataclass
class Lines:
    """Powder lines, one a family of reflections, padded to H.

    Attributes:
        miller: [H, 3] int32 representative indices in the crystal's setting.
        multiplicity: [H] reflections in the family; 0 on padding.
        s: [H] 1/d, 1/angstrom.
        two_theta_deg: [H] diffraction angle, degrees.
        magnitude: [H] |F| of the conventional cell, electrons.
        intensity: [H] m |F|^2 LP; 0 on padding.
        overflow: [] True when lines are missing because H was too small.
    """

    miller: Int[Array, "H 3"]
    multiplicity: Float[Array, " H"]
    s: Float[Array, " H"]
    two_theta_deg: Float[Array, " H"]
    magnitude: Float[Array, " H"]
    intensity: Float[Array, " H"]
    overflow: Bool[Array, ""]


@functools.partial(jax.jit, static_argnames=("diffractometer", "max_reflections"))
def _lines(
    crystal: Crystal, diffractometer: Diffractometer, max_reflections: int
) -> Lines:
    found = find_reflections(crystal, diffractometer.s_range, max_reflections)
    miller = unpack_miller(found.keys)
    s = inverse_spacing(miller, crystal.lattice)
    factors = structure_factors(crystal, miller)
    squared = factors.real**2 + factors.imag**2
    positive = squared > 0
    wavelength = diffractometer.wavelength
    sine = jnp.where(found.multiplicity > 0, s * wavelength / 2, 0.0)
    return Lines(
        miller=miller.astype(jnp.int32),
        multiplicity=found.multiplicity,
        s=s,
        two_theta_deg=jnp.rad2deg(2 * jnp.arcsin(sine)),
        magnitude=jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0),
        intensity=line_intensities(found.multiplicity, squared, s, wavelength),
        overflow=found.overflow,
    )


def _room(crystal: Crystal, diffractometer: Diffractometer) -> int:
    """Rows enough for every reflection of a concrete crystal, a power of two.

    Half the reciprocal lattice points in the sphere, plus its surface.
    """
    if isinstance(crystal.lattice, jax.core.Tracer):
        raise InputError(
            "the number of reflections of a traced lattice is unknown: pass "
            "max_reflections, such as 4096, and look at the lines' overflow"
        )
    lattice = np.asarray(crystal.lattice, float)
    s_max = diffractometer.s_range[1]
    lengths = np.linalg.norm(lattice, axis=1)
    if max(lengths) * s_max >= INDEX_LIMIT:
        raise InputError(
            f"a cell edge of {max(lengths):.4g} angstrom has reflections with indices "
            f"of {INDEX_LIMIT} and more in range: choose a longer wavelength or a "
            "narrower range of 2 theta"
        )
    # a cell shorter than the sphere's radius fills shells unevenly; pad by one
    points = abs(np.linalg.det(lattice)) * 4 / 3 * math.pi * s_max**3
    half_box = np.prod(2 * np.floor(lengths * s_max) + 1) / 2
    room = min(0.5 * points * 1.2 + 5 * points ** (2 / 3) + 64, half_box + 1)
    if room > _MOST:
        raise InputError(
            f"about {room:.2g} families of reflections are in range, of which at most "
            f"{_MOST} can be listed: choose a longer wavelength or a narrower range of "
            "2 theta"
        )
    return max(64, 2 ** math.ceil(math.log2(room)))


def powder_lines(
    crystal: Crystal,
    diffractometer: Diffractometer | None = None,
    max_reflections: int | None = None,
) -> Lines:
    """Powder lines of a crystal inside the range of 2 theta.

    Differentiable in lattice, positions, occupancies and displacements; which
    reflections exist is decided at the given lattice.

    Args:
        crystal: one crystal.
        diffractometer: wavelength and range; the paper's by default.
        max_reflections: rows H of the result; needed only where the lattice is
            traced (under jit, vmap or grad).

    Returns:
        Lines in order of h, k, l.

    Raises:
        InputError: max_reflections is missing, and the lattice is traced or has more
            reflections than can be listed.
    """
    diffractometer = diffractometer or PAPER_DIFFRACTOMETER
    return _lines(
        crystal, diffractometer, max_reflections or _room(crystal, diffractometer)
    )


@functools.partial(jax.jit, static_argnames=("diffractometer",))
def profile_of_lines(
    lines: Lines,
    crystallite_size_nm: Float[Array, ""],
    grid: ProfileGrid,
    diffractometer: Diffractometer,
) -> Float[Array, " T"]:
    """Diffractogram of given lines, divided by its maximum.

    Args:
        lines: powder lines; intensities may be changed first (texture, say).
        crystallite_size_nm: [] within the grid's sizes, nanometres.
        grid: from `profile_grid`.
        diffractometer: wavelength and grid of 2 theta.

    Returns:
        [T] pattern with maximum 1; zero if no line is in range.
    """
    heights = line_heights(lines.intensity, lines.s, diffractometer.wavelength)
    comb = add_lines(jnp.zeros_like(grid.skew), lines.s, heights, grid)
    return profile(comb, crystallite_size_nm, grid)


def powder_pattern(
    crystal: Crystal,
    crystallite_size_nm: Float[Array, ""] | float = 50.0,
    diffractometer: Diffractometer | None = None,
    *,
    sizes_nm: tuple[float, float] | None = None,
    max_reflections: int | None = None,
) -> Float[Array, " T"]:
    """Powder X-ray diffractogram of a crystal, divided by its maximum.

    Every line inside the range is a Gaussian in 2 theta of Scherrer width,
    FWHM = K lambda / (L cos theta), K = 0.9, and of area m |F|^2 LP.

    Args:
        crystal: one crystal (vmap over the leading axis of a batch).
        crystallite_size_nm: [] size L of the crystallites, nanometres.
        diffractometer: wavelength and grid of 2 theta; the paper's by default.
        sizes_nm: smallest and largest size that the grid must serve; needed only
            where crystallite_size_nm is traced.
        max_reflections: see `powder_lines`.

    Returns:
        [T] pattern with maximum 1.

    Raises:
        InputError: a traced argument lacks its static companion, or no such size.
    """
    diffractometer = diffractometer or PAPER_DIFFRACTOMETER
    if sizes_nm is None:
        if isinstance(crystallite_size_nm, jax.core.Tracer):
            raise InputError(
                "the range of a traced crystallite size is unknown: pass sizes_nm, "
                "such as (20, 100), in nanometres"
            )
        sizes_nm = (float(crystallite_size_nm),) * 2
    grid = profile_grid(diffractometer, *sizes_nm)
    lines = powder_lines(crystal, diffractometer, max_reflections)
    return profile_of_lines(lines, crystallite_size_nm, grid, diffractometer)
