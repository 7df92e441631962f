"""Probabilities of what says less than the space group: sums over the groups alike."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from xrdjax.symmetry.extinction import Classification, classification
from xrdjax.symmetry.space_groups import space_group


def _space_group_name(one: Classification) -> str:
    """Symbol of a group; both symbols of an enantiomorphic pair."""
    group = space_group(one.number)
    numbers = sorted({group.number, group.enantiomorph or group.number})
    return " or ".join(space_group(n).hermann_mauguin for n in numbers)


# What can be summed, from the finest to the coarsest.
KINDS: dict[str, Callable[[Classification], str]] = {
    "space_group": _space_group_name,
    "extinction_symbol": lambda c: f"{c.extinction_symbol} ({c.crystal_family})",
    "bravais_lattice": lambda c: c.bravais_lattice,
    "centring": lambda c: c.centring,
    "laue_class": lambda c: c.laue_class,
    "crystal_system": lambda c: c.crystal_system,
}
TITLES = {
    "space_group": "space group",
    "extinction_symbol": "extinction symbol",
    "bravais_lattice": "Bravais lattice",
    "centring": "centring",
    "laue_class": "Laue class",
    "crystal_system": "crystal system",
}

# Less than this is printed as 0.0 %.
_NOTHING = 5e-4


@dataclass(frozen=True)
class Sums:
    """Summed probabilities of the classes of one kind.

    Attributes:
        names: of the C classes that the groups fall into.
        rows: [K] class of each space group.
        probabilities: [n, C] of each class, for each pattern.
    """

    names: tuple[str, ...]
    rows: Int[np.ndarray, " K"]
    probabilities: Float[np.ndarray, "n C"]

    def most_probable(self, pattern: int, count: int) -> list[tuple[str, float]]:
        """Name and probability of the most probable classes of a pattern."""
        shares = self.probabilities[pattern]
        order = np.argsort(-shares, kind="stable")[:count]
        return [(self.names[i], float(shares[i])) for i in order]


def class_rows(
    kind: str, space_groups: Int[np.ndarray, " K"]
) -> tuple[tuple[str, ...], Int[np.ndarray, " K"]]:
    """Names of the classes that groups fall into, and the class [K] of each group.

    Args:
        kind: one of `KINDS`: "space_group" (the two groups of an enantiomorphic pair
            are one), "extinction_symbol", "bravais_lattice", "centring", "laue_class"
            or "crystal_system".
        space_groups: [K] numbers.
    """
    name = KINDS[kind]
    names = [name(classification(number)) for number in space_groups.tolist()]
    unique = tuple(dict.fromkeys(names))
    return unique, np.array([unique.index(n) for n in names], dtype=np.int64)


def sum_probabilities(
    probabilities: Float[np.ndarray, "n K"], space_groups: Int[np.ndarray, " K"]
) -> dict[str, Sums]:
    """Probabilities of extinction symbols, lattices, Laue classes and crystal systems.

    P(class) = sum of P(space group) over the groups of the class.

    Args:
        probabilities: [n, K] of each space group, for each pattern.
        space_groups: [K] number of each column's group.

    Returns:
        The sums by kind, in the order of `KINDS`.
    """
    sums = {}
    for kind in KINDS:
        names, rows = class_rows(kind, space_groups)
        members = np.eye(len(names), dtype=probabilities.dtype)[rows]
        sums[kind] = Sums(names, rows, probabilities @ members)
    return sums


def describe_sums(sums: dict[str, Sums], pattern: int = 0, count: int = 3) -> list[str]:
    """A line for each kind with the most probable classes of one pattern.

    The space group has a line only where the answer is one of an enantiomorphic pair,
    whose powder patterns are the same.
    """
    lines = []
    for kind, of_kind in sums.items():
        best = of_kind.most_probable(pattern, count)
        if kind == "space_group":
            best = [(name, p) for name, p in best[:1] if " or " in name]
        shown = [f"{name} {100 * p:.1f} %" for name, p in best if p >= _NOTHING]
        if shown:
            lines.append(f"{TITLES[kind]:<19}{', '.join(shown)}")
    return lines
