"""Time per crystal as a function of cell volume and number of sites."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.throughput.stages import SEED, Bench, simulate_sites
from experiments.throughput.stopwatch import time_runs
from xrdjax.crystals.asymmetric_unit import lattice_from_cell
from xrdjax.prior.sites import Sites
from xrdjax.symmetry.space_groups import space_group
from xrdjax.symmetry.wyckoff import wyckoff_positions

# A triclinic and an orthorhombic group, with cells of edges 5 : 6 : 7.
CELLS = {2: (5, 6, 7, 80, 95, 105), 62: (5, 6, 7, 90, 90, 90)}
VOLUMES = (500, 1000, 2000, 4000, 7000)  # cubic angstrom
SITES = (1, 3, 10, 30, 100)
# The value of each quantity while the other grows.
FIXED_SITES, FIXED_VOLUME = 20, 2000
_ELEMENTS = (8, 14, 26)


def general_sites(
    number: int, count: int, volume: float, copies: int, max_sites: int
) -> Sites:
    """Crystals of equal cost: atoms at random on the general position of a group.

    Args:
        number: of the space group, a key of CELLS.
        count: occupied sites.
        volume: of the cell, cubic angstrom.
        copies: crystals C, which differ in their coordinates only.
        max_sites: sites S they are padded to.

    Returns:
        Sites with a leading axis C.
    """
    cell = lattice_from_cell(CELLS[number])
    lattice = cell * np.cbrt(volume / np.linalg.det(cell))
    elements = np.resize(_ELEMENTS, max_sites)
    elements[count:] = 0
    general = len(wyckoff_positions(number)) - 1
    rng = np.random.default_rng(number)
    one = Sites(
        group_row=np.int32(0),
        space_group=np.int32(number),
        lattice=lattice.astype(np.float32),
        elements=elements.astype(np.int32),
        letters=np.full(max_sites, general, np.int32),
        coordinates=np.zeros((max_sites, 3), np.float32),
    )
    crystals = jax.tree.map(lambda x: np.stack([x] * copies), one)
    random = rng.random((copies, max_sites, 3), np.float32)
    return jax.tree.map(jnp.asarray, crystals.replace(coordinates=random))


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Exponent p of y ~ x^p, by least squares of the logarithms."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def _curve(
    number: int, against: str, x: Sequence[int], ms_each: list[float]
) -> dict[str, Any]:
    return {
        "group": number,
        "symbol": space_group(number).hermann_mauguin,
        "against": against,
        "x": list(x),
        "ms_each": ms_each,
        "slope": slope(x, ms_each),
        "last_slope": slope(x[-3:], ms_each[-3:]),
    }


def time_scaling(
    bench: Bench, volumes: Sequence[int] = VOLUMES, counts: Sequence[int] = SITES
) -> list[dict[str, Any]]:
    """Curves of milliseconds per crystal, from occupied sites to the pattern.

    A chunk holds crystals of equal cost, so that none waits for another. The exponent
    is given for the whole curve and for its last three points, where the constant cost
    of a crystal (the profile) matters less.
    """
    source = bench.source()
    chunk = source.capacity.chunk_of(256)
    simulate = jax.jit(simulate_sites)
    key = jax.random.key(SEED)

    def milliseconds(number: int, count: int, volume: float) -> float:
        sites = general_sites(number, count, volume, chunk, source.limits.max_sites)
        timing = time_runs(simulate, [(key, sites, source)], bench.repeats)
        return 1000 * timing.median_s / chunk

    curves = []
    for number in CELLS:
        by_volume = [milliseconds(number, FIXED_SITES, v) for v in volumes]
        by_sites = [milliseconds(number, n, FIXED_VOLUME) for n in counts]
        curves.append(_curve(number, "volume", volumes, by_volume))
        curves.append(_curve(number, "sites", counts, by_sites))
    return curves
