"""The training loop, on a source that needs no crystals."""

import json

import pytest
from peaks import assert_same
from tiny_run import SOURCE, tiny_config

from xrdjax.errors import InputError
from xrdjax.training.loop import train


def metrics_of(workdir):
    """What was logged, without the speed, which is never twice the same."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    metrics = [json.loads(line) for line in lines]
    for line in metrics:
        assert line.pop("patterns_per_second") > 0
    return metrics


def test_a_run_leaves_configuration_checkpoints_metrics_and_events(tiny_run):
    workdir = tiny_run.workdir
    assert int(tiny_run.state.step) == 12
    assert json.loads((workdir / "config.json").read_text())["model"]["width"] == 2
    names = {path.name for path in (workdir / "checkpoints").iterdir()}
    assert {"8", "12"} <= names <= {"4", "8", "12"}
    assert list((workdir / "tensorboard").glob("events.out.tfevents.*"))
    assert any(tiny_run.cache.iterdir())
    metrics = metrics_of(workdir)
    assert [line["step"] for line in metrics] == [2, 4, 6, 8, 10, 12]
    always = {"step", "loss", "accuracy", "sampled", "zeros", "skipped_steps"}
    for line in metrics:
        assert line["sampled"] == 8  # four in each of the call's two steps
        assert set(line) - {"validation_accuracy"} == always
        assert ("validation_accuracy" in line) == (line["step"] % 4 == 0)
    assert metrics[-1]["loss"] < metrics[0]["loss"]


def test_a_run_that_was_killed_resumes_as_if_it_had_not_been(tiny_run, tmp_path):
    workdir = tiny_run.copy(tmp_path)
    # killed in its eleventh step, in the middle of a line of metrics
    (workdir / "checkpoints/12").rename(tmp_path / "never written")
    with (workdir / "metrics.jsonl").open("a") as file:
        file.write('{"step": 14, "lo')
    state = train(tiny_config(), workdir, SOURCE)
    assert_same(state, tiny_run.state)
    assert metrics_of(workdir) == metrics_of(tiny_run.workdir)


def test_a_damaged_checkpoint_is_named_and_its_steps_are_repeated(tiny_run, tmp_path):
    workdir = tiny_run.copy(tmp_path)
    manifest = workdir / "checkpoints/12/params/manifest.ocdbt"
    manifest.write_bytes(manifest.read_bytes()[:20])
    with pytest.warns(UserWarning, match="checkpoints/12' is truncated or corrupt"):
        state = train(tiny_config(), workdir, SOURCE)
    assert_same(state, tiny_run.state)
    assert metrics_of(workdir) == metrics_of(tiny_run.workdir)


def test_a_run_can_be_made_longer(tiny_run, tmp_path):
    workdir = tiny_run.copy(tmp_path)
    train(tiny_config(steps=16), workdir, SOURCE)
    assert metrics_of(workdir)[:6] == metrics_of(tiny_run.workdir)
    assert metrics_of(workdir)[-1]["step"] == 16


def test_a_finished_run_is_not_repeated_though_its_report_may_change(
    tiny_run, tmp_path
):
    workdir = tiny_run.copy(tmp_path)

    class Never:
        def sample(self, key, size):
            raise AssertionError("the source was asked for patterns")

    changes = {"checkpoint_every": 6, "evaluation.synthetic": 3}
    assert_same(train(tiny_config(**changes), workdir, Never()), tiny_run.state)
    config = json.loads((workdir / "config.json").read_text())
    assert config["evaluation"]["synthetic"] == 3


def test_another_configuration_is_refused_and_changes_nothing(tiny_run):
    before = (tiny_run.workdir / "config.json").read_bytes()
    with pytest.raises(InputError, match=r"seed \(there 0, asked for 1\)"):
        train(tiny_config(seed=1), tiny_run.workdir, SOURCE)
    assert (tiny_run.workdir / "config.json").read_bytes() == before


def test_a_work_directory_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for workdir in (tmp_path / "file", tmp_path / "file/run"):
        with pytest.raises(InputError, match="cannot write to the work directory"):
            train(tiny_config(), workdir, SOURCE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": -1}, "seed is -1, expected a whole number, at least 0"),
        ({"two_theta_min_deg": 95.0}, "range is 95.0 to 90.0 degrees"),
        ({"model.kind": "park_cnn"}, "there is no Park CNN of size 10: choose small"),
        ({"model.dropout": True}, "a ResNet has no dropout: set it to False"),
        (
            {"model.kind": "park_cnn", "model.norm": "none"},
            "but Park's have no such choice: leave them as in configs/park_cnn.py",
        ),
        ({"model.groups": 3}, "3 groups do not divide a width of 2"),
        ({"source": "mixed"}, "source is 'mixed', but crystals is empty"),
        (
            {"source": "mixed", "crystals": __file__, "batch_size": 1},
            "batch_size is 1, which leaves a device one crystal, .*: choose 2 or more",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_anything_is_written(
    tmp_path, changes, message
):
    with pytest.raises(InputError, match=message):
        train(tiny_config(**changes), tmp_path / "run", SOURCE)
    assert not (tmp_path / "run").exists()
