"""The network of a run, and the weights that are bundled: what is saved is loaded."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest
from peaks import assert_same

import xrdjax
import xrdjax.run
from xrdjax import classify as classify_command
from xrdjax import evaluate as evaluate_command
from xrdjax.build import make_model
from xrdjax.errors import InputError
from xrdjax.models import parameters
from xrdjax.prior.file import load_statistics, save_statistics
from xrdjax.run import (
    STATISTICS,
    WEIGHTS,
    load_network,
    load_pretrained,
    load_run,
    save_weights,
)


@pytest.fixture(scope="module")
def workdir(tiny_run, tmp_path_factory):
    """A finished run whose best checkpoint is that of step 8."""
    workdir = tiny_run.copy(tmp_path_factory.mktemp("best"))
    path = workdir / "checksums.json"
    records = json.loads(path.read_text())
    for step, accuracy in {"4": None, "8": 0.5, "12": 0.1}.items():
        records.setdefault(step, {})["validation_accuracy"] = accuracy
    path.write_text(json.dumps(records))
    return workdir


@pytest.fixture(scope="module")
def run(workdir):
    return load_run(workdir, "best")


@pytest.fixture(scope="module")
def saved(run, tmp_path_factory):
    """A folder of its weights; not to be changed."""
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    save_weights(run, folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "weights")


def test_a_run_is_loaded_with_all_that_its_network_needs(tiny_run):
    run = load_run(tiny_run.workdir)
    assert run.step == 12
    groups = np.asarray(load_statistics(min_crystals=50).space_groups)
    np.testing.assert_array_equal(run.space_groups, groups)
    assert_same(run.statistics, load_statistics(min_crystals=50))
    assert run.model == make_model(run.config, outputs=len(groups))
    assert run.measurement.grid.points == run.config.points == 64
    assert run.evaluation.batch_size == 4
    assert_same(run.params, tiny_run.state.params)


def test_the_best_checkpoint_is_loaded_where_it_is_asked_for(run, workdir):
    assert run.step == 8
    assert load_run(workdir).step == 12


def test_a_run_without_a_checkpoint_states_when_there_will_be_one(tiny_run, tmp_path):
    workdir = tiny_run.copy(tmp_path)
    shutil.rmtree(workdir / "checkpoints")
    with pytest.raises(InputError, match="has no checkpoint yet: .* 4 steps"):
        load_run(workdir)


def test_a_folder_that_is_no_run_is_named_as_such(tmp_path):
    with pytest.raises(InputError, match="name the work directory of a run"):
        load_run(tmp_path)


def test_weights_are_loaded_as_they_were_up_to_half_precision(run, saved):
    loaded = load_pretrained(saved)
    assert loaded.step == 8
    assert loaded.model == run.model
    np.testing.assert_array_equal(loaded.space_groups, run.space_groups)
    assert jax.tree.structure(loaded.params) == jax.tree.structure(run.params)
    for was, now in zip(
        jax.tree.leaves(run.params), jax.tree.leaves(loaded.params), strict=True
    ):
        assert now.dtype == was.dtype
        # 2^-11 of a weight, and the spacing of float16 near zero
        np.testing.assert_allclose(now, was, rtol=2.0**-11, atol=2.0**-25)


def test_the_bundled_statistics_are_not_saved_again_and_others_are(
    run, saved, tmp_path
):
    assert {path.name for path in saved.iterdir()} == {WEIGHTS, "config.json"}
    frequencies = np.asarray(run.statistics.frequencies)[::-1].copy()
    other = dataclasses.replace(run.statistics, frequencies=frequencies)
    save_weights(dataclasses.replace(run, statistics=other), tmp_path)
    assert (tmp_path / STATISTICS).exists()
    assert_same(load_pretrained(tmp_path).statistics, other)
    save_weights(run, tmp_path)  # and none of them stay
    assert_same(load_pretrained(tmp_path).statistics, load_statistics(min_crystals=50))


def test_patterns_are_classified_alike(run, saved):
    patterns = np.random.default_rng(0).random((3, 64), np.float32)
    before, after = (
        xrdjax.classify_patterns(network, patterns, batch_size=3)
        for network in (run, load_pretrained(saved))
    )
    np.testing.assert_allclose(after, before, atol=2e-3)


def test_only_places_of_the_machine_are_left_out_of_the_configuration(run, saved):
    was, now = run.config.to_dict(), load_pretrained(saved).config.to_dict()
    assert was.pop("compilation_cache") and not now.pop("compilation_cache")
    assert now == was
    assert run.config.compilation_cache  # the run's own is not touched


def test_weights_learned_from_known_crystals_do_without_them(run, tmp_path):
    config = run.config.copy_and_resolve_references()
    config.update({"source": "crystals", "crystals": str(tmp_path / "gone.npz")})
    save_weights(dataclasses.replace(run, config=config), tmp_path / "weights")
    loaded = load_pretrained(tmp_path / "weights")
    assert (loaded.config.source, loaded.config.crystals) == ("crystals", "")


def test_weights_beyond_half_precision_are_refused(run, tmp_path):
    for value in (1e5, np.nan, -np.inf):
        params = jax.tree.map(lambda leaf, value=value: leaf + value, run.params)
        with pytest.raises(InputError, match="not finite in float16"):
            save_weights(dataclasses.replace(run, params=params), tmp_path)
        assert not (tmp_path / WEIGHTS).exists()


def test_weights_that_are_too_large_are_refused_and_removed(run, tmp_path, monkeypatch):
    monkeypatch.setattr(parameters, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match="smaller network"):
        save_weights(run, tmp_path)
    assert not (tmp_path / WEIGHTS).exists()


def test_weights_that_are_cut_are_named(folder):
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="damaged"):
        load_pretrained(folder)


def test_weights_of_another_network_are_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    config["model"]["width"] = 4
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="are not those of the network"):
        load_pretrained(folder)


def test_weights_of_other_space_groups_are_refused(run, folder):
    with np.load(folder / WEIGHTS) as file:
        arrays = dict(file)
    arrays["space_groups"] = arrays["space_groups"][::-1]
    np.savez_compressed(folder / WEIGHTS, **arrays)
    with pytest.raises(InputError, match="225, .* do not ascend"):
        load_pretrained(folder)
    save_statistics(folder / STATISTICS, run.statistics, run.provenance)
    with pytest.raises(InputError, match="name other space groups than the statistics"):
        load_pretrained(folder)


def test_without_weights_the_message_states_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="export_pretrained"):
        load_pretrained(tmp_path)
    monkeypatch.setattr(xrdjax.run, "PRETRAINED", tmp_path)
    with pytest.raises(InputError, match="without pretrained weights.*--workdir"):
        load_network(tmp_path)


def test_a_network_is_found_in_a_work_directory_and_in_a_folder_of_weights(
    workdir, folder, monkeypatch
):
    assert load_network(workdir).step == 12
    assert load_network(workdir, "best").step == load_network(folder).step == 8
    shutil.copytree(workdir, folder, dirs_exist_ok=True)  # weights come first
    monkeypatch.setattr(xrdjax.run, "load_run", None)
    assert load_network(str(folder)).step == 8


def test_pretrained_weights_classify_a_pattern(folder, tmp_path, monkeypatch, capsys):
    grid = np.linspace(5, 90, 500)
    pattern = sum(np.exp(-0.5 * ((grid - place) / 0.3) ** 2) for place in (40, 60))
    np.savetxt(tmp_path / "a.xy", np.stack([grid, pattern], axis=1))
    classify_command.main([f"--workdir={folder}", f"--pattern={tmp_path / 'a.xy'}"])
    assert "network of step 8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        (evaluate_command, []),
        (evaluate_command, ["--pretrained", "--workdir=x"]),
        (classify_command, ["--pretrained", "--workdir=x"]),
        (classify_command, ["--pretrained", "--clean"]),
    ],
)
def test_one_network_must_be_named_and_only_one(command, flags, capsys):
    with pytest.raises(SystemExit) as end:
        command.main(
            [*flags, *(["--pattern=x"] if command is not evaluate_command else [])]
        )
    assert end.value.code == 2
    assert "--pretrained" in capsys.readouterr().err
