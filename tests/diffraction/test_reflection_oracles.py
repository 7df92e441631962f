"""All reflections of all 230 groups, against gemmi's absences and sums without symmetry."""

import gemmi
import numpy as np
import pytest
from oracles import powder
from oracles.adapters import atoms_of, lines_of, structure_of
from oracles.prior import lattice_of_shape

from xrdjax.crystals.crystal import Structure

REFERENCE_SETTINGS = {
    entry.number: entry
    for entry in gemmi.spacegroup_table()
    if entry.is_reference_setting()
}
LEAST_DEG, MOST_DEG = powder.TWO_THETA_RANGE_DEG


def general_crystal(number: int, volume: float = 250.0) -> Structure:
    """One atom on the general position, its images apart, in an arbitrary cell."""
    rng = np.random.default_rng(number)
    entry = REFERENCE_SETTINGS[number]
    shape = np.array([5.13, 6.37, 7.71, 1.63, 1.81, 1.72])
    lattice = lattice_of_shape(conform(entry, shape), volume)
    operations = list(entry.operations())
    while True:
        structure = structure_of(
            entry.hm, lattice, rng.random((1, 3)), [26], operations
        )
        if len(atoms_of(structure, tolerance=0.1).positions) == len(operations):
            return structure


def conform(entry: gemmi.SpaceGroup, shape: np.ndarray) -> np.ndarray:
    """Cell parameters as the crystal system wants them, from those of any cell."""
    a, b, c, _, beta, _ = shape
    right = np.pi / 2
    return {
        "triclinic": shape,
        "monoclinic": np.array([a, b, c, right, beta, right]),
        "orthorhombic": np.array([a, b, c, right, right, right]),
        "tetragonal": np.array([a, a, c, right, right, right]),
        "trigonal": np.array([a, a, c, right, right, 2 * np.pi / 3]),
        "hexagonal": np.array([a, a, c, right, right, 2 * np.pi / 3]),
        "cubic": np.array([a, a, a, right, right, right]),
    }[entry.crystal_system_str()]


def allowed_reflections(structure: Structure, operations: gemmi.GroupOps) -> np.ndarray:
    """All Miller indices in range that are not absent by gemmi's reckoning.

    Those within 1e-3 degrees of an end of the range are left to rounding.
    """
    miller, _ = powder.reflections_in_range(
        structure.lattice, two_theta_range_deg=(LEAST_DEG + 1e-3, MOST_DEG - 1e-3)
    )
    return miller[~operations.systematic_absences(miller.astype(np.int32))]


def families(miller: np.ndarray, operations: gemmi.GroupOps) -> list[set]:
    """For each reflection all that the Laue class makes equal to it."""
    rotations = np.array([op.rot for op in operations.sym_ops]) // gemmi.Op.DEN
    images = np.einsum("hi,gij->hgj", miller, rotations)
    images = np.concatenate([images, -images], axis=1).tolist()
    return [set(map(tuple, family)) for family in images]


def check_reflections(structure: Structure, operations: gemmi.GroupOps) -> None:
    miller, _, lines = lines_of(structure)
    listed = families(miller, operations)
    name = structure.name
    assert lines.multiplicity.tolist() == [len(family) for family in listed], name
    union = set().union(*listed)
    assert len(union) == lines.multiplicity.sum(), f"{name}: a family is listed twice"
    assert not operations.systematic_absences(miller.astype(np.int32)).any(), name
    lost = set(map(tuple, allowed_reflections(structure, operations).tolist())) - union
    assert not lost, name
    assert lines.two_theta_deg.min() > LEAST_DEG - 1e-4
    assert lines.two_theta_deg.max() < MOST_DEG + 1e-4


def test_lines_are_all_reflections_but_the_systematic_absences_in_all_230_groups():
    for number, entry in REFERENCE_SETTINGS.items():
        check_reflections(general_crystal(number), entry.operations())


def test_intensities_are_those_of_a_sum_without_symmetry_in_all_230_groups():
    for number in REFERENCE_SETTINGS:
        structure = general_crystal(number)
        ours, plain = powder.side_by_side(
            lines_of(structure)[2], powder.powder_lines(atoms_of(structure))
        )
        np.testing.assert_allclose(
            ours.intensity,
            plain.intensity,
            rtol=0,
            atol=1e-4 * plain.intensity.max(),
            err_msg=f"space group {number}",
        )


def test_no_reflection_of_a_cell_of_7000_cubic_angstrom_is_lost():
    for number in (1, 2, 5, 15, 19, 62, 88, 146, 167, 194, 225, 230):
        structure = general_crystal(number, volume=7000.0)
        check_reflections(structure, REFERENCE_SETTINGS[number].operations())


@pytest.mark.parametrize("number", [1, 2])
def test_no_reflection_of_a_skewed_triclinic_cell_is_lost(number):
    entry = REFERENCE_SETTINGS[number]
    for angles_deg in (
        (40, 50, 60),
        (118, 117, 119),
        (35, 140, 120),
        (90, 155, 90),
        (62, 61, 120),
    ):
        shape = np.array([4.1, 9.3, 13.7, *np.radians(angles_deg)])
        for volume in (150.0, 6900.0):
            structure = structure_of(
                entry.hm,
                lattice_of_shape(shape, volume),
                np.random.default_rng(number).random((2, 3)),
                [26, 8],
                entry.operations(),
            )
            check_reflections(structure, entry.operations())
