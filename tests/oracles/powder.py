"""Powder diffraction in NumPy, float64, without any symmetry; gemmi's and pymatgen's too.

Every reflection of the limiting sphere is counted by itself, from every atom of the
conventional cell. Nothing is shared with the package: form factors are gemmi's `it92`.
"""

from __future__ import annotations

from dataclasses import dataclass

import gemmi
import numpy as np

CU_K_ALPHA = 1.5406  # angstrom
TWO_THETA_RANGE_DEG = (5.0, 90.0)
# Lines nearer to each other than this are compared as one, degrees of 2 theta.
SAME_LINE_DEG = 2e-4


@dataclass(frozen=True)
class Atoms:
    """All atoms of one conventional cell.

    Attributes:
        lattice: [3, 3] rows are a, b, c, angstrom.
        positions: [N, 3] fractional.
        elements: [N] atomic numbers.
        occupancies: [N].
        b_iso: [N] isotropic displacement parameter B, angstrom^2.
    """

    lattice: np.ndarray
    positions: np.ndarray
    elements: np.ndarray
    occupancies: np.ndarray
    b_iso: np.ndarray


@dataclass(frozen=True)
class PowderLines:
    """Reflections joined by their spacing d, from low to high angle.

    Attributes:
        two_theta_deg: [L].
        multiplicity: [L] reflections of the sphere with that spacing, h and -h counted.
        intensity: [L] sum of |F|^2 LP over them, electrons^2.
    """

    two_theta_deg: np.ndarray
    multiplicity: np.ndarray
    intensity: np.ndarray


def atoms_of(lattice, positions, elements, **optional) -> Atoms:
    """Fully occupied, motionless atoms unless `occupancies`, `b_iso` say otherwise."""
    elements = np.asarray(elements)
    return Atoms(
        np.asarray(lattice, float),
        np.asarray(positions, float),
        elements,
        np.asarray(optional.get("occupancies", np.ones(len(elements))), float),
        np.asarray(optional.get("b_iso", np.zeros(len(elements))), float),
    )


def apply_operations(lattice, positions, rotations, translations, tolerance=0.01):
    """Every image of every site; images of one site closer than the tolerance are one.

    Returns:
        positions [N, 3] fractional and the site [N] that each is an image of.
    """
    atoms, sites = [], []
    for site, position in enumerate(positions):
        kept = np.zeros((0, 3))
        for image in (rotations @ position + translations) % 1:
            shifts = kept - image
            shifts -= np.round(shifts)
            if np.all(np.linalg.norm(shifts @ lattice, axis=1) > tolerance):
                kept = np.vstack([kept, image])
        atoms.append(kept)
        sites += [site] * len(kept)
    return np.concatenate(atoms), np.array(sites)


def reflections_in_range(
    lattice: np.ndarray,
    wavelength: float = CU_K_ALPHA,
    two_theta_range_deg: tuple[float, float] = TWO_THETA_RANGE_DEG,
) -> tuple[np.ndarray, np.ndarray]:
    """Every Miller index whose Bragg angle lies in the range, by trying a whole box.

    |h| = |a . s| <= |a| |s| bounds the box in any lattice; one more is tried.

    Returns:
        Miller indices [H, 3], and s = 1/d [H] in 1/angstrom.
    """
    least, most = 2 * np.sin(np.radians(two_theta_range_deg) / 2) / wavelength
    limits = np.ceil(np.linalg.norm(lattice, axis=1) * most).astype(int) + 1
    axes = [np.arange(-limit, limit + 1) for limit in limits]
    miller = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    s = np.linalg.norm(miller @ np.linalg.inv(lattice).T, axis=1)
    inside = (s >= least) & (s <= most)
    return miller[inside], s[inside]


def structure_factors(
    atoms: Atoms, miller: np.ndarray, anomalous: float | None = None
) -> np.ndarray:
    """F(h) = sum_j o_j f_j(s) exp(-B_j s^2 / 4) exp(2 pi i h.x_j), complex [H].

    f is complex, f0 + f' + i f'' by gemmi, where a wavelength is given for it.
    """
    s = np.linalg.norm(miller @ np.linalg.inv(atoms.lattice).T, axis=1)
    amplitudes = np.zeros(len(miller), complex)
    forms = {z: form_factor(int(z), s) for z in np.unique(atoms.elements)}
    if anomalous is not None:
        energy = gemmi.hc / anomalous
        forms = {
            z: form + complex(*gemmi.cromer_liberman(int(z), energy))
            for z, form in forms.items()
        }
    for position, z, occupancy, b in zip(
        atoms.positions, atoms.elements, atoms.occupancies, atoms.b_iso, strict=True
    ):
        scatter = occupancy * forms[z] * np.exp(-b * s**2 / 4)
        amplitudes += scatter * np.exp(2j * np.pi * (miller @ position))
    return amplitudes


def form_factor(atomic_number: int, s: np.ndarray) -> np.ndarray:
    """f(s) = sum_k a_k exp(-b_k s^2 / 4) + c of the neutral atom, electrons."""
    table = gemmi.Element(atomic_number).it92
    waves = (a * np.exp(-b * s**2 / 4) for a, b in zip(table.a, table.b, strict=True))
    return sum(waves) + table.c


