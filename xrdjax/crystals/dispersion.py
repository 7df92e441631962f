"""Anomalous dispersion: how bound electrons change an atom's scattering factor."""

import functools

import gemmi
import numpy as np
from jaxtyping import Float

from xrdjax.crystals.elements import SYMBOLS


@functools.lru_cache(maxsize=16)
def anomalous_scattering(wavelength: float) -> Float[np.ndarray, "Z 2"]:
    """f' and f'' of each element, f = f0 + f' + i f'', electrons.

    Cromer and Liberman, J. Chem. Phys. 53 (1970) 1891, as programmed by Brennan and
    Cowan, Rev. Sci. Instrum. 63 (1992) 850, with the correction of Kissel and Pratt, Acta
    Cryst. A46 (1990) 170: gemmi's `cromer_liberman`. Atoms count as isolated, so
    that the values are rough within some 20 eV of an absorption edge. The program has
    elements 3 to 92; the others have zeros.

    Args:
        wavelength: angstrom.

    Returns:
        [Z, 2] with row 0 for padding, not to be changed.
    """
    energy = gemmi.hc / wavelength  # eV
    rows = [gemmi.cromer_liberman(z, energy) for z in range(1, len(SYMBOLS))]
    table = np.array([(0.0, 0.0), *rows], np.float32)
    table.flags.writeable = False
    return table
