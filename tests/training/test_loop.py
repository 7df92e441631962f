"""The training loop, on a generator that needs no crystals."""

import json
import shutil

import jax
import numpy as np
import pytest
from tiny_run import draw, forget_compilation_cache, tiny_config

from xrdjax.config import check_same_run
from xrdjax.errors import InputError
from xrdjax.training import loop as train_module
from xrdjax.training.loop import _batch_size, _check_batch, train


def metrics_of(workdir):
    """What was logged, without the speed, which is never twice the same."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    metrics = [json.loads(line) for line in lines]
    for line in metrics:
        assert line.pop("diffractograms_per_second") > 0
    return metrics


def assert_same_state(state, expected):
    for got, wanted in zip(
        jax.tree.leaves(state), jax.tree.leaves(expected), strict=True
    ):
        np.testing.assert_array_equal(got, wanted)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """A run of twelve steps in one go: its directory and its last state."""
    folder = tmp_path_factory.mktemp("unbroken")
    cache = folder / "cache"
    state = train(tiny_config(compilation_cache=str(cache)), folder / "run", draw)
    assert any(cache.iterdir())
    yield folder / "run", state
    forget_compilation_cache()


@pytest.fixture
def stopped(unbroken, tmp_path):
    """The same run as a kill in its ninth step would leave it."""
    workdir = shutil.copytree(unbroken[0], tmp_path / "run")
    shutil.rmtree(workdir / "checkpoints/12")
    with (workdir / "metrics.jsonl").open("a") as file:
        file.write('{"step": 14, "lo')
    return workdir


def test_a_run_leaves_configuration_checkpoints_metrics_and_events(unbroken):
    workdir, state = unbroken
    assert int(state.step) == 12
    assert json.loads((workdir / "config.json").read_text())["model"]["width"] == 2
    assert {path.name for path in (workdir / "checkpoints").iterdir()} == {"8", "12"}
    assert list((workdir / "tensorboard").glob("events.out.tfevents.*"))
    metrics = metrics_of(workdir)
    assert [line["step"] for line in metrics] == [2, 4, 6, 8, 10, 12]
    for line in metrics:
        assert set(line) - {"validation_accuracy"} == {
            "step",
            "loss",
            "accuracy",
            "rejected",
            "overflow",
            "skipped_steps",
        }
        assert ("validation_accuracy" in line) == (line["step"] % 4 == 0)
        assert line["rejected"] == 4  # two in each of the call's two steps
    assert metrics[-1]["loss"] < metrics[0]["loss"]


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(unbroken, stopped):
    state = train(tiny_config(), stopped, draw)
    assert_same_state(state, unbroken[1])
    assert metrics_of(stopped) == metrics_of(unbroken[0])


def test_a_damaged_checkpoint_is_named_and_its_steps_are_done_again(unbroken, tmp_path):
    workdir = shutil.copytree(unbroken[0], tmp_path / "run")
    manifest = workdir / "checkpoints/12/params/manifest.ocdbt"
    manifest.write_bytes(manifest.read_bytes()[:20])
    with pytest.warns(UserWarning, match="checkpoints/12' is truncated or corrupt"):
        state = train(tiny_config(), workdir, draw)
    assert_same_state(state, unbroken[1])
    assert metrics_of(workdir) == metrics_of(unbroken[0])


def test_a_run_can_be_made_longer(unbroken, tmp_path):
    workdir = shutil.copytree(unbroken[0], tmp_path / "run")
    train(tiny_config(steps=16), workdir, draw)
    assert metrics_of(workdir)[:6] == metrics_of(unbroken[0])
    assert metrics_of(workdir)[-1]["step"] == 16


def test_a_run_that_is_done_is_not_done_again(unbroken):
    def never(*_):
        raise AssertionError("the generator was asked for diffractograms")

    state = train(tiny_config(), unbroken[0], never)
    assert_same_state(state, unbroken[1])


def test_another_configuration_is_refused_and_what_differs_is_named(unbroken):
    workdir, _ = unbroken
    before = (workdir / "config.json").read_bytes()
    other = tiny_config(seed=1, steps_per_call=4, **{"model.width": 4})
    with pytest.raises(InputError) as error:
        train(other, workdir, draw)
    for text in (
        "model.width (there 2, asked for 4)",
        "seed (there 0, asked for 1)",
        "steps_per_call (there 2, asked for 4)",
    ):
        assert text in str(error.value)
    assert "points" not in str(error.value)
    assert (workdir / "config.json").read_bytes() == before


def test_a_run_cannot_be_made_shorter(unbroken):
    with pytest.raises(InputError, match=r"steps \(there 12, asked for only 8\)"):
        train(tiny_config(steps=8), unbroken[0], draw)


@pytest.mark.parametrize("steps", [8, 16])
def test_a_run_whose_learning_rate_falls_to_zero_at_its_end_keeps_its_end(
    tmp_path, steps
):
    cosine = {"optimizer.schedule": "cosine"}
    message = rf"steps \(there 12, asked for {steps}\): give the same values"
    with pytest.raises(InputError, match=message):
        check_same_run(
            tiny_config(**cosine), tiny_config(steps=steps, **cosine), tmp_path
        )
    check_same_run(tiny_config(**cosine), tiny_config(**cosine), tmp_path)


def test_a_run_of_another_schedule_may_be_made_longer_and_not_turned_into_a_cosine(
    tmp_path,
):
    check_same_run(tiny_config(), tiny_config(steps=16), tmp_path)
    cosine = tiny_config(**{"optimizer.schedule": "cosine"})
    message = r"optimizer.schedule \(there 'halve', asked for 'cosine'\)"
    with pytest.raises(InputError, match=message):
        check_same_run(tiny_config(), cosine, tmp_path)


def test_what_only_changes_the_report_may_differ(unbroken):
    train(
        tiny_config(checkpoint_every=6, **{"evaluation.synthetic": 3}),
        unbroken[0],
        draw,
    )


def test_the_patterns_that_choose_the_best_checkpoint_may_not_change(tmp_path):
    other = {"evaluation.batch_size": 3}
    message = r"evaluation.batch_size \(there 4, asked for 3\)"
    with pytest.raises(InputError, match=message):
        check_same_run(tiny_config(), tiny_config(**other), tmp_path)
    none = {"evaluation.validation": 0}
    check_same_run(tiny_config(**none), tiny_config(**none, **other), tmp_path)


def test_a_work_directory_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write to the work directory"):
        train(tiny_config(), tmp_path / "file", draw)
    with pytest.raises(InputError, match="cannot write to the work directory"):
        train(tiny_config(), tmp_path / "file/run", draw)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("two_theta_min_deg", 95.0, "range is 95.0 to 90.0 degrees"),
        ("two_theta_max_deg", 200.0, "two_theta_max_deg is 200.0, expected degrees"),
        ("crystallite_size_nm", (100.0, 20.0), "the smaller first"),
        ("crystallite_size_nm", (20.0,), "two numbers of nanometres"),
        ("wavelength", 0.0, "wavelength is 0.0, expected a number above 0"),
        ("max_volume", float("nan"), "max_volume is nan, expected a number above 0"),
        ("points", 1, "points is 1, expected a whole number, at least 2"),
        ("steps", 11, "steps is 11, which is not a multiple of steps_per_call, 2"),
        ("checkpoint_every", 3, "checkpoint_every is 3, which is not a multiple"),
        ("statistics", "no/such.npz", "statistics is 'no/such.npz', expected the path"),
        ("model.size", 11, "model.size is 11, expected one of 10, 18, 34, 50, 101"),
        ("model.kind", "park_cnn", "there is no Park CNN of size 10: choose small"),
        ("model.kind", "mlp", "model.kind is 'mlp', expected one of resnet, park_cnn"),
        ("model.dropout", True, "which a ResNet has not"),
        ("model.groups", 3, "3 groups do not divide a width of 2"),
        ("model.dtype", "float16", "expected one of auto, float32, bfloat16"),
        ("optimizer.learning_rate", -1e-3, "optimizer.learning_rate is -0.001"),
        ("optimizer.kind", "sgd", "'sgd', expected one of adam, muon"),
        ("optimizer.schedule", "step", "'step', expected one of halve, cosine"),
        ("optimizer.warmup_steps", -1, "expected a whole number, at least 0"),
        ("steps_per_draw", 0, "steps_per_draw is 0, expected a whole number"),
        ("optimizer.b2", 1.0, r"optimizer.b2 is 1.0, expected in \[0, 1\)"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_before_anything_is_written(
    tmp_path, field, value, message
):
    with pytest.raises(InputError, match=message):
        train(tiny_config(**{field: value}), tmp_path / "run", draw)
    assert not (tmp_path / "run").exists()


def test_a_misspelt_field_of_a_configuration_is_refused_with_the_right_one(tmp_path):
    config = tiny_config().unlock()
    config.model.widht = 3
    with pytest.raises(InputError, match=r"no field 'model.widht': .*'model.width'"):
        train(config, tmp_path / "run", draw)


def test_a_configuration_that_lacks_a_field_is_refused(tmp_path):
    config = tiny_config().unlock()
    del config.points
    with pytest.raises(InputError, match="lacks the field 'points'"):
        train(config, tmp_path / "run", draw)


def test_a_finished_run_is_evaluated(monkeypatch, tmp_path):
    done = []
    monkeypatch.setattr(train_module, "train", lambda *args: done.append(args))
    monkeypatch.setattr(train_module, "evaluate_run", lambda workdir: [*done, workdir])
    config = tiny_config()
    report = train_module.train_and_evaluate(config, tmp_path)
    assert report == [(config, tmp_path), tmp_path]


def test_a_batch_of_zero_is_one_diffractogram_a_group():
    assert _batch_size(0, groups=145, devices=1) == 145
    assert _batch_size(0, groups=145, devices=8) == 152
    assert _batch_size(64, groups=145, devices=8) == 64


@pytest.mark.parametrize(
    ("batch_size", "source", "message"),
    [(60, "synthetic", "choose a multiple of 8"), (8, "mixed", "choose 16 or more")],
)
def test_a_batch_that_cannot_be_shared_is_refused(batch_size, source, message):
    config = tiny_config()
    config.update({"batch_size": batch_size, "source": source, "steps_per_draw": 1})
    with pytest.raises(InputError, match=message):
        _check_batch(config, devices=8)
    _check_batch(config, devices=4)
