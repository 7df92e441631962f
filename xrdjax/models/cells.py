"""The unit cell as the second output of a network, and its loss.

For each Bravais lattice L a network gives the cell that the crystal would have if that
were its lattice, as

    (ln a/l, ln b/l, ln c/l, alpha - 90 degrees, beta - 90 degrees, gamma - 90 degrees)

with l = 7 angstrom, of the cell that `crystals.standard_cell` makes unique. Only what
the lattice leaves free is read and learned; only the true lattice has a loss. So the
first output decides between lattices, angles that symmetry fixes are exact, and a
pattern that two lattices explain does not get a cell between both.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from xrdjax.crystals.standard_cell import (
    ANGLES,
    BRAVAIS_LATTICES,
    FREE,
    TIES,
    bravais_rows,
    standard_cell,
)

LATTICES = len(BRAVAIS_LATTICES)
PARAMETERS = 6
# About the mean length of the axes of known crystals, angstrom.
_LENGTH = 7.0
_RIGHT_ANGLE = np.float32(np.pi / 2)
# Errors below this, in logarithms and radians, count by their square.
_SMALL = 0.01
# Stands for a cell that is not known.
_ANY_CELL = np.array([_LENGTH] * 3 + [np.pi / 2] * 3, np.float32)
# Limits of what is read, so that every answer is a cell.
_LONGEST_LOG, _WIDEST = 4.0, np.float32(np.deg2rad(60))


def encode_cell(cell: Float[Array, "6"]) -> Float[Array, "6"]:
    """What a network is to answer for a standard cell (angstrom, radians)."""
    return jnp.concatenate([jnp.log(cell[:3] / _LENGTH), cell[3:] - _RIGHT_ANGLE])


def decode_cells(outputs: Float[np.ndarray, "n L 6"]) -> Float[np.ndarray, "n L 6"]:
    """The cells that a network answers, one for each Bravais lattice.

    Args:
        outputs: [n, L, 6] of the network.

    Returns:
        [n, L, 6] a, b, c (angstrom), alpha, beta, gamma (degrees) that obey the
        symmetry of each of BRAVAIS_LATTICES.
    """
    logs = np.clip(outputs[..., :3], -_LONGEST_LOG, _LONGEST_LOG)
    lengths = _LENGTH * np.exp(np.take_along_axis(logs, TIES[None], axis=-1))
    free = 90 + np.rad2deg(np.clip(outputs[..., 3:], -_WIDEST, _WIDEST))
    angles = np.where(FREE[:, 3:], free, ANGLES)
    return np.concatenate([lengths, angles], axis=-1).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class CellLoss:
    """The loss of the second output; hashable, static under jit.

    Attributes:
        weight: of this loss beside that of the classes.
        space_groups: number of each class's space group.
    """

    weight: float
    space_groups: tuple[int, ...]

    def __call__(
        self,
        outputs: Float[Array, "B L 6"],
        unit_cells: Float[Array, "B 6"],
        group_rows: Int[Array, " B"],
        known: Bool[Array, " B"] | None = None,
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Mean loss of the crystals whose cells are known, and error of their lengths.

        sum of sqrt(x^2 + d^2) - d over the errors x of free parameters / their number,
        d = 0.01

        Args:
            outputs: [B, L, 6] of the network.
            unit_cells: [B, 6] a, b, c (angstrom), alpha, beta, gamma (radians) in the
                reference settings.
            group_rows: [B] row of each space group among the classes.
            known: [B] whether crystal, cell and group belong together; by default all.

        Returns:
            The loss, not weighted, and the mean of |a'/a - 1| over the lengths, with
            the Bravais lattice given. A cell that is not finite has no part in either.
        """
        numbers = jnp.asarray(self.space_groups)[group_rows]
        bravais = jnp.asarray(bravais_rows())[numbers]
        usable = jnp.all(jnp.isfinite(unit_cells), axis=1)
        usable &= jnp.all(unit_cells > 0, axis=1)
        if known is not None:
            usable &= known
        cells = jnp.where(usable[:, None], unit_cells, _ANY_CELL[None])
        wanted = jax.vmap(lambda *one: encode_cell(standard_cell(*one)))(cells, numbers)
        found = jnp.take_along_axis(outputs, bravais[:, None, None], axis=1)[:, 0]
        free = jnp.asarray(FREE)[bravais] & usable[:, None]
        errors = jnp.where(free, found - wanted, 0.0)
        each = jnp.sqrt(errors**2 + _SMALL**2) - _SMALL
        share = 1 / jnp.maximum(jnp.sum(free, axis=1), 1).astype(jnp.float32)
        count = jnp.maximum(jnp.sum(usable), 1).astype(jnp.float32)
        lengths = jnp.abs(jnp.expm1(errors[:, :3]))
        lengths = jnp.take_along_axis(lengths, jnp.asarray(TIES)[bravais], axis=1)
        return (
            jnp.sum(jnp.sum(each, axis=1) * share) / count,
            jnp.sum(lengths) / (3 * count),
        )
