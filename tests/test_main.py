import os
import runpy
import subprocess
import sys

import pytest
from absl.testing import flagsaver
from repository import ROOT

from xrdjax import main
from xrdjax.config import check_config

# ml_collections 1.1 still loads configuration files this way.
pytestmark = pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")

CONFIG = f"--config={ROOT / 'configs/resnet.py'}"
MISTAKES = {
    "a field that is misspelt": (
        [CONFIG, "--config.modle.width=4", "--workdir=run"],
        "the configuration has no field 'modle.width': did you mean 'model.width'?",
    ),
    "a field of another kind": (
        [CONFIG, "--config.steps=many", "--workdir=run"],
        "steps is 'many', expected a whole number, at least 1",
    ),
    "an unknown size": (
        [f"{CONFIG}:11", "--workdir=run"],
        "configs/resnet.py has no variant '11': choose 10, 18, 34, 50, 101, quick or",
    ),
    "an unknown size by flag": (
        [CONFIG, "--config.model.size=11", "--workdir=run"],
        "model.size is 11, expected one of 10, 18, 34, 50, 101",
    ),
    "a reversed range": (
        [CONFIG, "--config.two_theta_min_deg=95", "--workdir=run"],
        "the 2 theta range is 95.0 to 90.0 degrees",
    ),
    "no such configuration": (
        ["--config=none.py", "--workdir=run"],
        "cannot read the configuration (No such file or directory: 'none.py')",
    ),
    "no configuration": (["--workdir=run"], "the flag --config is missing"),
    "no work directory": ([CONFIG], "the flag --workdir is missing"),
    "an unknown flag": (
        [CONFIG, "--wrkdir=run"],
        "Unknown command line flag 'wrkdir'. Did you mean: workdir ?",
    ),
    "a stray argument": (
        [CONFIG, "--workdir=run", "quick"],
        "cannot use the argument 'quick'",
    ),
    "a work directory that is a file": (
        [CONFIG, "--workdir=file"],
        "cannot write to the work directory 'file'",
    ),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory, with flags as if none had been given before."""
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    with flagsaver.flagsaver():
        yield tmp_path


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_the_command_with_one_sentence_and_status_2(
    folder, monkeypatch, capsys, mistake
):
    arguments, message = MISTAKES[mistake]
    monkeypatch.setattr(sys, "argv", ["xrdjax.main", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main.main(main.parse_flags(sys.argv))
    out, error = capsys.readouterr()
    assert exit_.value.code == 2
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1
    assert out == ""
    assert not (folder / "run").exists()


def test_flags_change_the_configuration_that_is_trained(folder, monkeypatch):
    calls = []
    monkeypatch.setattr(main, "train_and_evaluate", lambda *args: calls.append(args))
    flags = ["--config.seed=7", "--config.crystallite_size_nm=(30., 50.)"]
    monkeypatch.setattr(
        sys, "argv", ["xrdjax.main", f"{CONFIG}:50", *flags, "--workdir=run"]
    )
    main.main(main.parse_flags(sys.argv))
    [(config, workdir)] = calls
    assert workdir == "run"
    assert (config.seed, config.model.size) == (7, 50)
    assert config.crystallite_size_nm == (30.0, 50.0)
    check_config(config)


def test_a_run_is_only_trained_if_no_report_is_wanted(folder, monkeypatch):
    calls = []
    monkeypatch.setattr(main, "train", lambda *args: calls.append(args))
    monkeypatch.setattr(main, "train_and_evaluate", None)
    flags = [CONFIG, "--workdir=run", "--noreport"]
    monkeypatch.setattr(sys, "argv", ["xrdjax.main", *flags])
    main.main(main.parse_flags(sys.argv))
    assert [workdir for _, workdir in calls] == ["run"]


def test_flags_make_the_process_one_of_many(folder, monkeypatch):
    calls = []
    monkeypatch.setattr(main.devices, "start", lambda *args: calls.append(args))
    monkeypatch.setattr(main, "train_and_evaluate", lambda *args: None)
    flags = ["--coordinator_address=node1:7000", "--num_processes=4", "--process_id=3"]
    settings = ["--config.distributed=auto", "--config.cpu_devices=2", "--workdir=run"]
    monkeypatch.setattr(sys, "argv", ["xrdjax.main", CONFIG, *flags, *settings])
    main.main(main.parse_flags(sys.argv))
    assert calls == [("auto", "node1:7000", 4, 3, 2)]


@pytest.mark.parametrize(
    "argument", ["10", "18", "34", "50", "101", "quick", "bundled"]
)
def test_every_variant_of_the_configuration_is_sound_and_locked(argument):
    config = runpy.run_path(str(ROOT / "configs/resnet.py"))["get_config"](argument)
    check_config(config)
    assert config.is_locked
    assert argument in ("quick", "bundled", str(config.model.size))


@pytest.mark.parametrize("argument", ["small", "medium", "large", "quick"])
def test_every_variant_of_parks_network_is_sound_and_has_the_same_fields(argument):
    config = runpy.run_path(str(ROOT / "configs/park_cnn.py"))["get_config"](argument)
    check_config(config)
    assert config.is_locked
    assert argument in ("quick", config.model.size)


def test_the_command_itself_ends_with_status_2():
    command = [sys.executable, "-m", "xrdjax.main", f"{CONFIG}:11", "--workdir=run"]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("error: configs/resnet.py has no variant '11'")
