"""Runs that start from the weights of another one."""

import dataclasses
import json
import runpy
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from peaks import assert_same
from repository import ROOT
from tiny_run import POINTS, SOURCE, tiny_config

from xrdjax.build import check_buildable, frozen_layers, make_optimizer
from xrdjax.checkpoints.records import read_records
from xrdjax.config import check_config
from xrdjax.devices import global_mesh
from xrdjax.errors import InputError
from xrdjax.evaluation.report import about_run
from xrdjax.models.resnet import LATTICE_LAYERS
from xrdjax.run import load_pretrained, load_run, make_run, save_weights
from xrdjax.training.loop import train
from xrdjax.training.origin import describe, origin_of
from xrdjax.training.state import init_state
from xrdjax.training.validation import standard_validation
from xrdjax.training.warm_start import open_start, warm_state

HEAD = "Dense_1"


@pytest.fixture(scope="module")
def run(tiny_run):
    return load_run(tiny_run.workdir)


@pytest.fixture(scope="module")
def initial(run):
    optimizer = make_optimizer(run.config)
    return init_state(0, run.model, optimizer, POINTS, global_mesh())


@pytest.fixture(scope="module")
def weights(run, tmp_path_factory):
    """A folder of the run's weights."""
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    save_weights(run, folder)
    return folder


def from_run(tiny_run, **changes):
    """Configuration of a run that starts from the tiny one."""
    cache = str(tiny_run.cache)
    return tiny_config(init=str(tiny_run.workdir), compilation_cache=cache, **changes)


def test_a_run_that_starts_from_weights_gives_the_answers_of_their_run(
    tiny_run, run, initial, tmp_path
):
    start = open_start(from_run(tiny_run), tmp_path)
    state = warm_state(start, run, initial, global_mesh())
    assert_same(state.params, tiny_run.state.params)
    assert_same(state.opt_state, initial.opt_state)
    validate = standard_validation(run, SOURCE)
    recorded = read_records(tiny_run.workdir)[12]["validation_accuracy"]
    assert validate(state.params) == recorded
    # and not the crystals of the first run once more
    assert int(state.step) == 0
    assert np.any(np.asarray(state.key) != np.asarray(initial.key))


def test_a_kept_optimizer_has_the_saved_state_but_its_schedule_begins_anew(
    tiny_run, run, initial, tmp_path
):
    start = open_start(from_run(tiny_run, init_optimizer="kept"), tmp_path)
    state = warm_state(start, run, initial, global_mesh())
    saved, schedule = tiny_run.state.opt_state
    assert isinstance(schedule, optax.ScaleByScheduleState) and schedule.count == 12
    assert_same(state.opt_state, (saved, schedule._replace(count=jnp.int32(0))))


def test_logits_of_groups_that_both_know_are_carried_over_and_others_start_afresh(
    tiny_run, run, initial, tmp_path
):
    groups = run.space_groups
    missing = next(number for number in range(1, 231) if number not in groups)
    # the last group takes the place of the first and so on, and one is not known
    other = dataclasses.replace(
        run, space_groups=np.concatenate([groups[:0:-1], [missing]])
    )
    start = open_start(from_run(tiny_run, init_optimizer="kept"), tmp_path)
    state = warm_state(start, other, initial, global_mesh())
    inputs = jnp.asarray(np.random.default_rng(0).random((3, POINTS), np.float32))
    apply = jax.jit(run.model.apply)
    before = apply({"params": run.params}, inputs)
    after = apply({"params": state.params}, inputs)
    np.testing.assert_allclose(after[:, :-1], before[:, :0:-1], atol=1e-5)
    for leaf in ("kernel", "bias"):
        fresh, found = initial.params[HEAD][leaf], state.params[HEAD][leaf]
        np.testing.assert_array_equal(found[..., -1], fresh[..., -1])
        saved = tiny_run.state.opt_state[0].mu[HEAD][leaf]
        moments = state.opt_state[0].mu[HEAD][leaf]
        np.testing.assert_array_equal(moments[..., :-1], saved[..., :0:-1])
        assert not np.any(moments[..., -1])
    line = describe(origin_of(start, other, frozenset(), None))
    assert f"85 of 86 space groups carried over (not {missing}); optimizer kept" in line


def test_frozen_layers_do_not_move_though_their_momentum_is_kept(tiny_run, tmp_path):
    config = from_run(tiny_run, steps=2, freeze="all_but_head", init_optimizer="kept")
    frozen = frozen_layers(config)
    assert HEAD not in frozen and {"Conv_0", "GroupNorm_0", "Dense_0"} < frozen
    state = train(config, tmp_path / "run", SOURCE)
    before = tiny_run.state.params
    for layer, leaves in state.params.items():
        same = jax.tree.map(np.array_equal, leaves, before[layer])
        assert set(jax.tree.leaves(same)) == {layer != HEAD}, layer


def test_layers_are_frozen_by_names_and_patterns():
    config = tiny_config(init="pretrained", freeze="Conv_*, Dense_0")
    layers = frozen_layers(config)
    assert layers == {f"Conv_{i}" for i in range(13)} | {"Dense_0"}


