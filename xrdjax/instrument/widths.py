"""Width and shape of the peaks at each angle: optics, crystallite size, strain."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from xrdjax.instrument.instrument import Instrument
from xrdjax.instrument.specimen import Specimen

# Scherrer's constant for the full width at half maximum of the integral form.
SCHERRER_K = 0.9
# Square radians below which the Gaussian part counts as this narrow: 0.001 degrees.
_NARROWEST = math.radians(1e-3) ** 2
# Of Thompson, Cox and Hastings: the fifth power of the width, and the Lorentzian share.
_WIDTH = (1.0, 2.69269, 2.42843, 4.47163, 0.07842, 1.0)
_SHARE = (1.36603, -0.47719, 0.11116)


def peak_widths(
    instrument: Instrument,
    specimen: Specimen,
    sine: Float[Array, " N"],
    cosine: Float[Array, " N"],
) -> tuple[Float[Array, " N"], Float[Array, " N"]]:
    """Full width at half maximum and Lorentzian share of a peak at each angle.

    Both a Gaussian and a Lorentzian broaden the peak:

        Gaussian^2 = U tan^2 + V tan + W + P / cos^2 + ((1 - m) size)^2 + ((1 - m) strain)^2
        Lorentzian = X tan + m (size + strain)
        size = K wavelength / (L cos),  strain = 4 epsilon tan

    where m is the Lorentzian share of the specimen's broadening. The convolution is the
    pseudo-Voigt function of Thompson, Cox and Hastings, J. Appl. Cryst. 20 (1987) 79.
    The size term is that of the strongest emission line at all angles.

    Args:
        instrument: wavelength, U, V, W, P and X.
        specimen: size L, strain epsilon and m.
        sine, cosine: [N] of the angle theta.

    Returns:
        Width in 2 theta, radians, and share of the Lorentzian in the area, 0 to 1.
    """
    degree = math.pi / 180
    tangent = sine / cosine
    size = SCHERRER_K * instrument.wavelengths[0] / (10 * specimen.size_nm) / cosine
    strain = 4 * specimen.strain * tangent
    u, v, w = instrument.caglioti[0], instrument.caglioti[1], instrument.caglioti[2]
    optics = (u * tangent + v) * tangent + w + (instrument.gaussian_deg / cosine) ** 2
    mix = specimen.lorentzian
    gaussian = optics * degree**2 + (1 - mix) ** 2 * (size**2 + strain**2)
    gaussian = jnp.sqrt(jnp.maximum(gaussian, _NARROWEST))
    lorentzian = instrument.lorentzian_deg * degree * tangent + mix * (size + strain)
    return pseudo_voigt(gaussian, jnp.asarray(lorentzian))


def pseudo_voigt(
    gaussian: Float[Array, " N"], lorentzian: Float[Array, " N"]
) -> tuple[Float[Array, " N"], Float[Array, " N"]]:
    """Width and Lorentzian share of the convolution of a Gaussian and a Lorentzian.

    Thompson, Cox and Hastings (1987), with r the Lorentzian's width over the Gaussian's:

        (width / Gaussian)^5 = 1 + 2.69269 r + 2.42843 r^2 + 4.47163 r^3 + 0.07842 r^4 + r^5
        share = 1.36603 q - 0.47719 q^2 + 0.11116 q^3,  q = Lorentzian / width

    Args:
        gaussian: [N] full width at half maximum, above 0.
        lorentzian: [N] full width at half maximum, 0 or more, in the same unit.
    """
    ratio = lorentzian / gaussian
    power = jnp.zeros_like(ratio)
    for coefficient in reversed(_WIDTH):
        power = power * ratio + coefficient
    width = gaussian * power**0.2
    q = lorentzian / width
    return width, q * (_SHARE[0] + q * (_SHARE[1] + q * _SHARE[2]))
