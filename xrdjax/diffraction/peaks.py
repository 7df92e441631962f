"""From reflection families to the peaks that an instrument shows of them.

Where optics and specimen give all peaks the same Gaussian width in sin(theta), as in
the paper, `PeakGrid` forms them; else `PseudoVoigtGrid`, or `DirectPeaks` for a single
crystal. Which one is static.
"""

import dataclasses
import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from xrdjax.diffraction.intensities import relative_height
from xrdjax.diffraction.overflow import Overflow
from xrdjax.instrument.axial import FEW_PARTS, MANY_PARTS, axial_divergence
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
from xrdjax.ops.compensated import two_product, two_sum

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


@struct.dataclass
class Reflected:
    """What a crystal reflects, one a family; padding has a strength of 0.

    Attributes:
        strength: [H] m |F|^2, texture included.
        s: [H] 1/d, 1/angstrom; anything on padding.
        s_rest: [H] what float32 leaves out of s; None where that does not matter.
    """

    strength: Float[Array, " H"]
    s: Float[Array, " H"]
    s_rest: Float[Array, " H"] | None = None


@struct.dataclass
class _Places:
    """Where lines, or their parts, appear, and how high they are.

    Attributes:
        u: [K] 2 sin(theta).
        rest: [K] what float32 leaves out of u; None where `s_rest` is.
        height: [K] LP cos(theta) m |F|^2; 0 out of range, and on padding.
    """

    u: Float[Array, " K"]
    rest: Float[Array, " K"] | None
    height: Float[Array, " K"]


def _place(
    reflected: Reflected,
    wavelength: Float[Array, ""],
    instrument: Instrument,
    peaks: Peaks,
) -> _Places:
    """The places of the lines of one emission line."""
    strength, rest = reflected.strength, None
    u = reflected.s * wavelength
    if reflected.s_rest is not None:
        error = two_product(reflected.s, wavelength)[1]
        rest = error + reflected.s_rest * wavelength
    # padding has any s; and no line has a sine above 1
    sine = jnp.where(strength > 0, u, 1.0) / 2
    polarization = jnp.asarray(instrument.polarization)
    height = strength * relative_height(sine, polarization)
    if peaks.effects.shifts:
        height = jnp.where(sine < 1, height, 0.0)
        sine = jnp.minimum(sine, 1 - 1e-6)
        shift = shift_of_u(instrument, sine, jnp.sqrt(1 - sine**2))
        u, rest = _moved(2 * sine, rest, shift)
    if peaks.effects.axial:
        parts = MANY_PARTS if isinstance(peaks, DirectPeaks) else FEW_PARTS
        shift, shares = axial_divergence(u, jnp.asarray(instrument.axial), parts)
        whole = jnp.broadcast_to(u, shift.shape)
        rest = None if rest is None else jnp.broadcast_to(rest, shift.shape)
        u, rest = _moved(whole, rest, shift)
        u, height = u.ravel(), (shares * height[None]).ravel()
        rest = None if rest is None else rest.ravel()
    shown = (u >= peaks.u_range[0]) & (u <= peaks.u_range[1])
    # without the barrier the CPU backend forms it again for every use of it
    u = lax.optimization_barrier(u)
    return _Places(u, rest, jnp.where(shown, height, 0.0))


def _moved(
    u: Float[Array, "..."], rest: Float[Array, "..."] | None, shift: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."] | None]:
    """A place with a shift added, in twice the precision if it has a remainder."""
    if rest is None:
        return u + shift, None
    u, error = two_sum(u, shift)
    return u, rest + error


def add_families(
    combs: Combs,
    reflected: Reflected,
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
        reflected: the families.
        instrument: emission lines, shifts and polarization.
        specimen: its displacement factor counts.
        peaks: the grid.
        widths: from `widths_of`.
    """
    damping = jnp.exp(-specimen.b_iso * reflected.s**2 / 2)
    reflected = dataclasses.replace(reflected, strength=reflected.strength * damping)
    places = [
        (_place(reflected, wavelength, instrument, peaks), weight)
        for wavelength, weight in zip(
            instrument.wavelengths, instrument.weights, strict=True
        )
    ]
    if isinstance(peaks, PeakGrid):
        return tuple(
            add_lines(comb, place.u, weight * place.height, peaks)
            for comb, (place, weight) in zip(combs, places, strict=True)
        )
    u = jnp.concatenate([place.u for place, _ in places])
    areas = jnp.concatenate([weight * place.height for place, weight in places])
    if isinstance(peaks, DirectPeaks):
        rests = [place.rest for place, _ in places if place.rest is not None]
        rest = jnp.concatenate(rests) if rests else jnp.zeros_like(u)
        return add_directly(combs, (u, rest), areas, instrument, specimen, peaks)
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
