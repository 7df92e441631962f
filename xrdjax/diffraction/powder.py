"""Powder lines and the powder pattern of one crystal, which is a chunk of one."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from xrdjax.crystals.crystal import Crystal
from xrdjax.crystals.elements import SYMBOLS
from xrdjax.diffraction.capacity import Capacity
from xrdjax.diffraction.indices import conventional_indices
from xrdjax.diffraction.intensities import lorentz_polarization
from xrdjax.diffraction.kernel import chunk_families, simulate_chunk
from xrdjax.diffraction.overflow import Overflow
from xrdjax.diffraction.peaks import (
    Peaks,
    Reflected,
    add_families,
    no_lines,
    pattern_of_combs,
    s_range_of,
    widths_of,
)
from xrdjax.diffraction.reflections import INDEX_LIMIT
from xrdjax.errors import InputError
from xrdjax.instrument.direct import direct_peaks
from xrdjax.instrument.effects import Effects
from xrdjax.instrument.grid import PAPER_GRID, TwoThetaGrid
from xrdjax.instrument.instrument import Instrument, make_instrument
from xrdjax.instrument.profile import peak_grid, peak_sigma
from xrdjax.instrument.shifts import largest_shift
from xrdjax.instrument.specimen import Specimen, make_specimen
from xrdjax.ops.safe import safe_sqrt

# Families that room is made for at most; they take about 1 GB.
_MOST = 2**22


@struct.dataclass
class Lines:
    """Powder lines of the strongest emission line, one a family, padded to H.

    Attributes:
        miller: [H, 3] int32 indices in the crystal's setting, of the member that is
            usually written (see `indices.conventional_indices`).
        multiplicity: [H] reflections in the family; 0 on padding.
        s: [H] 1/d, 1/angstrom.
        two_theta_deg: [H] diffraction angle by Bragg's law, degrees; 0 on padding.
        magnitude: [H] |F| of the conventional cell, electrons; with anomalous
            dispersion the root mean square of Friedel mates.
        strength: [H] m |F|^2, what the crystal alone contributes; 0 on padding.
        intensity: [H] m |F|^2 LP; 0 on padding.
        overflow: [] reasons (`Overflow`) why lines are missing; 0 when none is.
    """

    miller: Int[Array, "H 3"]
    multiplicity: Float[Array, " H"]
    s: Float[Array, " H"]
    two_theta_deg: Float[Array, " H"]
    magnitude: Float[Array, " H"]
    strength: Float[Array, " H"]
    intensity: Float[Array, " H"]
    overflow: Int[Array, ""]


def _is_traced(*trees: Any) -> bool:
    return any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves(trees))


def _chunk_of_one(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], tree)


def _room(crystal: Crystal, instrument: Instrument, grid: TwoThetaGrid) -> int:
    """Room for every family of a concrete crystal, a power of two.

    Half the reciprocal lattice points in the sphere, plus its surface.
    """
    if _is_traced(crystal.lattice, instrument):
        raise InputError(
            "the number of reflections of a traced lattice or wavelength is unknown: "
            "pass max_reflections, such as 4096, and look at the overflow of the lines"
        )
    lattice = np.asarray(crystal.lattice, float)
    shortest = float(np.min(np.asarray(instrument.wavelengths)))
    s_max = grid.u_range[1] / shortest
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


def _capacity(
    crystal: Crystal,
    instrument: Instrument,
    grid: TwoThetaGrid,
    max_reflections: int | None,
) -> Capacity:
    """Buffers that suffice for one crystal."""
    return Capacity(
        max_reflections or _room(crystal, instrument, grid),
        max_elements=min(len(crystal.elements), len(SYMBOLS) - 1),
    )


@functools.partial(jax.jit, static_argnames=("capacity", "reverse"))
def _lines(
    crystal: Crystal,
    instrument: Instrument,
    u_range: Float[Array, "2"],
    capacity: Capacity,
    reverse: bool,
) -> Lines:
    s_range = s_range_of(instrument, u_range)
    crystals, anomalous = _chunk_of_one((crystal, instrument.anomalous))
    found, overflow = chunk_families(
        crystals, anomalous, s_range[None], capacity, reverse
    )
    families = jax.tree.map(lambda leaf: leaf[0], found)
    sine = families.s * instrument.wavelengths[0] / 2
    # an emission line of shorter wavelength may show more families than this one
    real = (families.multiplicity > 0) & (2 * sine <= u_range[1])
    sine = jnp.where(real, sine, 0.5)
    cell = crystal.symmetry.centring_order.astype(jnp.float32) ** 2
    strength = families.multiplicity * families.squared * cell
    return Lines(
        miller=conventional_indices(
            families.miller.astype(jnp.int32), crystal.symmetry
        ),
        multiplicity=families.multiplicity,
        s=families.s,
        two_theta_deg=jnp.where(real, jnp.rad2deg(2 * jnp.arcsin(sine)), 0.0),
        magnitude=safe_sqrt(families.squared * cell),
        strength=strength,
        intensity=jnp.where(real, strength * lorentz_polarization(sine), 0.0),
        overflow=overflow[0],
    )


def powder_lines(
    crystal: Crystal,
    instrument: Instrument | None = None,
    grid: TwoThetaGrid = PAPER_GRID,
    *,
    max_reflections: int | None = None,
) -> Lines:
    """Powder lines of a crystal inside the range of 2 theta.

    Differentiable in lattice, positions, occupancies, displacements and wavelength;
    which reflections exist is decided at the given lattice.

    Args:
        crystal: one crystal.
        instrument: its wavelengths, f' and f'' count; the paper's by default.
        grid: its range counts.
        max_reflections: room H; needed only where the lattice or the wavelength is
            traced (under jit, vmap or grad).

    Returns:
        Lines, in no particular order.

    Raises:
        InputError: max_reflections is missing, and the lattice is traced or has more
            reflections than can be listed.
    """
    instrument = make_instrument() if instrument is None else instrument
    capacity = _capacity(crystal, instrument, grid, max_reflections)
    reverse = _is_traced(crystal, instrument)
    return _lines(crystal, instrument, grid.u_limits, capacity, reverse)


def _peaks_for(grid: TwoThetaGrid, instrument: Instrument, specimen: Specimen) -> Peaks:
    """The grid that suits one concrete instrument and specimen."""
    if _is_traced(instrument, specimen):
        raise InputError(
            "the width of the peaks of a traced instrument or specimen is unknown: "
            "pass peaks, from peaks_for(grid, InstrumentRanges(...), "
            "SpecimenRanges(size_nm=(20, 100)))"
        )
    effects = Effects(
        shifts=bool(largest_shift(instrument) > 0),
        texture=float(specimen.march) != 1,
        axial=float(instrument.axial) != 0,
    )
    changing = (*np.asarray(instrument.caglioti), float(instrument.lorentzian_deg))
    if any(changing) or float(specimen.strain) or float(specimen.lorentzian):
        return direct_peaks(grid, effects)
    sigmas = [
        float(peak_sigma(float(w), float(specimen.size_nm), optics))
        for optics in [float(instrument.gaussian_deg)]
        for w in np.asarray(instrument.wavelengths)
    ]
    return peak_grid(grid, min(sigmas), max(sigmas), effects)


@functools.partial(jax.jit, static_argnames=("capacity", "reverse"))
def _pattern(
    crystal: Crystal,
    instrument: Instrument,
    specimen: Specimen,
    peaks: Peaks,
    capacity: Capacity,
    reverse: bool,
) -> tuple[Float[Array, " T"], Int[Array, ""]]:
    crystals, instruments, specimens = _chunk_of_one((crystal, instrument, specimen))
    patterns, overflow = simulate_chunk(
        crystals, instruments, specimens, peaks, capacity, reverse
    )
    return patterns[0], overflow[0]


def powder_pattern(
    crystal: Crystal,
    instrument: Instrument | None = None,
    specimen: Specimen | None = None,
    grid: TwoThetaGrid = PAPER_GRID,
    *,
    peaks: Peaks | None = None,
    max_reflections: int | None = None,
) -> Float[Array, " T"]:
    """Powder X-ray diffraction pattern of a crystal, divided by its maximum.

    Every line inside the range has the area m |F|^2 LP and the profile of `peak_widths`:
    a Gaussian in 2 theta by default, a pseudo-Voigt in general. Differentiable in the crystal (see `powder_lines`), the
    instrument and the specimen.

    Args:
        crystal: one crystal (vmap over the leading axis of a batch).
        instrument: the diffractometer; the paper's by default.
        specimen: crystallites of 50 nm by default.
        grid: of 2 theta.
        peaks: from `peaks_for`; needed only where instrument or specimen are traced.
        max_reflections: see `powder_lines`.

    Returns:
        [T] pattern with maximum 1; zero if no line is in range.

    Raises:
        InputError: a traced argument lacks its static companion, or the buffers do
            not suffice for a crystal that is not traced.
    """
    instrument = make_instrument() if instrument is None else instrument
    specimen = make_specimen() if specimen is None else specimen
    if peaks is None:
        peaks = _peaks_for(grid, instrument, specimen)
    capacity = _capacity(crystal, instrument, grid, max_reflections)
    reverse = _is_traced(crystal, instrument, specimen)
    pattern, overflow = _pattern(
        crystal, instrument, specimen, peaks, capacity, reverse
    )
    if not _is_traced(overflow) and overflow:
        raise InputError(f"the pattern is not complete: {Overflow(int(overflow)).hint}")
    return pattern


@jax.jit
def _pattern_of_lines(
    lines: Lines, instrument: Instrument, specimen: Specimen, peaks: Peaks
) -> Float[Array, " T"]:
    empty = no_lines(1, len(instrument.wavelengths), peaks)
    combs = jax.tree.map(lambda comb: comb[0], empty)
    widths = widths_of(instrument, specimen, peaks)
    reflected = Reflected(lines.strength, lines.s)
    combs = add_families(combs, reflected, instrument, specimen, peaks, widths)
    return pattern_of_combs(combs, instrument, specimen, peaks, widths)[0]


def pattern_of_lines(
    lines: Lines,
    instrument: Instrument | None = None,
    specimen: Specimen | None = None,
    grid: TwoThetaGrid = PAPER_GRID,
    *,
    peaks: Peaks | None = None,
) -> Float[Array, " T"]:
    """Pattern of given lines, divided by its maximum; see `powder_pattern`.

    Args:
        lines: powder lines; their `strength` may be changed first (texture, say).
        instrument, specimen, grid, peaks: as in `powder_pattern`.

    Returns:
        [T] pattern with maximum 1; zero if no line is in range.
    """
    instrument = make_instrument() if instrument is None else instrument
    specimen = make_specimen() if specimen is None else specimen
    if peaks is None:
        peaks = _peaks_for(grid, instrument, specimen)
    return _pattern_of_lines(lines, instrument, specimen, peaks)
