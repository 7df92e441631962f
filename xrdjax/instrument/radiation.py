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


# Bearden, Rev. Mod. Phys. 39 (1967) 78, in his unit A* (15 millionths longer than the
# angstrom, which no powder pattern here resolves).
ANODES = {
    "Cr": Anode(2.289700, 2.293606, 2.084870),
    "Fe": Anode(1.936042, 1.939980, 1.756610),
    "Co": Anode(1.788965, 1.792850, 1.620790),
    "Cu": Anode(1.540562, 1.544390, 1.392218),
    "Mo": Anode(0.709300, 0.713590, 0.632288),
    "Ag": Anode(0.5594075, 0.563798, 0.497069),
}
# The line of tungsten from the filament that contaminates old tubes, same source.
W_L_ALPHA1 = 1.476390
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
