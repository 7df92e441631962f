"""How far the traits of known and of synthetic crystals differ, as lines of text."""

import numpy as np
from jaxtyping import Float

from experiments.compare_prior.traits import (
    Traits,
    element_shares,
    group_shares,
    pair_shares,
    system_shares,
)

_QUANTITIES = {
    "number of elements": lambda traits: traits.elements.sum(axis=1),
    "sites in the asymmetric unit": lambda traits: traits.sites,
    "atoms in the primitive cell": lambda traits: traits.primitive_atoms,
    "volume of the cell / A^3": lambda traits: traits.volumes,
    "packing factor": lambda traits: traits.packing_factors,
    "c / a, tetragonal": lambda traits: traits.ratios_of("tetragonal"),
    "c / a, hexagonal": lambda traits: traits.ratios_of("hexagonal"),
    "shortest distance / A": lambda traits: traits.distances,
}
_KINDS = {
    "space groups": group_shares,
    "crystal systems": system_shares,
    "elements": element_shares,
    "pairs of elements": pair_shares,
}


def largest_gap(
    first: Float[np.ndarray, " n"], second: Float[np.ndarray, " m"]
) -> float:
    """Kolmogorov-Smirnov distance max |F1(x) - F2(x)| of two samples."""
    points = np.concatenate([first, second])
    shares = [
        np.searchsorted(np.sort(sample), points, side="right") / len(sample)
        for sample in (first, second)
    ]
    return float(np.max(np.abs(shares[0] - shares[1])))


def _quantity_line(name: str, first: np.ndarray, second: np.ndarray) -> str:
    # two samples of one distribution differ by more than this in 5 % of cases
    level = 1.358 * np.sqrt(1 / len(first) + 1 / len(second))
    return (
        f"{name:32}{np.median(first):10.2f}{np.median(second):11.2f}"
        f"{largest_gap(first, second):10.3f}{level:12.3f}"
    )


def _kind_line(name: str, known: Traits, synthetic: Traits) -> str:
    first, second = map(_KINDS[name], (known, synthetic))
    pooled = (first + second) / 2
    # mean of |x| is sigma sqrt(2 / pi) for a normal x of mean zero
    sizes = 1 / len(known.sites) + 1 / len(synthetic.sites)
    chance = np.sqrt(2 / np.pi * sizes * pooled * (1 - pooled))
    kinds_each = max(pooled.sum(), np.finfo(float).tiny)
    differs, by_chance = (
        np.sum(gaps) / 2 / kinds_each for gaps in (np.abs(first - second), chance)
    )
    return f"{name:42}{differs:11.1%}{by_chance:12.1%}"


def table(known: Traits, synthetic: Traits) -> str:
    """Medians and Kolmogorov-Smirnov distances; for kinds, the share that differs.

    The share that differs is half the sum of |p - q|, divided by the mean number of
    kinds that a crystal has (one space group, but several elements); beside it stands
    what two samples of one distribution show.

    Args:
        known: traits of crystals from files.
        synthetic: traits of crystals from the prior.
    """
    lines = [f"{'median':32}{'known':>10}{'synthetic':>11}{'KS':>10}{'5 % level':>12}"]
    for name, quantity in _QUANTITIES.items():
        first, second = quantity(known), quantity(synthetic)
        if len(first) and len(second):
            lines.append(_quantity_line(name, first, second))
    lines += ["", f"{'share that differs':53}{'by chance':>12}"]
    lines += [_kind_line(name, known, synthetic) for name in _KINDS]
    return "\n".join(lines)
