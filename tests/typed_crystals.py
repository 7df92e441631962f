"""Crystals typed from textbooks with their structure types, and other ways to write them."""

import itertools

import numpy as np

from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.crystal import Structure, expand_sites


def crystal(name, number, cell, sites, **options):
    """A crystal in the reference setting; sites are (symbol, position)."""
    symbols, positions = zip(*sites, strict=True)
    return structure_from_sites(name, number, cell, symbols, positions, **options)


def cubic(a):
    """Edges and angles of a cubic cell."""
    return (a, a, a, 90, 90, 90)


def hexagonal(a, c):
    """Edges and angles of a hexagonal cell."""
    return (a, a, c, 90, 90, 120)


# Crystals, and the structure type that follows from the multiplicities of their sites
# in International Tables A.
KNOWN = [
    (
        crystal("copper", 225, cubic(3.61), [("Cu", (0, 0, 0))]),
        "225 A 4",
    ),
    (
        crystal(
            "halite", 225, cubic(5.64), [("Na", (0, 0, 0)), ("Cl", (0.5, 0.5, 0.5))]
        ),
        "225 AB 4 4",
    ),
    (
        crystal("fluorite", 225, cubic(5.46), [("F", (0.25,) * 3), ("Ca", (0, 0, 0))]),
        "225 AB2 4 8",
    ),
    (
        crystal("diamond", 227, cubic(3.567), [("C", (0.125,) * 3)]),
        "227 A 8",
    ),
    (
        crystal(
            "spinel",
            227,
            cubic(8.083),
            [("Mg", (0.125,) * 3), ("Al", (0.5,) * 3), ("O", (0.2624,) * 3)],
        ),
        "227 AB2C4 8 16 32",
    ),
    (
        crystal(
            "perovskite",
            221,
            cubic(3.905),
            [("Sr", (0, 0, 0)), ("Ti", (0.5,) * 3), ("O", (0.5, 0.5, 0))],
        ),
        "221 ABC3 1 1 3",
    ),
    (
        crystal(
            "rutile",
            136,
            (4.594, 4.594, 2.959, 90, 90, 90),
            [("Ti", (0, 0, 0)), ("O", (0.305, 0.305, 0))],
        ),
        "136 AB2 2 4",
    ),
    (
        crystal(
            "anatase",
            141,
            (3.785, 3.785, 9.514, 90, 90, 90),
            [("Ti", (0, 0.75, 0.125)), ("O", (0, 0.25, 0.0834))],
        ),
        "141 AB2 4 8",
    ),
    (
        crystal(
            "wurtzite",
            186,
            hexagonal(3.25, 5.207),
            [("Zn", (1 / 3, 2 / 3, 0)), ("O", (1 / 3, 2 / 3, 0.382))],
        ),
        "186 AB 2 2",
    ),
    (
        crystal(
            "corundum",
            167,
            hexagonal(4.759, 12.993),
            [("Al", (0, 0, 0.3522)), ("O", (0.3063, 0, 0.25))],
        ),
        "167 A2B3 12 18",
    ),
    (
        crystal(
            "quartz",
            154,
            hexagonal(4.913, 5.405),
            [("Si", (0.4697, 0, 2 / 3)), ("O", (0.4135, 0.2669, 0.7858))],
        ),
        "152 AB2 3 6",  # 154 is the mirror image of 152
    ),
    (
        crystal(
            "baddeleyite",
            14,
            (5.169, 5.232, 5.341, 90, 99.25, 90),
            [
                ("Zr", (0.2758, 0.0411, 0.2082)),
                ("O", (0.0703, 0.3359, 0.3406)),
                ("O", (0.4423, 0.7549, 0.4789)),
            ],
        ),
        "14 AB2 4 4+4",
    ),
    (
        crystal(
            "aragonite",
            62,
            (5.741, 4.961, 7.967, 90, 90, 90),
            [
                ("Ca", (0.7597, 0.25, 0.4150)),
                ("C", (0.9138, 0.25, 0.7622)),
                ("O", (0.9225, 0.25, 0.9222)),
                ("O", (0.9126, 0.4736, 0.6807)),
            ],
        ),
        "62 ABC3 4 4 4+8",
    ),
    (
        crystal(
            "kyanite, shortened",
            2,
            (7.126, 7.852, 5.572, 89.99, 101.11, 106.03),
            [("Al", (0.325, 0.704, 0.458)), ("O", (0.109, 0.147, 0.129))],
        ),
        "2 AB 2 2",
    ),
]


def unimodular(rng):
    """A random change of basis [3, 3] with determinant 1 and small entries."""
    matrix = np.eye(3, dtype=int)
    for _ in range(3):
        i, j = rng.permutation(3)[:2]
        matrix[i] += rng.integers(-1, 2) * matrix[j]
    return matrix[:, [1, 2, 0]]


def rewritten(structure, basis, origin):
    """The same crystal as a list of atoms without symmetry, on another cell.

    a'_i = sum_j basis_ij a_j, x' = (x - origin) basis^-1; a basis of determinant n
    gives a cell n times as large.
    """
    positions, sites = expand_sites(structure)
    size = round(abs(np.linalg.det(basis)))
    steps = np.array(list(itertools.product(range(-size, size + 1), repeat=3)))
    images = (positions[:, None] + steps[None] - origin) @ np.linalg.inv(basis)
    images = np.mod(np.round(np.mod(images, 1.0), 9), 1.0)
    atoms, owners = [], []
    for site, cell in zip(sites, images, strict=True):
        distinct = np.unique(cell, axis=0)
        assert len(distinct) == size
        atoms.append(distinct)
        owners += [site] * size
    return Structure(
        name=structure.name,
        lattice=basis @ structure.lattice,
        positions=np.concatenate(atoms),
        elements=structure.elements[owners],
        occupancies=structure.occupancies[owners],
        b_iso=structure.b_iso[owners],
        rotations=np.eye(3, dtype=int)[None],
        translations=np.zeros((1, 3)),
    )


def contents(structure):
    """Electrons of each element in a cubic angstrom."""
    _, sites = expand_sites(structure)
    electrons = (structure.elements * structure.occupancies)[sites]
    return np.bincount(structure.elements[sites], electrons, 99) / structure.volume
