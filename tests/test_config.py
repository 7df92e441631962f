"""Valid configurations, and those that belong to the same run."""

import json
import runpy

import pytest
from repository import ROOT
from tiny_run import tiny_config

from xrdjax.build import make_model
from xrdjax.config import (
    NO_EFFECTS,
    check_config,
    check_same_run,
    expected_value,
    read_config,
    write_config,
)
from xrdjax.errors import InputError
from xrdjax.run import PRETRAINED

BAD_VALUES = [
    ("seed", -1, "seed is -1, expected a whole number, at least 0"),
    ("two_theta_max_deg", 200.0, "two_theta_max_deg is 200.0, expected degrees"),
    ("crystallite_size_nm", (100.0, 20.0), "the smaller first"),
    ("crystallite_size_nm", (20.0,), "two numbers"),
    ("wavelength", 0.0, "wavelength is 0.0, expected a number above 0"),
    ("max_volume", float("nan"), "max_volume is nan, expected a number above 0"),
    ("points", 1, "points is 1, expected a whole number, at least 2"),
    ("steps", 11, "steps is 11, which is not a multiple of steps_per_call, 2"),
    ("checkpoint_every", 3, "checkpoint_every is 3, which is not a multiple"),
    ("steps_per_draw", 0, "steps_per_draw is 0, expected a whole number"),
    (
        "steps_per_draw",
        4,
        "^steps_per_call is 2, which is not a multiple of steps_per_draw, 4: crystals",
    ),
    ("source", "icsd", "'icsd', expected one of synthetic, crystals, mixed"),
    ("known.share", 1.0, r"known.share is 1.0, expected in \(0, 1\)"),
    ("known.strain", 0.5, r"known.strain is 0.5, expected in \[0, 0.1\]"),
    ("statistics", "no/such.npz", "statistics is 'no/such.npz', expected the path"),
    ("model.size", 11, "model.size is 11, expected one of 10, 18, 34, 50, 101"),
    ("model.kind", "mlp", "model.kind is 'mlp', expected one of resnet, park_cnn"),
    ("model.norm", "batch", "model.norm is 'batch', expected one of group, none"),
    ("model.widths", (4, 8), "expected four whole numbers, at least 1, or none"),
    ("spacing", "log", "spacing is 'log', expected one of two_theta, log_sin_theta"),
    ("model.dtype", "float16", "expected one of auto, float32, bfloat16"),
    ("optimizer.learning_rate", -1e-3, "optimizer.learning_rate is -0.001"),
    ("optimizer.kind", "sgd", "'sgd', expected one of adam, muon"),
    ("optimizer.schedule", "step", "expected one of halve, cosine, stable_decay"),
    ("optimizer.warmup_steps", -1, "expected a whole number, at least 0"),
    ("optimizer.b2", 1.0, r"optimizer.b2 is 1.0, expected in \[0, 1\)"),
]


def test_a_value_out_of_range_is_refused_with_what_is_expected():
    check_config(tiny_config())
    for field, value, message in BAD_VALUES:
        with pytest.raises(InputError, match=message):
            check_config(tiny_config(**{field: value}))


def test_a_misspelt_field_is_refused_with_the_right_one():
    config = tiny_config().unlock()
    config.model.widht = 3
    with pytest.raises(InputError, match=r"no field 'model.widht': .*'model.width'"):
        check_config(config)
    with pytest.raises(InputError, match="no field 'colour': see configs/resnet.py"):
        expected_value("colour")


def test_a_configuration_that_lacks_a_field_is_refused():
    config = tiny_config().unlock()
    del config.points
    with pytest.raises(InputError, match="lacks the field 'points'"):
        check_config(config)


def test_what_is_written_is_read_though_its_files_are_gone(tmp_path):
    crystals = tmp_path / "crystals.npz"
    crystals.write_text("")
    config = tiny_config(crystals=str(crystals))
    write_config(tmp_path, config)
    crystals.unlink()
    found = read_config(tmp_path)
    assert found.to_dict() == config.to_dict()
    assert found.is_locked


def test_a_configuration_from_before_a_field_was_added_is_read_as_it_ran(tmp_path):
    config = tiny_config()
    write_config(tmp_path, config)
    path = tmp_path / "config.json"
    written = json.loads(path.read_text())
    del written["spacing"], written["optimizer"]["decay_steps"]
    for name in ("channels", "norm", "stem", "head", "widths"):
        del written["model"][name]
    path.write_text(json.dumps(written))
    assert read_config(tmp_path).to_dict() == config.to_dict()


