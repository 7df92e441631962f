"""Estimates for groups with few crystals, which borrow from their relatives.

Down the levels of `relatives`, from all groups to the group itself, the estimate p of
each level is its own shares q and the estimate of the level above, weighted by the
number n of crystals it counts:

    p_level = (n q_level + k p_above) / (n + k)

This is the posterior mean of shares whose Dirichlet prior is worth k crystals of the
level above (MacKay and Peto, Nat. Lang. Eng. 1 (1995) 289). In what others borrow, no
group counts as more than k crystals, so that no common group outweighs the rest.

Letters of different groups are not comparable, kinds of positions are (see
`kinds_of_positions`). In a family, each kind has a strength, and the probability that a
site occupies a position is proportional to the strength of its kind: Luce's choice,
fitted by the iteration of Hunter, Ann. Stat. 32 (2004) 384.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from xrdjax.prior.counted import Columns, CountedCrystal, by_size, count_traits
from xrdjax.prior.relatives import kinds_of_positions, relatives


@dataclass(frozen=True)
class BackingOff:
    """How the statistics of groups with few crystals are estimated.

    Attributes:
        borrowed: k, the number of crystals that the level above is worth. 40 is close
            to the value that makes held-out structure types most likely (20 for
            Wyckoff positions, 80 for elements).
        floor: a group with fewer crystals is as frequent as if it had this many.
    """

    borrowed: int = 40
    floor: float = 10.0


def level_weights(
    crystals: Float[np.ndarray, " L"], borrowed: float
) -> Float[np.ndarray, " L"]:
    """Weight of each level's own shares in the estimate; they add up to one.

    n_1 / (n_1 + k), then of what remains n_2 / (n_2 + k), and so on; the last level
    has all that remains.

    Args:
        crystals: [L] n of the group itself, of its closest relatives, ..., of all.
        borrowed: k.
    """
    own = crystals / (crystals + borrowed)
    own[-1] = 1.0
    return own * np.cumprod(np.r_[1.0, 1.0 - own[:-1]])


@dataclass(frozen=True)
class Lent:
    """What each group lends to others; row n - 1 belongs to group n.

    Attributes:
        crystals: [230] number of crystals that the group counts as, k at most.
        counts: tables [230, C] of elements, sites and letters of that many crystals,
            by the name of the field of `Statistics`.
        kernels: that many of the group's crystals, by its number.
    """

    crystals: Float[np.ndarray, " 230"]
    counts: Mapping[str, Float[np.ndarray, "230 C"]]
    kernels: Mapping[int, Sequence[CountedCrystal]]


def _spread(crystals: Sequence[CountedCrystal], count: int) -> list[CountedCrystal]:
    """Picks `count` crystals, evenly spaced in their order."""
    index = (np.arange(count) + 0.5) * len(crystals) / max(count, 1)
    return [crystals[i] for i in index.astype(int)]


def lend(
    groups: Mapping[int, Sequence[CountedCrystal]], columns: Columns, most: int
) -> Lent:
    """What each group lends.

    Args:
        groups: crystals of each group by its number, in the order of `by_size`.
        columns: of the counts.
        most: k, the largest number of crystals that a group lends.
    """
    crystals = np.zeros(230)
    counts = {
        name: np.zeros((230, len(empty)))
        for name, empty in count_traits([], columns).items()
    }
    for number, members in groups.items():
        crystals[number - 1] = min(len(members), most)
        share = crystals[number - 1] / len(members)
        for name, found in count_traits(members, columns).items():
            counts[name][number - 1] = share * found
    kernels = {n: _spread(c, min(len(c), most)) for n, c in groups.items()}
    return Lent(crystals, counts, kernels)


def strengths(
    sites: Float[np.ndarray, "F K"],
    positions: Float[np.ndarray, "F K"],
    iterations: int = 10,
) -> Float[np.ndarray, " K"]:
    """Strength of each kind of position in a family of F groups.

    s_k = N_k / sum_f (N_f c_fk / sum_j c_fj s_j), N sites and c positions.

    Args:
        sites: [F, K] of each group on positions of each kind.
        positions: [F, K] of each kind that each group has.
        iterations: beyond ten, the likelihood of held-out crystals does not change.

    Returns:
        [K]; nan for a kind that no group with sites has.
    """
    per_group, per_kind = sites.sum(axis=1), sites.sum(axis=0)
    found = np.ones(sites.shape[1])
    for _ in range(iterations):
        # a kind without sites keeps a little weight, in case a group has no other
        totals = positions @ np.maximum(found, 1e-9)
        chances = (per_group / totals) @ positions
        found = np.divide(per_kind, chances, np.zeros_like(found), where=chances > 0)
    return np.where(chances > 0, found, np.nan)


def _by_kind(letters: Float[np.ndarray, "230 W"]) -> Float[np.ndarray, "230 K"]:
    """Sums over the letters of each kind."""
    kinds = kinds_of_positions()
    columns = [
        np.sum(np.where(kinds == kind, letters, 0.0), axis=1)
        for kind in range(np.max(kinds) + 1)
    ]
    return np.stack(columns, axis=1)


def _letter_shares(
    lent: Lent, members: Bool[np.ndarray, " 230"], number: int, above: np.ndarray
) -> Float[np.ndarray, " W"]:
    """Shares of a group's letters by the strengths of their kinds in a family.

    Args:
        lent: by all groups.
        members: groups of the family.
        number: of the group.
        above: [W] shares in the family above, used for kinds of positions that occur
            in no group of this family.
    """
    kinds = kinds_of_positions()
    positions = _by_kind(np.ones(kinds.shape))
    found = strengths(_by_kind(lent.counts["wyckoff"])[members], positions[members])
    own = kinds[number - 1]
    shares = np.where(own >= 0, found[own], 0.0)
    unknown = np.isnan(shares)
    shares = np.where(unknown, 0.0, shares)
    if not np.any(shares):
        return above
    known = (1 - np.sum(above[unknown])) * shares / np.sum(shares)
    return np.where(unknown, above, known)


@dataclass(frozen=True)
class Borrower:
    """A group with few crystals, and what it borrows.

    Attributes:
        number: of the group.
        crystals: its own, in the order of `by_size`.
        lent: by all groups.
        borrowed: k.
    """

    number: int
    crystals: Sequence[CountedCrystal]
    lent: Lent
    borrowed: int

    @property
    def families(self) -> Bool[np.ndarray, "L 230"]:
        """Which groups are its relatives at each level, itself included."""
        numbers = relatives()
        return numbers == numbers[:, self.number - 1 : self.number]

    @property
    def weights(self) -> Float[np.ndarray, " L1"]:
        """Weights [L + 1] of its own crystals and of each level's."""
        counted = [len(self.crystals), *(self.families @ self.lent.crystals)]
        return level_weights(np.array(counted, float), self.borrowed)


