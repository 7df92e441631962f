"""Weights that come with the program: what is written is what comes back."""

import json
import shutil

import jax
import numpy as np
import pytest
from repository import get_config

import xrdjax
from experiments import export_pretrained
from xrdjax import classify as classify_command
from xrdjax import evaluate
from xrdjax import run as pretrained
from xrdjax.checkpoints import writer as checkpoints
from xrdjax.config import make_model, write_config
from xrdjax.crystals.textbook import gallery
from xrdjax.errors import InputError
from xrdjax.models.resnet import init_params
from xrdjax.prior.file import load_statistics, read_provenance, save_statistics
from xrdjax.run import WEIGHTS, load_network, load_pretrained, save_weights

STEP = 7


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """A work directory with a checkpoint of an untrained, tiny network."""
    folder = tmp_path_factory.mktemp("run")
    config = get_config("quick")
    config.points = 500
    config.model.update({"width": 2, "groups": 1})
    config.evaluation.update({"batch_size": 4, "synthetic": 4})
    config.compilation_cache = "/somewhere/private"
    write_config(folder, config)
    statistics = load_statistics()
    save_statistics(folder / checkpoints.STATISTICS, statistics, read_provenance())
    model = make_model(config, outputs=len(statistics.space_groups))
    params = init_params(jax.random.key(0), model, config.points)
    checkpoints.save(folder, STEP, {"params": params}, kept=1, accuracy=0.5)
    worse = jax.tree.map(jax.numpy.zeros_like, params)
    checkpoints.save(folder, 2 * STEP, {"params": worse}, kept=1, accuracy=0.1)
    return folder


@pytest.fixture(scope="module")
def run(workdir):
    return checkpoints.load_run(workdir, "best")


@pytest.fixture(scope="module")
def saved(run, tmp_path_factory):
    """A folder of its weights; not to be changed."""
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    save_weights(run, folder, read_provenance())
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "weights")


def test_weights_come_back_as_they_were_up_to_half_precision(run, saved):
    loaded = load_pretrained(saved)
    assert loaded.step == STEP
    assert loaded.model == run.model
    np.testing.assert_array_equal(loaded.space_groups, run.space_groups)
    assert jax.tree.structure(loaded.params) == jax.tree.structure(run.params)
    for was, now in zip(
        jax.tree.leaves(run.params), jax.tree.leaves(loaded.params), strict=True
    ):
        assert now.dtype == was.dtype
        # 2^-11 of a weight, and the spacing of float16 near zero
        np.testing.assert_allclose(now, was, rtol=2.0**-11, atol=2.0**-25)


def test_patterns_are_answered_alike(run, saved):
    patterns = np.random.default_rng(0).random((3, 500), np.float32)
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
    learned = checkpoints.Run(**vars(run) | {"config": config})
    save_weights(learned, tmp_path / "weights", read_provenance())
    loaded = load_pretrained(tmp_path / "weights")
    assert (loaded.config.source, loaded.config.crystals) == ("crystals", "")


@pytest.mark.parametrize("value", [1e5, np.nan, -np.inf])
def test_weights_beyond_half_precision_are_refused(run, tmp_path, value):
    params = jax.tree.map(lambda leaf: leaf + value, run.params)
    broken = checkpoints.Run(**vars(run) | {"params": params})
    with pytest.raises(InputError, match="not finite in float16"):
        save_weights(broken, tmp_path, read_provenance())
    assert not (tmp_path / WEIGHTS).exists()


def test_weights_that_are_too_large_are_refused_and_removed(run, tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match="smaller network"):
        save_weights(run, tmp_path, read_provenance())
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


def test_without_weights_the_message_says_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="export_pretrained"):
        load_pretrained(tmp_path)
    monkeypatch.setattr(pretrained, "PRETRAINED", tmp_path)
    with pytest.raises(InputError, match="without pretrained weights.*--workdir"):
        load_network(tmp_path)


