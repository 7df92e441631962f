"""Wavelengths of X-ray tubes, by name or as a number; free of JAX."""

import dataclasses
import math
import re

from xrdjax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Anode:
    """K lines of an element, angstrom.

    Attributes:
        k_alpha1, k_alpha2, k_beta1: wavelengths, angstrom.
    """

    k_alpha1: float
    k_alpha2: float
    k_beta1: float

    @property
    def k_alpha(self) -> float:
        """Mean of the doublet, K-alpha1 counted twice."""
        return (2 * self.k_alpha1 + self.k_alpha2) / 3


# Chromium to copper: Hoelzer et al., Phys. Rev. A 56 (1997) 4554; K-beta is the mean of
# beta1 and beta3. The others: Deslattes et al., Rev. Mod. Phys. 75 (2003) 35, whose
# measured values are those of International Tables C (2004), table 4.2.2.4. Bearden's of
# 1967, which many programs still have, are 10 to 25 millionths smaller: his unit A* is
# not quite an angstrom.
ANODES = {
    "Cr": Anode(2.2897260, 2.2936510, 2.0848810),
    "Fe": Anode(1.9360410, 1.9399730, 1.7566040),
    "Co": Anode(1.7889960, 1.7928350, 1.6208260),
    "Cu": Anode(1.5405929, 1.5444274, 1.3922340),
    "Mo": Anode(0.70931715, 0.713607, 0.632303),
    "Ag": Anode(0.55942178, 0.5638131, 0.4970817),
}
# The line of tungsten from the filament that contaminates old tubes; Deslattes et al.
W_L_ALPHA1 = 1.4763112
# A wavelength that differs from K-alpha1 by a smaller share means this anode.
_SAME_ANODE = 4e-3
# Longer or shorter X-rays give no powder pattern in air.
SHORTEST, LONGEST = 0.05, 5.0

_NAME = re.compile(
    r"(?P<anode>cr|fe|co|cu|mo|ag|w)"
    r"(?:(?P<shell>[kl])(?:(?P<series>a|b)(?P<line>[12])?)?)?"
)
_ALIASES = (("alpha", "a"), ("beta", "b"), ("α", "a"), ("β", "b"))


def parse_wavelength(text: str) -> float:
    """Wavelength from a number in angstrom, or from the name of an anode or a line.

    Args:
        text: such as "1.5406", "Cu", "CuKa", "Cu K-alpha1", "MoKa2", "CoKb" or "WLa1".
            An anode alone is its K-alpha1; K-alpha without a number is the mean of
            the doublet, K-alpha1 counted twice.

    Returns:
        Angstrom.

    Raises:
        InputError: neither a possible wavelength nor a known name.
    """
    words = text.strip().lower()
    try:
        value = float(words.removesuffix("angstrom").removesuffix("å"))
    except ValueError:
        return _of_line(text, re.sub(r"[\s_\-]", "", words))
    if math.isfinite(value) and SHORTEST <= value <= LONGEST:
        return value
    raise InputError(
        f"the wavelength is {text!r}: expected angstrom between {SHORTEST:g} and "
        f"{LONGEST:g}, such as 1.5406, or an anode, such as Cu"
    )


def lines_beside(wavelength: float) -> dict[str, float] | None:
    """What else a tube emits, each wavelength over that of K-alpha1.

    Args:
        wavelength: K-alpha1 or K-alpha of the anode, angstrom.

    Returns:
        Ratios of k_alpha2, k_beta and w_l_alpha; None if no anode has that wavelength.
    """
    for anode in ANODES.values():
        if abs(wavelength / anode.k_alpha1 - 1) < _SAME_ANODE:
            return {
                "k_alpha2": anode.k_alpha2 / anode.k_alpha1,
                "k_beta": anode.k_beta1 / anode.k_alpha1,
                "w_l_alpha": W_L_ALPHA1 / anode.k_alpha1,
            }
    return None


def _of_line(text: str, name: str) -> float:
    """Wavelength of an anode or a line, angstrom."""
    for long, short in _ALIASES:
        name = name.replace(long, short)
    found = _NAME.fullmatch(name)
    if found and found["anode"] == "w":
        if found["shell"] == "l" and found["series"] == "a" and found["line"] != "2":
            return W_L_ALPHA1
    elif found and found["shell"] != "l":
        anode = ANODES[found["anode"].capitalize()]
        if found["series"] == "b":
            if found["line"] != "2":
                return anode.k_beta1
        elif found["series"] is None or found["line"] == "1":
            return anode.k_alpha1
        else:
            return anode.k_alpha2 if found["line"] == "2" else anode.k_alpha
    raise InputError(
        f"the wavelength is {text!r}: expected angstrom, such as 1.5406, an anode "
        f"({', '.join(ANODES)}) or one of its lines, such as CuKa1, CuKa, CuKb or WLa1"
    )
