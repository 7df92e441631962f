"""Symmetric strains keep a lattice's system, and there are as many as it has freedoms."""

import numpy as np
from laws import for_each

from xrdjax.crystals.lattices import metric_tensor
from xrdjax.crystals.strains import symmetric_strains
from xrdjax.crystals.textbook import gallery


@for_each(
    ("name", "free"),
    [
        ("halite", 1),
        ("corundum", 2),
        ("quartz", 2),
        ("rutile", 2),
        ("forsterite", 3),
        ("gypsum", 4),
        ("albite", 6),
    ],
)
def test_every_operation_keeps_the_metric_of_a_strained_lattice(name, free):
    structure = gallery(name)
    strains = symmetric_strains(structure.lattice, structure.rotations)
    assert strains.shape == (free, 3, 3)
    np.testing.assert_allclose(
        np.einsum("aij,bij->ab", strains, strains), np.eye(free), atol=1e-9
    )
    for strain in strains:
        metric = metric_tensor(structure.lattice @ (np.eye(3) + 0.01 * strain))
        for rotation in structure.rotations:
            turned = rotation.T @ metric @ rotation
            np.testing.assert_allclose(turned, metric, atol=1e-4)
