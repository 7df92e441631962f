"""The package's own types from and to plain arrays: the one place that knows both."""

import gemmi
import numpy as np
from oracles import powder

from xrdjax.crystals.crystal import Structure, to_crystal
from xrdjax.diffraction.powder import powder_lines


def structure_of(name, lattice, positions, elements, operations) -> Structure:
    """Fully occupied, motionless atoms under gemmi's operations."""
    operations = list(operations)
    return Structure(
        name=name,
        lattice=np.asarray(lattice, float),
        positions=np.asarray(positions, float),
        elements=np.asarray(elements),
        occupancies=np.ones(len(elements)),
        b_iso=np.zeros(len(elements)),
        rotations=np.array([op.rot for op in operations]) // gemmi.Op.DEN,
        translations=np.array([op.tran for op in operations]) / gemmi.Op.DEN % 1,
    )


def structure_from_gemmi(small: gemmi.SmallStructure) -> Structure:
    """The asymmetric unit of a file, as gemmi reads it."""
    return structure_of(
        small.name,
        np.array(small.cell.orth.mat.tolist()).T,
        [site.fract.tolist() for site in small.sites],
        [site.element.atomic_number for site in small.sites],
        small.spacegroup.operations(),
    )


def atoms_of(structure: Structure, tolerance: float = 0.01) -> powder.Atoms:
    """Every atom of the conventional cell, expanded without the package."""
    positions, sites = powder.apply_operations(
        structure.lattice,
        structure.positions,
        structure.rotations,
        structure.translations,
        tolerance,
    )
    return powder.atoms_of(
        structure.lattice,
        positions,
        structure.elements[sites],
        occupancies=structure.occupancies[sites],
        b_iso=structure.b_iso[sites],
    )


def crystal_of(structure: Structure):
    """Padded to few sizes, so that few programs are compiled."""
    atoms = len(to_crystal(structure).elements)
    return to_crystal(
        structure,
        size=min(n for n in (64, 512, 4096) if n >= atoms),
        displacements=True,
    )


def lines_of(structure: Structure, instrument=None):
    """The package's lines without their padding: Miller indices, |F|, PowderLines."""
    room = 2048 if structure.volume < 1000 else 32768
    lines = powder_lines(crystal_of(structure), instrument, max_reflections=room)
    assert not lines.overflow
    real = np.asarray(lines.multiplicity) > 0
    multiplicity = np.asarray(lines.multiplicity)[real]
    assert np.all(multiplicity == np.round(multiplicity))
    assert np.all(np.asarray(lines.intensity)[~real] == 0)
    return (
        np.asarray(lines.miller)[real],
        np.asarray(lines.magnitude, float)[real],
        powder.PowderLines(
            np.asarray(lines.two_theta_deg, float)[real],
            np.round(multiplicity).astype(int),
            np.asarray(lines.intensity, float)[real],
        ),
    )