def test_the_configuration_of_the_bundled_network_is_read():
    config = read_config(PRETRAINED)
    check_config(config)
    written = json.loads((PRETRAINED / "config.json").read_text())
    read = json.loads(json.dumps(config.to_dict()))
    # a field that is newer than the network is as if it were not there
    for name, value in NO_EFFECTS.items():
        assert read["effects"].pop(name) == list(value)
    assert not read.pop("effects") and read["model"].pop("points") == 0
    for name, value in (("lattice_weight", 0), ("min_distance", 0), ("placements", 1)):
        assert read.pop(name) == value
    assert read.pop("anomalous") is False
    for name in ("init", "freeze"):
        assert read.pop(name) == ""
    assert read.pop("min_crystals") == 0
    assert (read.pop("init_checkpoint"), read.pop("init_optimizer")) == (
        "newest",
        "fresh",
    )
    assert read == written


def test_a_configuration_older_than_some_fields_has_the_values_that_it_ran_with(
    tmp_path,
):
    write_config(tmp_path, tiny_config())
    path = tmp_path / "config.json"
    values = json.loads(path.read_text())
    del values["spacing"], values["optimizer"]["decay_steps"]
    for field in ("init", "init_checkpoint", "init_optimizer", "freeze"):
        del values[field]
    for field in ("channels", "norm", "stem", "head", "widths"):
        del values["model"][field]
    path.write_text(json.dumps(values))
    assert read_config(tmp_path).to_dict() == tiny_config().to_dict()


def test_a_folder_that_is_no_run_is_named_as_such(tmp_path):
    for text in (None, "{", "[]", "{}", '{"crystallite_size_nm": 3}'):
        if text is not None:
            (tmp_path / "config.json").write_text(text)
        with pytest.raises(InputError, match="name the work directory of a run"):
            read_config(tmp_path)


def same_run(old, new):
    """Whether a run of the old settings may be resumed with the new ones."""
    try:
        check_same_run(tiny_config(**old), tiny_config(**new), ROOT)
    except InputError:
        return False
    return True


STABLE = {"optimizer.schedule": "stable_decay", "optimizer.decay_steps": 4}
COSINE = {"optimizer.schedule": "cosine"}
NO_VALIDATION = {"evaluation.validation": 0}
OTHER_BATCH = {"evaluation.batch_size": 3}
OTHER_CRYSTALS = {"crystals": str(ROOT)}


@pytest.mark.parametrize(
    ("old", "new", "is_same"),
    [
        ({}, {"checkpoint_every": 2, "evaluation.synthetic": 5}, True),
        ({}, {"seed": 1}, False),
        # longer is the same run, shorter is not
        ({}, {"steps": 16}, True),
        ({}, {"steps": 8}, False),
        # a cosine falls to zero at the end that it was given
        (COSINE, COSINE, True),
        (COSINE, {**COSINE, "steps": 16}, False),
        (COSINE, {**COSINE, "steps": 8}, False),
        ({}, COSINE, False),
        # a fall over the last steps may be moved: see training/test_workdir.py
        (STABLE, {**STABLE, "steps": 16}, True),
        (STABLE, {**STABLE, "steps": 8}, True),
        (STABLE, {**STABLE, "optimizer.decay_steps": 6}, True),
        ({}, STABLE, False),
        # the best checkpoint is the best on one and the same set of patterns
        ({}, OTHER_BATCH, False),
        (NO_VALIDATION, {**NO_VALIDATION, **OTHER_BATCH}, True),
        ({}, OTHER_CRYSTALS, False),
        (NO_VALIDATION, {**NO_VALIDATION, **OTHER_CRYSTALS}, True),
        # which are also what a network may be trained on
        (
            {**NO_VALIDATION, "source": "mixed"},
            {**NO_VALIDATION, "source": "mixed", **OTHER_CRYSTALS},
            False,
        ),
    ],
)
def test_only_what_changes_no_parameter_may_change_as_a_run_is_resumed(
    old, new, is_same
):
    assert same_run(old, new) == is_same


def test_all_that_makes_another_run_is_named(tmp_path):
    other = tiny_config(seed=1, steps_per_call=4, steps=8, **{"model.width": 4})
    with pytest.raises(InputError) as error:
        check_same_run(tiny_config(), other, tmp_path)
    for text in (
        f"the run in {str(tmp_path)!r} was started with another configuration",
        "model.width (there 2, asked for 4)",
        "seed (there 0, asked for 1)",
        "steps_per_call (there 2, asked for 4)",
        "steps (there 12, asked for only 8)",
        "give the same values or another work directory",
    ):
        assert text in str(error.value)
    assert "points" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("resnet", ("10", "18", "34", "50", "101", "quick", "bundled", "cpu")),
        ("park_cnn", ("small", "medium", "large", "quick")),
    ],
)
def test_every_variant_of_a_configuration_is_sound_and_locked(name, arguments):
    get_config = runpy.run_path(str(ROOT / f"configs/{name}.py"))["get_config"]
    for argument in arguments:
        config = get_config(argument)
        check_config(config)
        make_model(config, outputs=3)
        assert config.is_locked
        assert argument in ("quick", "bundled", "cpu", str(config.model.size))
    with pytest.raises(InputError, match=f"configs/{name}.py has no variant '11'"):
        get_config("11")
