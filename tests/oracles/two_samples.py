"""Whether two samples of crystals come from one prior: a p-value for each of its steps.

Everything is reduced to one value per crystal (one of its sites or elements, picked
at random), because the sites of one crystal are not independent observations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from oracles.symmetry import LATTICE_SYSTEMS, lattice_system, positions
from scipy import stats

RARE = 20  # categories with fewer observations in both samples together are pooled
FEW = 100  # lattice systems with fewer crystals in either sample are left out


@dataclass(frozen=True)
class Sample:
    """Crystals as plain arrays.

    Attributes:
        space_groups: [n] numbers.
        sites: for each crystal the atomic number and Wyckoff letter of each site.
        coordinates: for each crystal [S, 3], what stands for x, y, z of each site.
        lattices: [n, 3, 3] rows a, b, c, angstrom.
    """

    space_groups: np.ndarray
    sites: list[tuple[tuple[int, str], ...]]
    coordinates: list[np.ndarray]
    lattices: np.ndarray


def p_values(
    one: dict[str, np.ndarray], other: dict[str, np.ndarray]
) -> dict[str, float]:
    """Probability, under a common prior, of samples at least as different, by feature.

    Args:
        one, other: `features` of the samples.
    """
    results = {}
    for name, values in one.items():
        test = _chi_square if values.dtype.kind in "US" else _kolmogorov_smirnov
        if min(len(values), len(other[name])) >= FEW:
            results[name] = test(values, other[name])
    return results


def least_p_value(p_values: dict[str, float]) -> tuple[float, str]:
    """The smallest of them, times their number (Bonferroni), and what it is of."""
    name = min(p_values, key=p_values.__getitem__)
    return p_values[name] * len(p_values), name


def features(sample: Sample, atomic_volumes: np.ndarray) -> dict[str, np.ndarray]:
    """One value per crystal for each step of the prior; strings are categories."""
    rng = np.random.default_rng(0)
    elements = [[z for z, _ in sites] for sites in sample.sites]
    picked_element = np.array([rng.choice(np.unique(zs)) for zs in elements])
    picked_site = [rng.integers(len(sites)) for sites in sample.sites]
    counts = np.array([len(np.unique(zs)) for zs in elements])
    numbers = np.array(
        [zs.count(z) for zs, z in zip(elements, picked_element, strict=True)]
    )
    letters = [sites[i][1] for sites, i in zip(sample.sites, picked_site, strict=True)]
    groups = sample.space_groups.astype(str)
    volumes = np.linalg.det(sample.lattices)
    own = np.array(
        [
            sum(atomic_volumes[z] * _multiplicity(group, letter) for z, letter in sites)
            for group, sites in zip(sample.space_groups, sample.sites, strict=True)
        ]
    )
    found = {
        "group": groups,
        "element": picked_element.astype(str),
        "element in its group": _joined(groups, picked_element),
        "number of elements": counts.astype(str),
        "number of elements in its group": _joined(groups, counts),
        "number of sites of an element": _joined(groups, numbers),
        "number of sites": np.array([len(zs) for zs in elements]).astype(str),
        "Wyckoff letter in its group": _joined(groups, letters),
        "volume": volumes,
        "volume of the atoms": own,
        "packing factor": volumes / own,
        "packing factor with the atoms' volume": _within_groups(groups, volumes / own)
        * _within_groups(groups, np.log(own)),
    }
    found |= _shapes(sample, volumes)
    for axis, name in enumerate("xyz"):
        found[f"free coordinate {name}"] = np.array(
            [
                coordinates[i, axis]
                for group, sites, coordinates, i in zip(
                    sample.space_groups,
                    sample.sites,
                    sample.coordinates,
                    picked_site,
                    strict=True,
                )
                if _position(group, sites[i][1]).free[axis]
            ]
        )
    return found


def _within_groups(groups: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Deviation from the median of the crystals of the same group."""
    _, rows = np.unique(groups, return_inverse=True)
    medians = [np.median(values[rows == row]) for row in range(rows.max() + 1)]
    return values - np.array(medians)[rows]


def _shapes(sample: Sample, volumes: np.ndarray) -> dict[str, np.ndarray]:
    """Free cell parameters of each lattice system, lengths over V^(1/3)."""
    lengths = np.linalg.norm(sample.lattices, axis=2)
    a, b, c = (sample.lattices / lengths[:, :, None]).transpose(1, 0, 2)
    cosines = [np.sum(u * v, axis=1) for u, v in ((b, c), (a, c), (a, b))]
    parameters = dict(zip("abc", lengths.T / np.cbrt(volumes), strict=True))
    parameters |= dict(zip(("alpha", "beta", "gamma"), np.arccos(cosines), strict=True))
    free = {
        "triclinic": ("a", "b", "c", "alpha", "beta", "gamma"),
        "monoclinic": ("a", "b", "c", "beta"),
        "orthorhombic": ("a", "b", "c"),
        "tetragonal": ("c",),
        "rhombohedral": ("c",),
        "hexagonal": ("c",),
        "cubic": (),
    }
    systems = np.array([lattice_system(group) for group in sample.space_groups])
    return {
        f"{name} of {system} cells": parameters[name][systems == system]
        for system in LATTICE_SYSTEMS
        for name in free[system]
    }


def _chi_square(first: np.ndarray, second: np.ndarray) -> float:
    """Test of homogeneity of two samples of categories, rare ones pooled."""
    _, inverse = np.unique(np.concatenate([first, second]), return_inverse=True)
    table = np.stack(
        [
            np.bincount(inverse[: len(first)], minlength=inverse.max() + 1),
            np.bincount(inverse[len(first) :], minlength=inverse.max() + 1),
        ]
    )
    rare = table.sum(axis=0) < RARE
    pooled = table[:, rare].sum(axis=1, keepdims=True)
    table = np.concatenate([table[:, ~rare], pooled], axis=1)
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:
        return 1.0
    return float(stats.chi2_contingency(table, correction=False).pvalue)


def _kolmogorov_smirnov(first: np.ndarray, second: np.ndarray) -> float:
    return float(stats.ks_2samp(first, second, method="asymp").pvalue)


def _joined(groups: np.ndarray, values) -> np.ndarray:
    return np.array(
        [f"{group} {value}" for group, value in zip(groups, values, strict=True)]
    )


def _position(space_group: int, letter: str):
    return next(p for p in positions(int(space_group)) if p.letter == letter)


def _multiplicity(space_group: int, letter: str) -> int:
    return _position(space_group, letter).multiplicity
