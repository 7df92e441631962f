"""Sine and cosine of turns against NumPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xrdjax.ops.phases import cos_sin_turns

# What the module promises, and what float32 itself rounds.
ACCURACY = 7.5e-7


def turns_of_all_sizes() -> np.ndarray:
    """Angles from a small part of a turn to 100,000 turns, both signs, in float32."""
    rng = np.random.default_rng(0)
    sizes = 10.0 ** rng.uniform(-6, 5, 20000)
    special = np.arange(-16, 17) / 8
    return np.concatenate([sizes, -sizes, special]).astype(np.float32)


def exact(turns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same in float64; whole turns are taken off first, which is exact."""
    angle = 2 * np.pi * (turns.astype(float) - np.round(turns.astype(float)))
    return np.cos(angle), np.sin(angle)


def test_cosine_and_sine_are_right_over_many_turns():
    turns = turns_of_all_sizes()
    c, s = cos_sin_turns(jnp.asarray(turns))
    assert c.dtype == s.dtype == jnp.float32
    cosine, sine = exact(turns)
    np.testing.assert_allclose(c, cosine, rtol=0, atol=ACCURACY)
    np.testing.assert_allclose(s, sine, rtol=0, atol=ACCURACY)


def test_sine_of_a_small_angle_is_right_to_its_last_digits():
    turns = np.geomspace(1e-20, 1e-3, 500).astype(np.float32)
    _, s = cos_sin_turns(jnp.asarray(turns))
    np.testing.assert_allclose(s, np.sin(2 * np.pi * turns.astype(float)), rtol=4e-7)


def test_whole_turns_change_nothing():
    part = jnp.arange(-64, 65) / 128  # exact in float32, with any whole number
    for whole in (-4096.0, -1.0, 1.0, 3.0, 65536.0):
        for moved, still in zip(
            cos_sin_turns(part + whole), cos_sin_turns(part), strict=True
        ):
            # half a turn may be rounded to either side, where the sine is 0
            np.testing.assert_allclose(moved, still, rtol=0, atol=ACCURACY)


@pytest.mark.parametrize("transform", [jax.jit, jax.vmap])
def test_compiled_and_mapped_it_gives_the_same(transform):
    turns = jnp.asarray(turns_of_all_sizes()[::50])
    for ours, plain in zip(
        transform(cos_sin_turns)(turns), cos_sin_turns(turns), strict=True
    ):
        np.testing.assert_allclose(ours, plain, rtol=0, atol=3e-7)


def test_first_and_second_derivatives_are_those_of_cosine_and_sine():
    turns = turns_of_all_sizes()[::50]
    cosine, sine = exact(turns)
    rate = 2 * np.pi
    for part, first, second in ((0, -sine, -cosine), (1, cosine, -sine)):

        def value(turn, part=part):
            return cos_sin_turns(turn)[part]

        slope = jax.vmap(jax.grad(value))(jnp.asarray(turns))
        np.testing.assert_allclose(slope, rate * first, rtol=0, atol=rate * 1e-6)
        bend = jax.vmap(jax.grad(jax.grad(value)))(jnp.asarray(turns))
        np.testing.assert_allclose(bend, rate**2 * second, rtol=0, atol=rate**2 * 2e-6)
