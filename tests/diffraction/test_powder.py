"""Lines and patterns of one crystal: laws, compiled, mapped and differentiated."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from examples import general_structure

from xrdjax.crystals.crystal import Crystal, to_crystal
from xrdjax.crystals.textbook import gallery
from xrdjax.diffraction.overflow import Overflow
from xrdjax.diffraction.powder import (
    pattern_of_lines,
    powder_lines,
    powder_pattern,
)
from xrdjax.errors import InputError
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.instrument.instrument import InstrumentRanges, make_instrument
from xrdjax.instrument.measurement import peaks_for
from xrdjax.instrument.specimen import SpecimenRanges, make_specimen

GRID = TwoThetaGrid(15.0, 60.0, 1501)
PEAKS = peaks_for(GRID, InstrumentRanges(), SpecimenRanges((20.0, 100.0)))
ROOM = 256
SIZE = 24
# Patterns that rounding alone sets apart differ by less: a line's place is rounded to
# 1e-4 of a step of the grid or so.
SAME = 3e-5


def crystal_of(number: int) -> Crystal:
    """Iron and two oxygen in general places, half occupied and in motion."""
    crystal = to_crystal(general_structure(number), SIZE)
    atoms = crystal.occupancies
    return crystal.replace(
        occupancies=atoms * np.linspace(0.5, 1, SIZE, dtype=np.float32),
        b_iso=atoms * np.float32(0.4),
    )


def traced_pattern(crystal: Crystal, size_nm, wavelength=1.5406) -> jax.Array:
    """For use under jit, vmap and grad."""
    specimen = make_specimen().replace(size_nm=size_nm)
    wavelengths = jnp.asarray(wavelength, jnp.float32)[None]
    instrument = make_instrument().replace(wavelengths=wavelengths)
    return powder_pattern(
        crystal, instrument, specimen, GRID, peaks=PEAKS, max_reflections=ROOM
    )


_jitted = jax.jit(traced_pattern)


def pattern_of(crystal: Crystal, size_nm: float) -> np.ndarray:
    return np.asarray(_jitted(crystal, jnp.float32(size_nm)))


def present(lines, field: str) -> np.ndarray:
    """A field of the lines, without padding."""
    return np.asarray(getattr(lines, field))[np.asarray(lines.multiplicity) > 0]


def test_lines_of_silicon_are_where_its_certificate_has_them():
    """NIST SRM 640c, a = 5.4311946 angstrom, Cu K-alpha1 1.5405929 angstrom."""
    structure = gallery("silicon")
    lattice = np.eye(3, dtype=np.float32) * np.float32(5.4311946)
    crystal = to_crystal(structure, SIZE, displacements=True).replace(lattice=lattice)
    instrument = make_instrument((1.5405929,))
    grid = TwoThetaGrid(20.0, 90.0, 7001)
    lines = powder_lines(crystal, instrument, grid, max_reflections=ROOM)
    certified = {
        (1, 1, 1): 28.441,
        (2, 2, 0): 47.300,
        (3, 1, 1): 56.120,
        (4, 0, 0): 69.126,
        (3, 3, 1): 76.372,
        (4, 2, 2): 88.025,
    }
    found = dict(
        zip(
            map(tuple, present(lines, "miller").tolist()),
            present(lines, "two_theta_deg").tolist(),
            strict=True,
        )
    )
    strong = present(lines, "intensity") > 1e-3 * lines.intensity.max()
    assert {h for h, s in zip(found, strong, strict=True) if s} == set(certified)
    for miller, angle in certified.items():
        assert found[miller] == pytest.approx(angle, abs=1.5e-3)


def test_lines_obey_braggs_law_and_lie_in_the_range():
    lines = powder_lines(crystal_of(14), grid=GRID, max_reflections=ROOM)
    angles, s = present(lines, "two_theta_deg"), present(lines, "s")
    assert len(s) > 40
    assert angles.min() >= 15 - 1e-4 and angles.max() <= 60 + 1e-4
    np.testing.assert_allclose(
        2 * np.sin(np.radians(angles.astype(float)) / 2) / 1.5406, s, rtol=1e-5
    )


def test_padding_of_the_lines_is_inert():
    lines = powder_lines(crystal_of(14), grid=GRID, max_reflections=ROOM)
    padding = np.asarray(lines.multiplicity) == 0
    assert padding.any() and not lines.overflow
    np.testing.assert_array_equal(lines.intensity[padding], 0)
    np.testing.assert_array_equal(lines.two_theta_deg[padding], 0)


def test_room_is_found_for_a_crystal_that_is_not_traced():
    """Where the cell is small and one edge long, the surface of the sphere counts."""
    lattice = np.diag([1.5, 1.5, 60.0]).astype(np.float32)
    crystal = to_crystal(general_structure(1), SIZE).replace(lattice=lattice)
    lines = powder_lines(crystal)
    assert not lines.overflow
    assert np.any(np.asarray(lines.multiplicity) > 0)


def test_more_reflections_than_can_be_listed_are_refused():
    crystal = crystal_of(1)
    with pytest.raises(InputError, match="families of reflections are in range, of"):
        powder_lines(crystal, make_instrument((0.02,)))
    needle = crystal.replace(lattice=np.diag([3, 3, 600]).astype(np.float32))
    with pytest.raises(InputError, match="a cell edge of 600 angstrom has reflections"):
        powder_lines(needle)


def test_too_little_room_is_reported():
    crystal = crystal_of(14)
    large = crystal.replace(lattice=2 * crystal.lattice)
    for one, overflow in ((crystal, 0), (large, Overflow.REFLECTIONS)):
        lines = powder_lines(one, grid=GRID, max_reflections=ROOM)
        assert lines.overflow == overflow
    with pytest.raises(InputError, match="not complete: more families of reflections"):
        powder_pattern(
            large, specimen=make_specimen(40.0), grid=GRID, max_reflections=ROOM
        )


def test_pattern_is_that_of_the_lines():
    """Also where strengths were changed in between, as texture would."""
    crystal = crystal_of(14)
    lines = powder_lines(crystal, grid=GRID, max_reflections=ROOM)
    specimen = make_specimen(40.0)
    pattern = pattern_of_lines(lines, specimen=specimen, grid=GRID, peaks=PEAKS)
    np.testing.assert_allclose(pattern, pattern_of(crystal, 40.0), atol=SAME)
    strongest = jnp.argmax(lines.intensity)
    other = lines.replace(strength=lines.strength.at[strongest].set(0.0))
    changed = pattern_of_lines(other, specimen=specimen, grid=GRID, peaks=PEAKS)
    at = np.searchsorted(GRID.two_theta_deg, float(lines.two_theta_deg[strongest]))
    assert pattern[at] > 0.5
    assert changed[at] < 0.5 * pattern[at]


def test_maximum_is_one_and_grid_of_a_single_size_gives_the_same():
    crystal = crystal_of(14)
    pattern = powder_pattern(
        crystal, specimen=make_specimen(40.0), grid=GRID, max_reflections=ROOM
    )
    assert pattern.shape == (GRID.points,)
    assert float(pattern.max()) == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(pattern, pattern_of(crystal, 40.0), atol=2e-4)


def test_pattern_does_not_depend_on_the_scale_of_occupancies():
    crystal = crystal_of(14)
    half = crystal.replace(occupancies=crystal.occupancies / 2)
    np.testing.assert_allclose(
        pattern_of(half, 40.0), pattern_of(crystal, 40.0), atol=SAME
    )


def test_pattern_does_not_depend_on_the_origin_or_the_hand():
    """A shift of all atoms, or their inversion, leaves every |F| alone."""
    crystal = crystal_of(1)
    pattern = pattern_of(crystal, 40.0)
    shift = np.array([0.21, 0.38, -0.17], np.float32)
    for positions in (crystal.positions + shift, -crystal.positions):
        moved = crystal.replace(positions=positions.astype(np.float32))
        np.testing.assert_allclose(pattern_of(moved, 40.0), pattern, atol=SAME)


def test_without_a_line_in_range_the_pattern_is_zero():
    crystal = crystal_of(14)
    tiny = crystal.replace(lattice=np.eye(3, dtype=np.float32))
    np.testing.assert_array_equal(pattern_of(tiny, 40.0), 0)


def test_a_batch_has_the_pattern_of_each_of_its_crystals():
    crystals = [crystal_of(number) for number in (1, 14, 62)]
    together = jax.tree.map(lambda *leaves: np.stack(leaves), *crystals)
    sizes = jnp.array([20.0, 47.0, 100.0])
    patterns = jax.jit(jax.vmap(traced_pattern))(together, sizes)
    for crystal, size_nm, pattern in zip(crystals, sizes, patterns, strict=True):
        np.testing.assert_allclose(pattern, pattern_of(crystal, size_nm), atol=SAME)


def directions() -> dict[str, tuple[str, np.ndarray]]:
    """What each kind of change does to a field of the crystal, per unit."""
    rng = np.random.default_rng(0)
    atoms = crystal_of(14).occupancies > 0
    return {
        "positions": ("positions", rng.normal(size=(SIZE, 3)) * atoms[:, None]),
        "occupancies": ("occupancies", rng.normal(size=SIZE) * atoms),
        "displacements": ("b_iso", rng.normal(size=SIZE) * atoms),
        "isotropic scaling of the lattice": ("lattice", crystal_of(14).lattice),
    }


@pytest.fixture(scope="module")
def total():
    """A weighted mean of the pattern, with its slopes in the crystal and the size.

    A mean, since the maximum has a kink where it moves to the next point.
    """
    weights = jnp.asarray(np.cos(np.linspace(0, 60, GRID.points)), jnp.float32)

    def value(fields: dict, size_nm, wavelength):
        crystal = crystal_of(14).replace(**fields)
        pattern = traced_pattern(crystal, size_nm, wavelength)
        return 1000 * jnp.sum(weights * pattern) / jnp.sum(pattern)

    compiled = jax.jit(jax.value_and_grad(value, argnums=(0, 1, 2)))
    return lambda fields, size_nm=40.0, wavelength=1.5406: compiled(
        fields, jnp.float32(size_nm), jnp.float32(wavelength)
    )


def fields_of(crystal: Crystal) -> dict[str, jax.Array]:
    names = ("positions", "occupancies", "b_iso", "lattice")
    return {name: jnp.asarray(getattr(crystal, name)) for name in names}


@pytest.mark.parametrize(
    ("change", "step"),
    [
        ("positions", 5e-4),
        ("occupancies", 5e-3),
        ("displacements", 2e-2),
        ("isotropic scaling of the lattice", 5e-5),
    ],
)
def test_slopes_in_the_crystal_are_those_of_differences(total, change, step):
    fields = fields_of(crystal_of(14))
    name, direction = directions()[change]
    direction = jnp.asarray(direction, jnp.float32)
    _, (by_fields, _, _) = total(fields)
    ahead, behind = (
        total({**fields, name: fields[name] + jnp.float32(sign * step) * direction})[0]
        for sign in (1, -1)
    )
    difference = float(ahead - behind) / (2 * step)
    assert abs(difference) > 0.5
    found = float(jnp.sum(by_fields[name] * direction))
    assert found == pytest.approx(difference, rel=5e-3)


def test_slopes_in_crystallite_size_and_wavelength_are_those_of_differences(total):
    fields = fields_of(crystal_of(14))
    _, (_, by_size, by_wavelength) = total(fields)
    ahead, behind = (total(fields, size_nm=x)[0] for x in (40.5, 39.5))
    assert abs(float(ahead - behind)) > 1e-2
    assert float(by_size) == pytest.approx(float(ahead - behind), rel=5e-3)
    step = 1e-4
    ahead, behind = (total(fields, wavelength=1.5406 + x)[0] for x in (step, -step))
    difference = float(ahead - behind) / (2 * step)
    assert abs(difference) > 0.5
    assert float(by_wavelength) == pytest.approx(difference, rel=5e-3)


def test_slopes_are_finite_where_nothing_scatters():
    """|F| = 0, of which the root has no slope."""
    crystal = to_crystal(general_structure(1), 8)
    grid = TwoThetaGrid(15.0, 30.0, 2)

    def magnitudes(occupancies):
        one = crystal.replace(occupancies=occupancies)
        return powder_lines(one, grid=grid, max_reflections=64).magnitude

    values, slopes = jax.jvp(magnitudes, (jnp.zeros(8),), (jnp.ones(8),))
    np.testing.assert_array_equal(values, 0)
    np.testing.assert_array_equal(slopes, 0)


def test_a_traced_lattice_needs_the_number_of_reflections():
    crystal = crystal_of(14)
    with pytest.raises(InputError, match="pass max_reflections, such as 4096"):
        jax.jit(powder_lines)(crystal)


def test_a_traced_specimen_needs_its_grid_of_peaks():
    crystal = crystal_of(14)
    with pytest.raises(InputError, match=r"pass peaks, from peaks_for\(grid, Instr"):
        jax.jit(lambda one: powder_pattern(crystal, specimen=one))(make_specimen())


def test_k_alpha_2_adds_lines_at_its_own_angles():
    """Lines are listed for the strongest emission line; the pattern shows both."""
    crystal = to_crystal(gallery("silicon"))
    grid = TwoThetaGrid(80.0, 90.0, 2001)
    doublet = make_instrument((1.54056, 1.54439), (2.0, 1.0))
    lines = powder_lines(crystal, doublet, grid)
    (angle,) = present(lines, "two_theta_deg")[present(lines, "intensity") > 1]
    pattern = np.asarray(powder_pattern(crystal, doublet, make_specimen(200.0), grid))
    interior = pattern[1:-1]
    is_peak = (interior > pattern[:-2]) & (interior > pattern[2:]) & (interior > 0.3)
    peaks = grid.two_theta_deg[1:-1][is_peak]
    sine = np.sin(np.radians(angle) / 2)
    expected = [angle, 2 * np.degrees(np.arcsin(sine * 1.54439 / 1.54056))]
    np.testing.assert_allclose(peaks, expected, rtol=0, atol=0.01)