def test_a_network_is_found_in_a_work_directory_and_in_a_folder_of_weights(
    workdir, folder, monkeypatch
):
    assert load_network(workdir).step == 2 * STEP
    assert load_network(workdir, "best").step == load_network(folder).step == STEP
    shutil.copytree(workdir, folder, dirs_exist_ok=True)  # weights come first
    monkeypatch.setattr(pretrained, "load_run", None)
    assert load_network(str(folder)).step == STEP


@pytest.fixture
def bundled(folder, monkeypatch):
    """The tiny network in place of the one that comes with the program."""
    for module in (pretrained, evaluate):
        monkeypatch.setattr(module, "PRETRAINED", folder)
    return folder


def test_pretrained_weights_classify_a_pattern(bundled, tmp_path, capsys):
    grid = np.linspace(5, 90, 500)
    pattern = np.exp(-0.5 * ((grid - 40) / 0.3) ** 2)
    np.savetxt(tmp_path / "a.xy", np.stack([grid, pattern], axis=1))
    classify_command.main(["--pretrained", f"--pattern={tmp_path / 'a.xy'}"])
    assert f"network of step {STEP}" in capsys.readouterr().out


@pytest.mark.parametrize("flags", [[], ["--pretrained", "--workdir=x"]])
@pytest.mark.parametrize("command", [classify_command, evaluate])
def test_one_network_must_be_named_and_only_one(command, flags, capsys):
    with pytest.raises(SystemExit) as end:
        command.main([*flags, *(["--pattern=x"] if command is not evaluate else [])])
    assert end.value.code == 2
    assert "--pretrained" in capsys.readouterr().err


def test_what_is_exported_is_evaluated_and_names_no_place_of_the_machine(
    workdir, tmp_path, monkeypatch, capsys
):
    crystals = {name: gallery(name) for name in ("halite", "quartz")}
    monkeypatch.setattr(evaluate, "gallery_structures", lambda: crystals)
    cifs = tmp_path / "private" / "cifs"
    cifs.mkdir(parents=True)
    for name, crystal in crystals.items():
        (cifs / f"{name}.cif").write_text(xrdjax.write_cif(crystal))
    folder = tmp_path / "private" / "weights"
    export_pretrained.main(
        [
            f"--workdir={workdir}",
            f"--out={folder}",
            f"--crystals={cifs}",
            "--checkpoint=best",
            "--synthetic=0",  # saves compiling the generator
        ]
    )
    assert f"step {STEP}:" in capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} == {
        "params.npz",
        "config.json",
        "statistics.npz",
        "report.json",
        "report.md",
        "LICENSE",
    }
    report = json.loads((folder / "report.json").read_text())
    assert report["run"]["step"] == STEP and report["run"]["workdir"] == "weights"
    assert report["run"]["checkpoint"] == "best"
    assert report["sets"]["crystals"]["path"] == "cifs"
    assert report["sets"]["crystals"]["split"] == "test"
    for name in ("config.json", "report.json", "report.md", "LICENSE"):
        text = (folder / name).read_text()
        assert "private" not in text and str(tmp_path) not in text, name
    terms = (folder / "LICENSE").read_text()
    assert "CC BY 4.0" in terms and read_provenance()["source"] in terms
    assert load_pretrained(folder).step == STEP

    # and the report of the pretrained network goes into the current folder
    for module in (pretrained, evaluate):
        monkeypatch.setattr(module, "PRETRAINED", folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluate, "draw_report_figures", lambda *arguments: {})
    before = (folder / "report.json").read_bytes()
    evaluate.main(["--pretrained", "--synthetic=0"])
    assert (folder / "report.json").read_bytes() == before
    assert json.loads((tmp_path / "report.json").read_text())["run"]["step"] == STEP


@pytest.mark.parametrize(
    "provenance", [{}, {"source": "ICSD", "license": "commercial"}]
)
def test_weights_from_crystals_that_are_not_open_are_not_given_away(provenance):
    with pytest.raises(InputError, match="expected a source under one of"):
        export_pretrained.licence(provenance)
