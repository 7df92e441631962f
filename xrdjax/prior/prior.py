"""The tables and limits with which random crystals are sampled."""

import dataclasses

import numpy as np
from flax import struct
from jaxtyping import Array, Float

from xrdjax.crystals.elements import ATOMIC_VOLUMES
from xrdjax.prior.check_table import CheckTable, check_table
from xrdjax.prior.file import load_statistics
from xrdjax.prior.tables import Statistics
from xrdjax.symmetry.space_groups import Symmetry, symmetry_table
from xrdjax.symmetry.wyckoff import WyckoffTable, wyckoff_table

# Crystals of a group are laid out in rows of this length; see `draws`.
_ROW = 64


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of a random crystal; hashable, so static under jit.

    Attributes:
        max_volume: of the conventional cell, cubic angstrom.
        max_sites: occupied Wyckoff positions S.
        max_atoms: atoms of the primitive cell N.
        max_tries: draws for one crystal before it is abandoned.
        min_distance: between two atoms, in units of the sum of their covalent radii;
            draws with closer ones are repeated. 0 allows any, as in the paper.
        placements: candidates for the free coordinates of each site, of which it takes
            the one farthest from other atoms (`placement.place_apart`). 1 takes what is
            sampled, as in the paper.
    """

    max_volume: float = 7000.0
    max_sites: int = 100
    max_atoms: int = 1024
    max_tries: int = 200
    min_distance: float = 0.0
    placements: int = 1


DEFAULT_LIMITS = Limits()


@struct.dataclass
class Prior:
    """All tables that sampling looks up, passed to compiled functions as an argument.

    Attributes:
        statistics: of known crystals.
        volumes: [K, R, C] sum of atomic volumes of each group's crystals in rows;
            infinite on padding.
        packing: [K, R, C] their packing factors.
        atomic_volumes: [Z + 1] cubic angstrom.
        wyckoff: Wyckoff positions of all groups.
        symmetry: operations of all groups.
        check: reflections and cosets of the symmetry check.
    """

    statistics: Statistics
    volumes: Float[Array | np.ndarray, "K R C"]
    packing: Float[Array | np.ndarray, "K R C"]
    atomic_volumes: Float[Array | np.ndarray, " Z"]
    wyckoff: WyckoffTable
    symmetry: Symmetry
    check: CheckTable


def make_prior(statistics: Statistics | None = None) -> Prior:
    """Arranges statistics for sampling; do it once, outside compiled functions.

    Args:
        statistics: from `load_statistics`; None means the bundled ones.

    Returns:
        Prior with NumPy leaves.
    """
    statistics = load_statistics() if statistics is None else statistics
    rows = np.asarray(statistics.group_ranges)
    width = -(-int(np.max(rows[:, 1] - rows[:, 0])) // _ROW) * _ROW
    volumes = np.full((len(rows), width), np.inf, np.float32)
    packing = np.ones((len(rows), width), np.float32)
    for k, (first, last) in enumerate(rows):
        volumes[k, : last - first] = statistics.atomic_volumes[first:last]
        packing[k, : last - first] = statistics.packing_factors[first:last]
    return Prior(
        statistics=statistics,
        volumes=volumes.reshape(len(rows), -1, _ROW),
        packing=packing.reshape(len(rows), -1, _ROW),
        atomic_volumes=ATOMIC_VOLUMES.astype(np.float32),
        wyckoff=wyckoff_table(),
        symmetry=symmetry_table(),
        check=check_table(),
    )
