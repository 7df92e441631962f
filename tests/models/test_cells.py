"""The second output: cells that obey their lattice, and a loss that is zero at the truth."""

import runpy

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from repository import ROOT, get_config

from xrdjax.build import cell_loss_of, make_model
from xrdjax.crystals.standard_cell import (
    ANGLES,
    BRAVAIS_LATTICES,
    FREE,
    TIES,
    bravais_rows,
    standard_cell,
)
from xrdjax.errors import InputError
from xrdjax.models.cells import LATTICES, CellLoss, decode_cells, encode_cell
from xrdjax.models.parameters import init_params, parameter_shapes
from xrdjax.models.resnet import LATTICE_LAYERS, ResNet

NUMBERS = np.arange(1, 231)
LOSS = CellLoss(1.0, tuple(NUMBERS.tolist()))
GROUP_ROWS = jnp.arange(230)
RNG = np.random.default_rng(0)
OUTPUTS = RNG.normal(0, 0.2, (230, LATTICES, 6)).astype(np.float32)
BRAVAIS = bravais_rows()[NUMBERS]


def settings_of(cells):
    """Decoded cells [230, L, 6] of each group's own lattice, angstrom and radians."""
    own = cells[np.arange(230), BRAVAIS]
    return np.concatenate([own[:, :3], np.deg2rad(own[:, 3:])], axis=1)


@jax.jit
def loss_and_gradient(outputs, cells, known):
    def loss(outputs):
        value, error = LOSS(outputs, cells, GROUP_ROWS, known)
        return value, error

    return jax.value_and_grad(loss, has_aux=True)(outputs)


EVERY = np.full(230, True)


def test_decoded_cells_obey_the_symmetry_of_each_lattice():
    cells = decode_cells(OUTPUTS)
    lengths = cells[..., :3]
    np.testing.assert_array_equal(
        lengths, np.take_along_axis(lengths, TIES[None], axis=-1)
    )
    fixed = np.broadcast_to(~FREE[:, 3:], lengths.shape)
    angles = np.broadcast_to(ANGLES, lengths.shape)
    np.testing.assert_array_equal(cells[..., 3:][fixed], angles[fixed])
    assert decode_cells(1e6 * OUTPUTS).max() < 400


def test_the_true_cell_has_no_loss_and_only_what_its_lattice_leaves_free_has_a_gradient():
    truth = settings_of(decode_cells(OUTPUTS))
    standard = jax.vmap(standard_cell)(jnp.asarray(truth), jnp.asarray(NUMBERS))
    answers = OUTPUTS.copy()
    answers[np.arange(230), BRAVAIS] = jax.vmap(encode_cell)(standard)
    (loss, error), _ = loss_and_gradient(answers, truth, EVERY)
    assert loss < 1e-5 and error < 1e-5
    (loss, error), gradient = loss_and_gradient(answers + 0.1, truth, EVERY)
    assert loss == pytest.approx(np.hypot(0.1, 0.01) - 0.01, rel=1e-3)
    assert error == pytest.approx(np.expm1(0.1), rel=1e-3)
    own = np.zeros((230, LATTICES, 6), bool)
    own[np.arange(230), BRAVAIS] = FREE[BRAVAIS]
    np.testing.assert_array_equal(np.asarray(gradient) > 0, own)
    np.testing.assert_array_equal(np.asarray(gradient) != 0, own)


def test_a_larger_cell_adds_its_logarithm_to_what_is_learned():
    cell = jnp.array([4.0, 5.0, 6.0, 1.5, 1.6, 1.7])
    larger = cell * jnp.array([2.0, 2, 2, 1, 1, 1])
    np.testing.assert_allclose(
        encode_cell(larger) - encode_cell(cell), [np.log(2)] * 3 + [0] * 3, atol=1e-6
    )


def test_cells_that_are_not_known_have_no_part_in_the_loss():
    truth = settings_of(decode_cells(OUTPUTS))
    broken = truth.copy()
    broken[::2] = np.nan
    broken[1] = 0
    known = EVERY.copy()
    known[3] = False
    (loss, error), gradient = loss_and_gradient(OUTPUTS, broken, known)
    left = known & np.isfinite(broken).all(axis=1) & (broken > 0).all(axis=1)
    (expected, _), _ = loss_and_gradient(OUTPUTS, truth, left)
    assert loss == pytest.approx(float(expected)) and np.isfinite(error)
    assert np.isfinite(gradient).all() and not np.any(np.asarray(gradient)[~left])
    (nothing, _), gradient = loss_and_gradient(OUTPUTS, truth, ~EVERY)
    assert nothing == 0 and not np.any(gradient)


def test_a_network_without_cells_has_the_layers_it_had_and_one_with_them_two_more():
    config = get_config("quick").unlock()
    plain = make_model(config, outputs=3)
    assert cell_loss_of(config, [1, 2, 3]) is None
    config.lattice_weight = 0.5
    model = make_model(config, outputs=3)
    assert cell_loss_of(config, [1, 2, 3]) == CellLoss(0.5, (1, 2, 3))
    shapes = parameter_shapes(model, config.points)
    before = parameter_shapes(plain, config.points)
    assert {name: shapes[name] for name in before} == before
    assert shapes.keys() - before.keys() == set(LATTICE_LAYERS)
    get_park = runpy.run_path(str(ROOT / "configs/park_cnn.py"))["get_config"]
    config = get_park("small")
    config.lattice_weight = 0.5
    with pytest.raises(InputError, match="lattice_weight is 0.5"):
        make_model(config, outputs=3)


def test_logits_are_the_same_with_and_without_the_cells():
    model = ResNet((1,), False, 3, width=2, groups=1, lattices=LATTICES)
    inputs = jnp.asarray(RNG.random((2, 64), np.float32))
    params = {"params": init_params(jax.random.key(0), model, 64)}
    apply = jax.jit(model.apply, static_argnames="with_cells")
    logits, cells = apply(params, inputs, with_cells=True)
    np.testing.assert_allclose(logits, apply(params, inputs), atol=1e-6)
    assert cells.shape == (2, len(BRAVAIS_LATTICES), 6)
