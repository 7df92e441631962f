"""Families of reflections have the indices that crystallographers write."""

import jax
import numpy as np
from laws import in_every_group

from xrdjax.crystals.crystal import to_crystal
from xrdjax.crystals.textbook import gallery
from xrdjax.diffraction.indices import conventional_indices, equivalent_reflections
from xrdjax.diffraction.line_table import lines_table
from xrdjax.diffraction.powder import powder_lines
from xrdjax.symmetry.space_groups import symmetry

MILLER = np.random.default_rng(0).integers(-9, 10, (40, 3)).astype(np.int32)
CONVENTIONAL = jax.jit(conventional_indices)


@in_every_group
def test_all_reflections_of_a_family_get_the_same_indices_of_the_family(group):
    rotations = group.rotations.astype(np.int32)
    usual = np.asarray(CONVENTIONAL(MILLER, symmetry(group.number)))
    family = np.concatenate([MILLER @ rotations, -MILLER @ rotations])  # [2 G, n, 3]
    assert (family == usual).all(axis=2).any(axis=0).all()
    negatives = (family < 0).sum(axis=2)
    np.testing.assert_array_equal((usual < 0).sum(axis=1), negatives.min(axis=0))
    for image in family[:: max(1, len(family) // 3)]:
        np.testing.assert_array_equal(
            CONVENTIONAL(image, symmetry(group.number)), usual
        )


# As in the Powder Diffraction File, by angle.
USUAL = {
    "quartz": "100 011 101 110 012 102 111 200",
    "calcite": "012 104 006 110 113 202 024 018 116",
    "halite": "111 200 220 311 222 400",
    "rutile": "110 101 200 111 210 211 220 002 310",
    "baddeleyite": "100 011 110 -111 111 020 002",
}


def test_the_lines_of_textbook_crystals_have_their_textbook_indices():
    for name, indices in USUAL.items():
        rows = lines_table(powder_lines(to_crystal(gallery(name))))
        found = ["{h:.0f}{k:.0f}{l:.0f}".format(**row) for row in rows]
        expected = indices.split()
        assert sorted(found[: len(expected)]) == sorted(expected), name


def test_a_family_has_as_many_members_as_its_multiplicity():
    for name in USUAL:
        crystal = to_crystal(gallery(name))
        lines = powder_lines(crystal)
        for i in np.flatnonzero(lines.multiplicity)[:12].tolist():
            miller = tuple(np.asarray(lines.miller[i]).tolist())
            members = equivalent_reflections(crystal, miller)
            assert len(members) == lines.multiplicity[i]
            assert tuple(members[0]) == miller
    quartz = equivalent_reflections(to_crystal(gallery("quartz")), (2, -1, 0))
    assert quartz.tolist()[0] == [1, 1, 0]
