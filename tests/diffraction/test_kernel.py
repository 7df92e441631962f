"""A chunk of crystals against plain float64 sums, and each of them against the others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compilation import AS_FOR_USERS
from examples import general_structure
from oracles import powder
from oracles.adapters import atoms_of

from xrdjax.crystals.crystal import Crystal, Structure, to_crystal
from xrdjax.crystals.textbook import gallery
from xrdjax.diffraction.capacity import (
    Capacity,
    reflections_in_largest_cell,
    simulation_cost,
)
from xrdjax.diffraction.kernel import (
    simulate_chunk,
)
from xrdjax.diffraction.overflow import Overflow
from xrdjax.diffraction.reflections import find_reflections
from xrdjax.instrument.grid import PAPER_GRID, TwoThetaGrid
from xrdjax.instrument.instrument import (
    Instrument,
    InstrumentRanges,
    make_instrument,
)
from xrdjax.instrument.measurement import peaks_for
from xrdjax.instrument.specimen import SpecimenRanges, make_specimen
from xrdjax.symmetry.space_groups import symmetry

CU, MO = 1.5406, 0.7093
GRID = TwoThetaGrid(10.0, 60.0, 1001)
PEAKS = peaks_for(
    GRID,
    InstrumentRanges((MO, CU), (1, 1), gaussian_deg=(0.0, 0.2), zero_deg=(0.0, 0.2)),
    SpecimenRanges((20.0, 100.0)),
)
CAPACITY = Capacity(max_reflections=7000, max_elements=4)
SIZE = 96
SIZES_NM = np.array([20.0, 38.0, 71.0, 100.0], np.float32)
# Of the maximum: what interpolation, float32 and the bend of the peaks leave.
EXACT = 3e-4
# Programs that fuse otherwise round the place of a line otherwise.
SAME = 3e-5

TRACES: list[bool] = []


def _simulate(crystals, instruments, specimens, peaks, reverse=False):
    TRACES.append(reverse)
    return simulate_chunk(crystals, instruments, specimens, peaks, CAPACITY, reverse)


_jitted = jax.jit(
    _simulate, static_argnames=("reverse",), compiler_options=AS_FOR_USERS
)


def stack(*trees):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def simulate(
    crystals: Crystal,
    instrument: Instrument | None = None,
    sizes_nm=SIZES_NM,
    reverse: bool = False,
    b_iso: float = 0.0,
):
    """Patterns of four crystals, all by one instrument."""
    instrument = instrument or make_instrument((CU,))
    specimens = stack(*[make_specimen(50.0, b_iso)] * 4)
    specimens = specimens.replace(size_nm=np.asarray(sizes_nm, np.float32))
    patterns, overflow = _jitted(
        crystals, stack(*[instrument] * 4), specimens, PEAKS, reverse
    )
    return np.asarray(patterns), np.asarray(overflow)


def named(*names: str) -> Crystal:
    return stack(*(to_crystal(gallery(name), SIZE) for name in names))


def row(chunk: Crystal, i: int) -> Crystal:
    return jax.tree.map(lambda leaf: leaf[i], chunk)


def expected_pattern(structure: Structure, size_nm, wavelength=CU, b_iso=True):
    """Every reflection of the sphere by itself, summed at every point in float64."""
    atoms = atoms_of(structure)
    if not b_iso:
        atoms = powder.atoms_of(
            atoms.lattice,
            atoms.positions,
            atoms.elements,
            occupancies=atoms.occupancies,
        )
    ends = GRID.two_theta_min_deg, GRID.two_theta_max_deg
    lines = powder.powder_lines(atoms, wavelength, ends)
    return powder.powder_profile(lines, float(size_nm), GRID.two_theta_deg, wavelength)


def test_each_crystal_of_a_chunk_has_the_pattern_of_a_plain_sum():
    """From one atom in a small cell to 80 atoms, and 1505 cubic angstrom."""
    names = ("copper", "pyrope", "quartz", "kyanite")
    patterns, overflow = simulate(named(*names))
    assert not overflow.any()
    for name, size_nm, pattern in zip(names, SIZES_NM, patterns, strict=True):
        assert pattern.max() == pytest.approx(1.0, abs=1e-6)
        expected = expected_pattern(gallery(name), size_nm, b_iso=False)
        np.testing.assert_allclose(pattern, expected, rtol=0, atol=EXACT, err_msg=name)


def test_one_program_serves_two_wavelengths_and_two_profiles():
    """Nothing of instrument and specimen is static; each pattern is exact."""
    TRACES.clear()
    names = ("copper", "quartz", "rutile", "iron")
    chunk = named(*names)
    for wavelength in (CU, MO):
        for sizes_nm, gaussian_deg in ((SIZES_NM, 0.0), (np.full(4, 30.0), 0.15)):
            instrument = make_instrument((wavelength,), gaussian_deg=gaussian_deg)
            patterns, overflow = simulate(chunk, instrument, sizes_nm)
            assert not overflow.any()
            for name, size_nm, pattern in zip(names, sizes_nm, patterns, strict=True):
                # one Gaussian width 1 / cos(theta) is that of a smaller crystallite
                scherrer = 0.9 * wavelength / (10 * size_nm)
                whole = np.hypot(scherrer, np.radians(gaussian_deg))
                expected = expected_pattern(
                    gallery(name), size_nm * scherrer / whole, wavelength, b_iso=False
                )
                np.testing.assert_allclose(pattern, expected, rtol=0, atol=EXACT)
    assert len(TRACES) <= 1


def test_emission_lines_add_up_by_their_weights():
    """K-alpha1 and K-alpha2, each with its own angles, factor and width."""
    structure = gallery("quartz")
    both = make_instrument((1.54056, 1.54439), (2.0, 1.0))
    specimen = make_specimen(60.0)
    patterns, _ = _jitted(
        stack(to_crystal(structure, SIZE)), stack(both), stack(specimen), PEAKS
    )
    ends = GRID.two_theta_min_deg, GRID.two_theta_max_deg
    total = 0
    for wavelength, weight in ((1.54056, 2.0), (1.54439, 1.0)):
        atoms = atoms_of(structure)
        lines = powder.powder_lines(atoms, wavelength, ends)
        one = powder.powder_profile(lines, 60.0, GRID.two_theta_deg, wavelength)
        # undo the division by the maximum: the strongest point's absolute height
        theta = np.radians(lines.two_theta_deg) / 2
        sigma = 0.9 * wavelength / (600.0 * np.cos(theta))
        at = np.argmax(one)
        angle = np.radians(GRID.two_theta_deg[at] - lines.two_theta_deg)
        width = sigma / (2 * np.sqrt(2 * np.log(2)))
        height = np.sum(lines.intensity / width * np.exp(-0.5 * (angle / width) ** 2))
        total = total + weight * height * one
    np.testing.assert_allclose(patterns[0], total / total.max(), rtol=0, atol=EXACT)


def test_a_shifted_instrument_shows_the_same_lines_elsewhere():
    chunk = named("copper", "quartz", "rutile", "iron")
    plain, _ = simulate(chunk)
    steps = 4  # of 0.05 degrees
    shifted, overflow = simulate(chunk, make_instrument((CU,), zero_deg=0.05 * steps))
    assert not overflow.any()
    inside = slice(40, -40)  # of lines at the ends, tails may come in or go
    moved = np.roll(shifted, -steps, axis=1)[:, inside]
    np.testing.assert_allclose(moved, plain[:, inside], rtol=0, atol=2e-3)
    assert np.abs(shifted - plain).max() > 0.1


def test_occupancies_and_displacement_factors_count_as_in_a_plain_sum():
    structure = general_structure(14)
    atoms = np.linspace(0.2, 1.0, len(structure.elements))
    displaced = Structure(
        **{**vars(structure), "occupancies": atoms, "b_iso": 4 * atoms}
    )
    crystal = to_crystal(displaced, SIZE, displacements=True)
    patterns, overflow = simulate(stack(*[crystal] * 4))
    assert not overflow.any()
    for size_nm, pattern in zip(SIZES_NM, patterns, strict=True):
        expected = expected_pattern(displaced, size_nm)
        np.testing.assert_allclose(pattern, expected, rtol=0, atol=EXACT)
    at_rest, _ = simulate(stack(*[to_crystal(displaced, SIZE)] * 4))
    assert np.abs(at_rest - patterns).max() > 0.01


def test_a_displacement_factor_of_the_specimen_is_one_of_every_atom():
    crystal = to_crystal(general_structure(14), SIZE)
    atoms = crystal.replace(b_iso=np.full(SIZE, 1.3, np.float32))
    by_atoms, _ = simulate(stack(*[atoms] * 4))
    by_specimen, _ = simulate(stack(*[crystal] * 4), b_iso=1.3)
    np.testing.assert_allclose(by_specimen, by_atoms, rtol=0, atol=SAME)


def test_company_order_and_length_of_the_loops_change_nothing():
    chunk = named("quartz", "halite", "copper", "iron")
    patterns, _ = simulate(chunk)
    order = np.array([2, 0, 3, 1])
    turned, _ = simulate(
        jax.tree.map(lambda leaf: leaf[order], chunk), sizes_nm=SIZES_NM[order]
    )
    np.testing.assert_allclose(turned, patterns[order], rtol=0, atol=1e-6)
    large = stack(row(chunk, 0), *[to_crystal(gallery("pyrope"), SIZE)] * 3)
    np.testing.assert_allclose(simulate(large)[0][0], patterns[0], rtol=0, atol=1e-6)
    fixed, overflow = simulate(chunk, reverse=True)
    assert not overflow.any()
    np.testing.assert_allclose(fixed, patterns, rtol=0, atol=SAME)


def test_each_buffer_that_is_too_small_is_named_and_harms_no_other_crystal():
    good = to_crystal(gallery("quartz"), SIZE)
    crowded = to_crystal(gallery("kyanite"), SIZE)
    elements = crowded.elements.copy()
    elements[:2] = 26, 27  # a fourth and a fifth element
    triclinic = to_crystal(general_structure(1), SIZE)
    chunk = stack(
        good,
        crowded.replace(elements=elements),
        # far more reflections than there is room for, and edges that no index reaches
        triclinic.replace(lattice=np.float32(6.0) * triclinic.lattice),
        triclinic.replace(lattice=np.diag([3, 900, 3]).astype(np.float32)),
    )
    patterns, overflow = simulate(chunk)
    assert [Overflow(int(bits)) for bits in overflow] == [
        Overflow(0),
        Overflow.ELEMENTS,
        Overflow.REFLECTIONS,
        Overflow.INDICES,
    ]
    assert np.all(np.isfinite(patterns))
    expected = expected_pattern(gallery("quartz"), 20.0, b_iso=False)
    np.testing.assert_allclose(patterns[0], expected, rtol=0, atol=EXACT)
    wide, overflow = simulate(named(*["quartz"] * 4), sizes_nm=[5, 20, 100, 300])
    assert [bool(bits & Overflow.WIDTH) for bits in overflow] == [
        True,
        False,
        False,
        True,
    ]
    assert np.all(np.isfinite(wide))


def test_every_reason_has_a_hint_and_reasons_add_up():
    for reason in Overflow:
        assert len(reason.hint) > 20
    both = Overflow.INDICES | Overflow.WIDTH
    assert both.hint == f"{Overflow.INDICES.hint}; {Overflow.WIDTH.hint}"
    assert Overflow(0).hint == ""


def test_a_crystal_without_a_line_in_range_has_a_pattern_of_zeros():
    tiny = to_crystal(gallery("iron"), SIZE).replace(
        lattice=np.eye(3, dtype=np.float32)
    )
    patterns, overflow = simulate(
        stack(tiny, *[to_crystal(gallery("quartz"), SIZE)] * 3)
    )
    assert not overflow.any()
    np.testing.assert_array_equal(patterns[0], 0)
    np.testing.assert_allclose(patterns.max(axis=1), [0, 1, 1, 1], atol=1e-6)


def test_there_is_room_for_the_largest_triclinic_cell_of_any_shape():
    """7000 cubic angstrom, from a cube to a needle and a plate; half of P1's points."""
    low, high = (u / CU for u in PAPER_GRID.u_range)
    room = reflections_in_largest_cell(7000.0, high)
    edges = np.array(
        [[19.13, 19.13, 19.13], [3.8, 3.8, 485], [60, 60, 1.95], [9, 9, 86]]
    )
    assert np.prod(edges, axis=1).min() > 6900
    one = to_crystal(general_structure(1), 8)
    crystals = stack(
        *(one.replace(lattice=np.diag(e).astype(np.float32)) for e in edges)
    )
    s_range = jnp.tile(jnp.array([[low, high]], jnp.float32), (4, 1))
    found = jax.jit(find_reflections, static_argnums=2)(crystals, s_range, room)
    assert not np.any(found.overflow)
    assert np.all(found.count > 9000)


def test_cost_grows_with_the_work():
    """Twice the volume, twice the atoms and half the symmetry make a crystal dearer."""

    def cost(number, edge, atoms):
        lattice = jnp.asarray(edge * np.eye(3), jnp.float32)
        return float(
            simulation_cost(lattice, symmetry(number), jnp.int32(atoms), 0.918)
        )

    assert cost(2, 6.0, 10) < cost(2, 6.0, 20) < cost(2, 12.0, 20) < cost(2, 12.0, 99)
    assert cost(221, 12.0, 20) < cost(47, 12.0, 20) < cost(2, 12.0, 20)


def test_equal_capacities_are_one_static_argument():
    assert Capacity(100) == Capacity(100) and hash(Capacity(100)) == hash(Capacity(100))
    assert Capacity(100, chunk=5) != Capacity(100)
    assert Capacity(100, chunk=5).chunk_of(3) == 3
