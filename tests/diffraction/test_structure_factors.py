"""Laws of the structure factor; other tests compare it with gemmi's."""

import gemmi
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from examples import general_structure
from jax import lax

from xrdjax.crystals.crystal import Crystal, to_crystal
from xrdjax.crystals.elements import IT92, SYMBOLS
from xrdjax.crystals.lattices import inverse_spacing
from xrdjax.crystals.textbook import gallery
from xrdjax.diffraction.structure_factors import (
    form_factors,
    structure_factors,
)
from xrdjax.symmetry.space_groups import space_group

SIZE = 64
factors = jax.jit(structure_factors)


def crystal_of(number: int = 15, size: int = SIZE) -> Crystal:
    """Iron and two oxygen on general positions, of different occupancies."""
    crystal = to_crystal(general_structure(number), size)
    occupancies = np.linspace(0.3, 1.0, size) * crystal.occupancies
    return crystal.replace(occupancies=occupancies.astype(np.float32))


def miller_of(number: int = 15) -> np.ndarray:
    """Reflections that the centring allows, the origin first."""
    miller = np.random.default_rng(0).integers(-7, 8, (400, 3))
    phases = miller @ space_group(number).centring_vectors.T
    allowed = np.all(np.abs(phases - np.round(phases)) < 1e-6, axis=1)
    return np.concatenate([np.zeros((1, 3)), miller[allowed][:60]]).astype(np.float32)


def assert_same(found, expected, relative=1e-6) -> None:
    """Equal within a small part of F(0), the sum of all electrons."""
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=relative * scale)


@pytest.mark.parametrize("number", [2, 15, 167, 225])
def test_forward_scattering_is_the_sum_of_all_electrons(number):
    crystal = crystal_of(number, size=144)
    at_rest = IT92[:, :4].sum(axis=1) + IT92[:, 8]
    expected = np.sum(crystal.occupancies * at_rest[crystal.elements])
    expected *= len(space_group(number).centring_vectors)
    (found,) = factors(crystal, jnp.zeros((1, 3)))
    assert complex(found) == pytest.approx(expected, rel=1e-5)


def test_form_factors_begin_with_the_electrons_of_the_atom_and_fall():
    stol2 = jnp.linspace(0, 1.5, 50) ** 2
    table = jnp.asarray(IT92, jnp.float32)
    f = np.asarray(form_factors(table, stol2))
    np.testing.assert_array_equal(f[0], 0)  # padding
    numbers = np.arange(1, len(SYMBOLS))
    np.testing.assert_allclose(f[1:, 0], numbers, rtol=0, atol=0.13)
    assert np.all(np.diff(f[1:, :30]) < 0)


def test_form_factors_are_those_of_gemmi():
    stol2 = np.linspace(0, 1.5, 30) ** 2
    f = form_factors(jnp.asarray(IT92, jnp.float32), jnp.asarray(stol2, jnp.float32))
    for number in range(1, len(SYMBOLS)):
        table = gemmi.Element(number).it92
        expected = [table.calculate_sf(x) for x in stol2]
        np.testing.assert_allclose(f[number], expected, rtol=0, atol=2e-5 * number)


def test_the_mate_of_a_reflection_has_the_conjugate_factor():
    crystal, miller = crystal_of(), miller_of()
    assert_same(factors(crystal, -miller), np.conj(factors(crystal, miller)))


def test_a_centre_at_the_origin_makes_factors_real():
    crystal = to_crystal(general_structure(15), SIZE)  # C2/c
    found = np.asarray(factors(crystal, miller_of()))
    assert np.abs(found.imag).max() < 1e-6 * np.abs(found).max()


def test_order_of_atoms_does_not_matter():
    crystal, miller = crystal_of(), miller_of()
    order = np.random.default_rng(1).permutation(SIZE)  # padding goes in between
    shuffled = crystal.replace(
        positions=crystal.positions[order],
        elements=crystal.elements[order],
        occupancies=crystal.occupancies[order],
    )
    assert_same(factors(shuffled, miller), factors(crystal, miller))


def test_it_does_not_matter_which_atom_of_the_primitive_cell_is_listed():
    """An atom moved by a centring vector, or a lattice vector, is the same atom."""
    crystal, miller = crystal_of(), miller_of()
    rng = np.random.default_rng(2)
    steps = rng.choice(space_group(15).centring_vectors, SIZE)
    steps = steps + rng.integers(-2, 3, (SIZE, 3))
    moved = crystal.replace(positions=(crystal.positions + steps).astype(np.float32))
    assert_same(factors(moved, miller), factors(crystal, miller), relative=3e-6)


