"""Elements: names, form factors and radii, in tables whose row is the atomic number.

Row 0 is padding: all zero, so that an atom of element 0 scatters nothing and
fills no volume. The tables end with the last element that has a form factor.
"""

import re

import gemmi
import numpy as np

from xrdjax.errors import InputError


def _table(rows: list[list[float]]) -> np.ndarray:
    """One row per element, after a row of zeros for padding."""
    padded = np.array([[0.0] * len(rows[0]), *rows], np.float32)
    # gemmi stores single precision; the shortest decimals are the printed ones.
    return padded.astype(str).astype(np.float64)


_ELEMENTS = [
    element
    for element in (gemmi.Element(z) for z in range(1, 119))
    if element.it92 is not None
]

SYMBOLS: tuple[str, ...] = ("X", *(element.name for element in _ELEMENTS))
"""Symbol of each element; "X" is padding."""

IT92: np.ndarray = _table([element.it92.get_coefs() for element in _ELEMENTS])
"""[Z+1, 9] form factor of the neutral atom, columns a1..a4, b1..b4, c.

f(s) = sum_i a_i exp(-b_i s^2) + c, s = sin(theta) / wavelength in 1/angstrom,
f in electrons, b in angstrom^2. International Tables for Crystallography C
(1992), table 6.1.1.4, as gemmi's `it92` has it.
"""

COVALENT_RADII: np.ndarray = _table([[e.covalent_r] for e in _ELEMENTS])[:, 0]
"""[Z+1] angstrom, from gemmi: Cordero et al., Dalton Trans. 21 (2008) 2832."""

VAN_DER_WAALS_RADII: np.ndarray = _table([[e.vdw_r] for e in _ELEMENTS])[:, 0]
"""[Z+1] angstrom, from gemmi: Mantina et al., J. Phys. Chem. A 113 (2009) 5806, and
Bondi, J. Phys. Chem. 68 (1964) 441; those missing there (most transition metals and
lanthanides) from cctbx, where many are smaller than the covalent radius."""

ATOMIC_VOLUMES: np.ndarray = (
    4 / 3 * np.pi * (0.5 * (COVALENT_RADII + VAN_DER_WAALS_RADII)) ** 3
)
"""[Z+1] angstrom^3: 4/3 pi r^3, r the mean of covalent and van der Waals radius."""

_ATOMIC_NUMBERS = {symbol.upper(): z for z, symbol in enumerate(SYMBOLS) if z}
_ATOMIC_NUMBERS |= {"D": 1, "T": 1}  # isotopes have hydrogen's electrons

_SYMBOL_AND_CHARGE = re.compile(r"([A-Za-z]{1,2})(\d*[+-]?|[+-]\d+)")


def atomic_number(symbol: str) -> int:
    """Atomic number of an element symbol, in any case and with or without a charge.

    Args:
        symbol: e.g. "Fe", "FE", "fe3+", "O2-", "D" or "T" (both hydrogen).

    Raises:
        InputError: the symbol is not an element, or one without a form factor.
    """
    match = _SYMBOL_AND_CHARGE.fullmatch(symbol.strip())
    number = _ATOMIC_NUMBERS.get(match[1].upper()) if match else None
    if number is None:
        raise InputError(
            f"unknown element {symbol!r}: expected a symbol from H to {SYMBOLS[-1]}, "
            'with or without a charge, such as "Fe" or "Fe3+"'
        )
    return number
