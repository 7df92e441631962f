"""From reflection families to the peaks that an instrument shows of them.

Where optics and specimen give all peaks the same Gaussian width in sin(theta), as in
the paper, `PeakGrid` forms them; else `PseudoVoigtGrid`, or `DirectPeaks` for a single
crystal. Which one is static.
"""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from xrdjax.diffraction.intensities import relative_height
from xrdjax.diffraction.overflow import Overflow
from xrdjax.instrument.axial import axial_divergence
from xrdjax.instrument.direct import DirectPeaks, add_directly
from xrdjax.instrument.instrument import Instrument
from xrdjax.instrument.measurement import Peaks
from xrdjax.instrument.profile import (
    PeakGrid,
    add_lines,
    broaden,
    normalise,
    peak_sigma,
)
from xrdjax.instrument.pseudo_voigt import (
    PseudoVoigtGrid,
    WidthMap,
    add_pseudo_voigts,
    is_too_narrow,
    read_pseudo_voigts,
    width_map,
)
from xrdjax.instrument.shifts import largest_shift, shift_of_u
from xrdjax.instrument.specimen import Specimen

# Lines on a grid: one comb for each emission line, or one for each part of the profile.
Combs = Any


def s_range_of(
    instrument: Instrument, u_range: Float[Array | np.ndarray, "2"]
) -> Float[Array, "2"]:
    """Smallest and largest 1/d that any emission line shows in range, 1/angstrom.

    Args:
        instrument: wavelengths and shifts.
        u_range: [2] of 2 sin(theta).
    """
    shift = largest_shift(instrument)
    low, high = u_range[0] - shift, u_range[1] + shift
    used = instrument.weights > 0
    longest = jnp.max(jnp.where(used, instrument.wavelengths, 0.0))
    shortest = jnp.min(jnp.where(used, instrument.wavelengths, jnp.inf))
    return jnp.stack(
        [jnp.maximum(low, 0.0) / longest, jnp.minimum(high, 2.0) / shortest]
    )


def widths_of(
    instrument: Instrument, specimen: Specimen, peaks: Peaks
) -> WidthMap | None:
    """Widths at all angles, to be found once a pattern; None where there is one only."""
    if isinstance(peaks, PseudoVoigtGrid):
        return width_map(instrument, specimen, peaks)
    return None


def no_lines(count: int, emission_lines: int, peaks: Peaks) -> Combs:
    """Combs without lines for so many patterns."""
    if isinstance(peaks, PeakGrid):
        empty = jnp.zeros((count, peaks.skew.shape[0]))
        return (empty,) * emission_lines
    if isinstance(peaks, DirectPeaks):
        return jnp.zeros((count, len(peaks.two_theta)))
    return jnp.zeros((count, 2, peaks.size))


def _place(
    s: Float[Array, " H"],
    strength: Float[Array, " H"],
    wavelength: Float[Array, ""],
    instrument: Instrument,
    peaks: Peaks,
) -> tuple[Float[Array, " K"], Float[Array, " K"]]:
    """u = 2 sin(theta) where lines, or their parts, appear, and LP cos(theta) m |F|^2.

    What lies out of range, and padding, has no height.
    """
    u = s * wavelength
    # padding has any s; and no line has a sine above 1
    sine = jnp.where(strength > 0, u, 1.0) / 2
    polarization = jnp.asarray(instrument.polarization)
    height = strength * relative_height(sine, polarization)
    if peaks.effects.shifts:
        height = jnp.where(sine < 1, height, 0.0)
        sine = jnp.minimum(sine, 1 - 1e-6)
        u = 2 * sine + shift_of_u(instrument, sine, jnp.sqrt(1 - sine**2))
    if peaks.effects.axial:
        parts, shares = axial_divergence(u, jnp.asarray(instrument.axial))
        u, height = parts.ravel(), (shares * height[None]).ravel()
    shown = (u >= peaks.u_range[0]) & (u <= peaks.u_range[1])
    # without the barrier the CPU backend forms it again for every use of it
    return lax.optimization_barrier(u), jnp.where(shown, height, 0.0)