def powder_lines(
    atoms: Atoms,
    wavelength: float = CU_K_ALPHA,
    two_theta_range_deg: tuple[float, float] = TWO_THETA_RANGE_DEG,
    *,
    anomalous: bool = False,
) -> PowderLines:
    """Intensities of all reflections in range, joined where their spacings agree."""
    miller, s = reflections_in_range(atoms.lattice, wavelength, two_theta_range_deg)
    two_theta = 2 * np.arcsin(s * wavelength / 2)
    lorentz_polarization = (1 + np.cos(two_theta) ** 2) / (
        np.sin(two_theta / 2) ** 2 * np.cos(two_theta / 2)
    )
    dispersion = wavelength if anomalous else None
    amplitudes = structure_factors(atoms, miller, dispersion)
    intensity = np.abs(amplitudes) ** 2 * lorentz_polarization
    return join_lines(np.degrees(two_theta), np.ones(len(s), int), intensity, 1e-7)


def join_lines(two_theta_deg, multiplicity, intensity, gap_deg: float) -> PowderLines:
    """Adds up the lines between which there is no gap wider than the given one."""
    if len(two_theta_deg) == 0:
        return PowderLines(np.zeros(0), np.zeros(0, int), np.zeros(0))
    order = np.argsort(two_theta_deg, kind="stable")
    angles = two_theta_deg[order]
    starts = np.flatnonzero(np.diff(angles, prepend=-np.inf) > gap_deg)
    counts = np.diff(starts, append=len(angles))
    return PowderLines(
        np.add.reduceat(angles, starts) / counts,
        np.add.reduceat(multiplicity[order], starts),
        np.add.reduceat(intensity[order], starts),
    )


def side_by_side(first, second):
    """Both lists over the same clusters of lines: two PowderLines of equal length."""
    angles = np.concatenate([first.two_theta_deg, second.two_theta_deg])
    cut = len(first.two_theta_deg)
    pair = []
    for rows in (np.arange(len(angles)) < cut, np.arange(len(angles)) >= cut):
        multiplicity = np.concatenate([first.multiplicity, second.multiplicity])
        intensity = np.concatenate([first.intensity, second.intensity])
        joined = join_lines(
            angles,
            np.where(rows, multiplicity, 0),
            np.where(rows, intensity, 0.0),
            SAME_LINE_DEG,
        )
        pair.append(joined)
    return pair


def powder_profile(
    lines: PowderLines,
    crystallite_size_nm: float,
    two_theta_deg: np.ndarray,
    wavelength: float = CU_K_ALPHA,
) -> np.ndarray:
    """Gaussian lines of Scherrer's width, summed at every point, over their maximum.

    FWHM = K lambda / (L cos theta) in 2 theta, K = 0.9; each line's area is its
    intensity.
    """
    theta = np.radians(lines.two_theta_deg) / 2
    fwhm = 0.9 * wavelength / (10 * crystallite_size_nm * np.cos(theta))
    sigma = np.degrees(fwhm) / (2 * np.sqrt(2 * np.log(2)))
    profile = np.zeros(len(two_theta_deg))
    for angle, width, intensity in zip(
        lines.two_theta_deg, sigma, lines.intensity, strict=True
    ):
        gauss = np.exp(-0.5 * ((two_theta_deg - angle) / width) ** 2)
        profile += intensity / width * gauss
    return profile / profile.max()


def gemmi_structure_factors(
    small: gemmi.SmallStructure, miller: np.ndarray
) -> np.ndarray:
    """|F(h)| by gemmi's direct summation over the symmetry of the file, neutral atoms.

    gemmi multiplies each site by all operations, so occupancies have to be divided by
    the order of the site's stabiliser first.
    """
    for site in small.sites:
        site.charge = 0
    small.change_occupancies_to_crystallographic()
    calculator = gemmi.StructureFactorCalculatorX(small.cell)
    return np.array(
        [
            abs(calculator.calculate_sf_from_small_structure(small, list(map(int, h))))
            for h in miller
        ]
    )


def atoms_from_gemmi(small: gemmi.SmallStructure) -> Atoms:
    """All atoms of a structure that gemmi has read; displacements are left out."""
    sites = small.get_all_unit_cell_sites()
    return atoms_of(
        np.array(small.cell.orth.mat.tolist()).T,
        [site.fract.tolist() for site in sites],
        [site.element.atomic_number for site in sites],
        occupancies=[site.occ for site in sites],
    )


def pymatgen_lines(
    atoms: Atoms, two_theta_range_deg: tuple[float, float] = TWO_THETA_RANGE_DEG
) -> PowderLines:
    """pymatgen's lines of fully occupied atoms: another form-factor table, no mult."""
    from pymatgen.analysis.diffraction.xrd import XRDCalculator
    from pymatgen.core import Lattice, Structure

    structure = Structure(Lattice(atoms.lattice), atoms.elements, atoms.positions)
    pattern = XRDCalculator(CU_K_ALPHA).get_pattern(
        structure, scaled=False, two_theta_range=two_theta_range_deg
    )
    multiplicity = [sum(h["multiplicity"] for h in hkls) for hkls in pattern.hkls]
    return PowderLines(
        np.asarray(pattern.x), np.array(multiplicity, int), np.asarray(pattern.y)
    )
