"""The training command: its flags, and its exit on errors."""

import os
import subprocess
import sys

import pytest
from absl.testing import flagsaver
from repository import ROOT

from xrdjax import main
from xrdjax.config import check_config
from xrdjax.evaluation.evaluator import Request

# ml_collections 1.1 still loads configuration files this way.
pytestmark = pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")

CONFIG = f"--config={ROOT / 'configs/resnet.py'}"
FILES = {
    "cut.py": b"def get_config(\n",
    "mistake.py": b'def get_config(arg=""):\n    return widht\n',
    "exit.py": b"import sys\nsys.exit(3)\n",
    "nothing.py": b'def get_config(arg=""):\n    return None\n',
    "binary.py": b"\x00\xff\x80",
}
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
        "configs/resnet.py has no variant '11': choose 10, 18, 34, 50, 101, quick",
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
    "a configuration that is cut": (
        ["--config=cut.py", "--workdir=run"],
        "line 1 of 'cut.py' fails (SyntaxError: '(' was never closed",
    ),
    "a configuration with a mistake": (
        ["--config=mistake.py", "--workdir=run"],
        "line 2 of 'mistake.py' fails (NameError: name 'widht' is not defined)",
    ),
    "a configuration that ends the program": (
        ["--config=exit.py", "--workdir=run"],
        "line 2 of 'exit.py' fails (SystemExit: 3)",
    ),
    "a configuration that gives nothing": (
        ["--config=nothing.py", "--workdir=run"],
        "the configuration 'nothing.py' gives NoneType without fields",
    ),
    "no Python": (
        ["--config=binary.py", "--workdir=run"],
        "the configuration 'binary.py' cannot be read (SyntaxError",
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
    for name, text in FILES.items():
        (tmp_path / name).write_bytes(text)
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


@pytest.fixture
def calls(folder, monkeypatch):
    """What a command asks for, by the functions that do it: nothing is done."""
    calls = []

    def note(name):
        return lambda *arguments: calls.append((name, *arguments))

    monkeypatch.setattr("xrdjax.devices.start", note("start"))
    monkeypatch.setattr("xrdjax.training.loop.train", note("train"))
    evaluate = "xrdjax.evaluation.evaluator.evaluate_run"
    monkeypatch.setattr(evaluate, note("evaluate"))

    def run(*flags):
        monkeypatch.setattr(sys, "argv", ["xrdjax.main", *flags, "--workdir=run"])
        main.main(main.parse_flags(sys.argv))
        return calls

    return run


def test_a_run_is_trained_with_the_flags_values_and_then_evaluated(calls):
    flags = ["--config.seed=7", "--config.crystallite_size_nm=(30., 50.)"]
    start, (train, config, workdir), evaluate = calls(f"{CONFIG}:50", *flags)
    assert start == ("start", "off", None, None, None, 1)
    assert (train, workdir) == ("train", "run")
    assert (config.seed, config.model.size) == (7, 50)
    assert config.crystallite_size_nm == (30.0, 50.0)
    check_config(config)
    assert evaluate == ("evaluate", Request("run"))


def test_a_run_is_only_trained_if_no_report_is_wanted(calls):
    assert [name for name, *_ in calls(CONFIG, "--noreport")] == ["start", "train"]


def test_flags_make_the_process_one_of_many(calls):
    flags = ["--coordinator_address=node1:7000", "--num_processes=4", "--process_id=3"]
    settings = ["--config.distributed=auto", "--config.cpu_devices=2"]
    assert calls(CONFIG, *flags, *settings)[0] == (
        "start",
        "auto",
        "node1:7000",
        4,
        3,
        2,
    )


def test_the_command_itself_ends_with_status_2():
    command = [sys.executable, "-m", "xrdjax.main", f"{CONFIG}:11", "--workdir=run"]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("error: configs/resnet.py has no variant '11'")