def add_families(
    combs: Combs,
    strength: Float[Array, " H"],
    s: Float[Array, " H"],
    instrument: Instrument,
    specimen: Specimen,
    peaks: Peaks,
    widths: WidthMap | None,
) -> Combs:
    """Adds the lines of families to the combs, those of each emission line.

    A line's integrated intensity is its area, m |F|^2 LP exp(-2 B stol^2), from which
    its height follows by the width; see `relative_height`.

    Args:
        combs: the lines so far.
        strength: [H] m |F|^2, texture included; 0 on padding.
        s: [H] 1/d, 1/angstrom; anything on padding.
        instrument: emission lines, shifts and polarization.
        specimen: its displacement factor counts.
        peaks: the grid.
        widths: from `widths_of`.
    """
    damped = strength * jnp.exp(-specimen.b_iso * s**2 / 2)
    places = [
        (*_place(s, damped, wavelength, instrument, peaks), weight)
        for wavelength, weight in zip(
            instrument.wavelengths, instrument.weights, strict=True
        )
    ]
    if isinstance(peaks, PeakGrid):
        return tuple(
            add_lines(comb, u, weight * height, peaks)
            for comb, (u, height, weight) in zip(combs, places, strict=True)
        )
    u = jnp.concatenate([u for u, _, _ in places])
    areas = jnp.concatenate([weight * height for _, height, weight in places])
    if isinstance(peaks, DirectPeaks):
        return add_directly(combs, u, areas, instrument, specimen, peaks)
    assert widths is not None
    return add_pseudo_voigts(combs, u, areas, widths, peaks)


def pattern_of_combs(
    combs: Combs,
    instrument: Instrument,
    specimen: Specimen,
    peaks: Peaks,
    widths: WidthMap | None,
) -> tuple[Float[Array, " T"], Int[Array, ""]]:
    """Pattern with maximum 1, and the reasons why the grid does not suit it."""
    left_out = jnp.where(_left_out(instrument, specimen, peaks), Overflow.EFFECT, 0)
    if isinstance(peaks, DirectPeaks):
        return normalise(combs), left_out
    if isinstance(peaks, PseudoVoigtGrid):
        assert widths is not None
        profile = read_pseudo_voigts(combs, widths, peaks)
        unfit = is_too_narrow(widths)
        return normalise(profile), left_out | jnp.where(unfit, Overflow.WIDTH, 0)
    sigmas = [
        peak_sigma(wavelength, specimen.size_nm, instrument.gaussian_deg)
        for wavelength in instrument.wavelengths
    ]
    profiles = [
        broaden(comb, sigma, peaks) for comb, sigma in zip(combs, sigmas, strict=True)
    ]
    sigma = jnp.stack(sigmas)
    total = functools.reduce(jnp.add, profiles)
    fits = (sigma >= peaks.sigma_range[0]) & (sigma <= peaks.sigma_range[1])
    unfit = jnp.any(~fits & (instrument.weights > 0))
    return normalise(total), left_out | jnp.where(unfit, Overflow.WIDTH, 0)


def _left_out(
    instrument: Instrument, specimen: Specimen, peaks: Peaks
) -> Bool[Array, ""]:
    """Whether an effect is there that the program does not compute."""
    left_out = jnp.bool_(False)
    if not peaks.effects.shifts:
        left_out |= largest_shift(instrument) > 0
    if not peaks.effects.texture:
        left_out |= jnp.asarray(specimen.march) != 1
    if not peaks.effects.axial:
        left_out |= jnp.asarray(instrument.axial) != 0
    if isinstance(peaks, PeakGrid):
        left_out |= jnp.any(jnp.asarray(instrument.caglioti) != 0)
        left_out |= jnp.asarray(instrument.lorentzian_deg) != 0
        left_out |= jnp.asarray(specimen.strain) != 0
        left_out |= jnp.asarray(specimen.lorentzian) != 0
    return left_out
