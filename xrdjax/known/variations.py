"""Variations of known crystals within their space groups: other cells, other elements.

Known crystals are few, and a network that sees them again and again memorises them.
Shifting the peaks is the usual remedy (Oviedo et al., npj Comput. Mater. 5 (2019) 60);
here the lattice is strained, as far as its group allows, so that the peaks shift
together as those of a crystal do, and elements are exchanged for others.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from xrdjax.crystals.elements import SYMBOLS
from xrdjax.crystals.lattices import symmetric_lattice
from xrdjax.symmetry.space_groups import Symmetry


@dataclass(frozen=True)
class Variation:
    """How much a known crystal varies from draw to draw; hashable, static under jit.

    Attributes:
        strain: standard deviation of a diagonal component of the strain tensor, before
            its mean over the group is taken.
        exchange: probability that the elements of a crystal are exchanged.
    """

    strain: float = 0.0
    exchange: float = 0.0


AS_KNOWN = Variation()


def strained_lattice(
    key: Key[Array, ""],
    lattice: Float[Array, "3 3"],
    symmetry: Symmetry,
    strain: float,
) -> Float[Array, "3 3"]:
    """A lattice deformed at random, still invariant under the group, with a along x.

    Args:
        key: random key.
        lattice: [3, 3] rows a, b, c, angstrom.
        symmetry: of the crystal.
        strain: standard deviation, as in `Variation`.
    """
    components = strain * jax.random.normal(key, (3, 3))
    tensor = (components + components.T) / 2
    # a sum, as a matrix product is of low precision on accelerators
    deformed = lattice + jnp.sum(lattice[:, :, None] * tensor[None], axis=1)
    return symmetric_lattice(deformed, symmetry.rotations, symmetry.order)


def exchanged_elements(
    key: Key[Array, ""],
    numbers: Int[Array | np.ndarray, " E"],
    probability: Float[Array, ""] | float,
) -> Int[Array, " Z"]:
    """The element that replaces each: one of the given ones, and no two the same.

    Different elements stay different, so the crystal keeps its space group.

    Args:
        key: random key.
        numbers: [E] atomic numbers that are exchanged for one another.
        probability: that any exchange takes place.

    Returns:
        [Z] the new atomic number in the row of the old one.
    """
    order_key, whether_key = jax.random.split(key)
    kept = jnp.arange(len(SYMBOLS))
    exchanged = kept.at[numbers].set(jax.random.permutation(order_key, numbers))
    return jnp.where(jax.random.bernoulli(whether_key, probability), exchanged, kept)