def test_padding_scatters_nothing_even_where_it_holds_garbage():
    """Within the last block of atoms, and in further blocks."""
    crystal, miller = to_crystal(general_structure(15)), miller_of()
    assert len(crystal.elements) == 12
    for size in (13, SIZE):
        padded = to_crystal(general_structure(15), size)
        garbage = np.arange(size) >= 12
        padded = padded.replace(
            positions=padded.positions + garbage[:, None].astype(np.float32) * 0.37,
            elements=padded.elements + 30 * garbage.astype(np.int32),
        )
        assert_same(factors(padded, miller), factors(crystal, miller))


def test_moving_all_atoms_turns_each_factor_by_its_own_phase():
    crystal, miller = crystal_of(), miller_of()
    shift = np.array([0.15, -0.27, 0.43], np.float32)
    moved = crystal.replace(positions=crystal.positions + shift)
    turned = np.exp(2j * np.pi * (miller @ shift)) * factors(crystal, miller)
    assert_same(factors(moved, miller), turned, relative=3e-6)


def test_displacements_damp_by_the_debye_waller_factor():
    crystal, miller = crystal_of(), miller_of()
    hot = crystal.replace(b_iso=np.full(SIZE, 1.7, np.float32))
    stol2 = (
        inverse_spacing(jnp.asarray(miller), jnp.asarray(crystal.lattice)) / 2
    ) ** 2
    damped = np.exp(-1.7 * np.asarray(stol2)) * np.asarray(factors(crystal, miller))
    assert_same(factors(hot, miller), damped)
    # one atom, worked: f(0.09) exp(-0.5 x 0.09) of the atom that moves alone
    alone = crystal.replace(occupancies=np.eye(1, SIZE, dtype=np.float32)[0])
    ratio = np.abs(
        factors(alone.replace(b_iso=np.full(SIZE, 0.5, np.float32)), miller)
    ) / np.abs(factors(alone, miller))
    np.testing.assert_allclose(ratio, np.exp(-0.5 * np.asarray(stol2)), rtol=1e-5)


def test_rock_salt_has_the_difference_of_its_atoms_at_111_and_the_sum_at_200():
    """Worked: |F| = 4 |f_Na - f_Cl| where h, k, l are odd, 4 (f_Na + f_Cl) where even."""
    miller = jnp.array([[1, 1, 1], [2, 0, 0]], jnp.float32)
    crystal = to_crystal(gallery("halite"))
    s = inverse_spacing(miller, jnp.asarray(crystal.lattice))
    sodium, chlorine = form_factors(
        jnp.asarray(IT92[[11, 17]], jnp.float32), (s / 2) ** 2
    )
    found = np.asarray(factors(crystal, miller))
    expected = 4 * np.array([sodium[0] - chlorine[0], sodium[1] + chlorine[1]])
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-5)


def test_slopes_are_those_of_the_sum():
    """dF/dx = 2 pi i h o f exp(2 pi i h.x) and dF/do = F / o, for one atom."""
    crystal = crystal_of().replace(
        occupancies=np.eye(1, SIZE, dtype=np.float32)[0]  # the first atom only
    )
    miller = jnp.asarray(miller_of()[1:])

    def parts(positions, occupancies):
        f = structure_factors(
            crystal.replace(positions=positions, occupancies=occupancies), miller
        )
        return jnp.stack([f.real, f.imag])

    at = jnp.asarray(crystal.positions), jnp.asarray(crystal.occupancies)
    step = np.array([0.3, -0.5, 0.2], np.float32)
    moved = jnp.zeros((SIZE, 3)).at[0].set(step)
    fuller = jnp.zeros(SIZE).at[0].set(1.0)
    slope = jax.jit(lambda *steps: jax.jvp(parts, at, steps)[1])
    f = np.asarray(factors(crystal, miller))
    real, imaginary = slope(moved, jnp.zeros(SIZE))
    expected = 2j * np.pi * (np.asarray(miller) @ step) * f
    assert_same(lax.complex(real, imaginary), expected, 3e-6)
    real, imaginary = slope(jnp.zeros((SIZE, 3)), fuller)
    assert_same(lax.complex(real, imaginary), f)


def test_a_batch_has_the_factors_of_each_of_its_crystals():
    crystals = [crystal_of(number) for number in (2, 15)]
    together = jax.tree.map(lambda *leaves: np.stack(leaves), *crystals)
    miller = jnp.asarray(miller_of())
    found = jax.jit(jax.vmap(structure_factors, in_axes=(0, None)))(together, miller)
    for crystal, one in zip(crystals, found, strict=True):
        assert_same(one, factors(crystal, miller))