def test_a_run_is_started_once_and_resumed_without_the_weights(
    tiny_run, tmp_path, capsys
):
    source = tiny_run.copy(tmp_path)
    config = from_run(tiny_run, init_checkpoint="best")
    config.init = str(source)
    workdir = tmp_path / "second"
    state = train(config, workdir, SOURCE)
    records = read_records(source)
    best = max(records, key=lambda step: (records[step]["validation_accuracy"], step))
    accuracy = records[best]["validation_accuracy"]
    printed = capsys.readouterr().err
    groups = SOURCE.classes
    assert (
        f"started from 'run' at step {best}; {groups} of {groups} space groups carried "
        f"over; optimizer fresh; validation accuracy {accuracy:.1%}\n"
    ) in printed
    origin = (workdir / "origin.json").read_text()
    shutil.rmtree(source)
    shutil.rmtree(workdir / "checkpoints/12")  # as if killed after step 8
    assert_same(train(config, workdir, SOURCE), state)
    assert "started from" not in capsys.readouterr().err
    assert (workdir / "origin.json").read_text() == origin
    shutil.rmtree(workdir / "checkpoints")  # then nothing is left to resume
    with pytest.raises(InputError, match="name the work directory of a run"):
        train(config, workdir, SOURCE)


def test_the_origin_is_recorded_and_stays_with_exported_weights(
    tiny_run, run, weights, tmp_path
):
    start = open_start(tiny_config(init=str(weights)), tmp_path)
    first = origin_of(start, run, frozenset({"Conv_0"}), 0.5)
    second = dataclasses.replace(run, origin=first)
    save_weights(second, tmp_path / "second")
    loaded = load_pretrained(tmp_path / "second")
    assert loaded.origin == json.loads(json.dumps(first))
    assert loaded.config.init == ""
    assert about_run(loaded, tmp_path, "newest")["origin"]["init"] == "tiny"
    start = open_start(tiny_config(init=str(tmp_path / "second")), tmp_path / "third")
    third = origin_of(start, run, frozenset(), None)
    assert (third["origin"], third["updates"]) == (first, 24)
    assert "frozen: Conv_0; validation accuracy 50.0%" in describe(first)


def test_weights_that_do_not_fit_are_refused_before_anything_is_written(
    tiny_run, weights, tmp_path
):
    empty = tiny_run.copy(tmp_path)
    shutil.rmtree(empty / "checkpoints")
    own, folder = str(tiny_run.workdir), str(weights)
    cases = [
        ({"init": own, "points": 128}, "trained with points 64 .asked for 128.: give"),
        ({"init": own, "spacing": "log_sin_theta"}, "with spacing 'two_theta' "),
        (
            {"init": own, "model.channels": "sqrt_fourth_root_log", "model.width": 4},
            "with model.channels 'sqrt' .asked for .*, model.width 2 .asked for 4.: ",
        ),
        ({"init": folder, "init_optimizer": "kept"}, "weights such as .* come without"),
        (
            {"init": own, "init_optimizer": "kept", "optimizer.kind": "muon"},
            "is 'adam' and this run's is 'muon': set optimizer.kind to the same",
        ),
        ({"init": str(tmp_path / "no")}, "name the work directory of a run"),
        ({"init": str(empty)}, "has no checkpoint yet"),
        (
            {"init": own, "freeze": "Conf_0"},
            "freeze names 'Conf_0', but the network has",
        ),
        ({"init": own, "freeze": "*"}, "leaves no layer to train: name fewer layers"),
        ({"freeze": "Conv_0"}, "but init is empty: name the weights to start from"),
        ({"init_optimizer": "kept"}, "but init is empty"),
        ({"init": own, "init_checkpoint": "last"}, "expected one of newest, best"),
    ]
    for changes, message in cases:
        with pytest.raises(InputError, match=message):
            train(tiny_config(**changes), tmp_path / "new", SOURCE)
    assert not (tmp_path / "new").exists()


def test_the_bundled_network_fits_its_configuration_for_fine_tuning(tmp_path):
    path = ROOT / "configs" / "fine_tune.py"
    config = runpy.run_path(str(path))["get_config"]()
    check_config(config)
    check_buildable(config, devices=1)
    start = open_start(config, tmp_path)
    assert start is not None and start.network.step > 0


def test_a_run_takes_over_all_but_the_cells_that_its_start_does_not_give(
    tiny_run, run, initial, tmp_path
):
    config = from_run(tiny_run, lattice_weight=1.0)
    start = open_start(config, tmp_path)
    more = make_run(config, run.statistics, run.provenance)
    optimizer = make_optimizer(config)
    fresh = init_state(1, more.model, optimizer, POINTS, global_mesh())
    state = warm_state(start, more, fresh, global_mesh())
    cells = {name: fresh.params[name] for name in LATTICE_LAYERS}
    assert_same(state.params, tiny_run.state.params | cells)
    # and back: a network without cells leaves them behind
    given = dataclasses.replace(start, network=more_of(start, state.params))
    back = warm_state(given, run, initial, global_mesh())
    assert_same(back.params, tiny_run.state.params)
    config.init_optimizer = "kept"
    with pytest.raises(InputError, match="only one of the networks gives unit cells"):
        open_start(config, tmp_path)
    frozen = frozen_layers(tiny_config(lattice_weight=1.0, freeze="all_but_head"))
    assert frozen.isdisjoint({HEAD, *LATTICE_LAYERS})


def more_of(start, params):
    """The network of a start with these parameters."""
    return dataclasses.replace(start.network, params=params)