def estimate_shares(group: Borrower, columns: Columns) -> dict[str, np.ndarray]:
    """Rows of the group in the tables of shares, by name."""
    estimates = {}
    for name, counts in count_traits(group.crystals, columns).items():
        levels = [
            _normalised(np.sum(group.lent.counts[name][members], axis=0))
            for members in group.families
        ]
        if name == "wyckoff":
            levels = _letters_by_level(group)
        estimates[name] = group.weights @ np.stack([_normalised(counts), *levels])
    return estimates


def _normalised(counts: np.ndarray) -> np.ndarray:
    """Shares; zeros where nothing was counted, which then has no weight."""
    return counts / max(np.sum(counts), 1e-300)


def _letters_by_level(group: Borrower) -> list[Float[np.ndarray, " W"]]:
    """Shares of the group's letters at each level.

    Above the last level all letters have equal shares, so that none is impossible.
    """
    exists = kinds_of_positions()[group.number - 1] >= 0
    alike = above = exists / np.sum(exists)
    levels = []
    for members in group.families[::-1]:
        above = _letter_shares(group.lent, members, group.number, above)
        levels.append(above)
    own, rest = level_weights(
        np.array([np.sum(group.lent.crystals), 0.0]), group.borrowed
    )
    levels[0] = own * levels[0] + rest * alike
    return levels[::-1]


def choose_kernels(group: Borrower) -> list[CountedCrystal]:
    """The group's own crystals and k of its relatives, in the order of `by_size`.

    Equal weights for all then give its own crystals the weight n / (n + k), and those
    of each level its weight, to the nearest crystal.
    """
    weights = group.weights[1:] / np.sum(group.weights[1:])
    ends = np.round(group.borrowed * np.cumsum(weights)).astype(int)
    chosen = list(group.crystals)
    for members, count in zip(group.families, np.diff(ends, prepend=0), strict=True):
        numbers = (np.flatnonzero(members) + 1).tolist()
        pool = [c for n in numbers for c in group.lent.kernels.get(n, ())]
        if count:
            chosen += _spread(sorted(pool, key=by_size), int(count))
    return sorted(chosen, key=by_size)
