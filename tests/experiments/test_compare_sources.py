"""The comparison of sources: what it runs, resumes and writes, without training."""

import json
import os
import runpy
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from repository import ROOT

from experiments.compare_sources import comparison as comparisons
from experiments.compare_sources.__main__ import DEFAULT_CONFIG, main
from experiments.compare_sources.comparison import compare
from experiments.compare_sources.figures import plot_curves
from experiments.compare_sources.jobs import Comparison, check_settings
from experiments.compare_sources.processes import Processes
from xrdjax.errors import InputError


def read_config(path, *arguments):
    return runpy.run_path(str(path))["get_config"](*arguments)


CONFIG = read_config(DEFAULT_CONFIG)
CONFIGS = {
    f"configs/{file}.py:{size}": read_config(ROOT / f"configs/{file}.py", size)
    for file, size in (("resnet", "10"), ("park_cnn", "small"))
}
ANYWHERE = Comparison(CONFIG, Path("cifs.zip"), Path("out"))
RUNS = [job.name for job in ANYWHERE.jobs]
STEPS = int(ANYWHERE.settings_of(ANYWHERE.jobs[0])["steps"])


def comparison_in(out, *flags):
    return Comparison(CONFIG, Path("cifs.zip"), out, flags)


def proportion(fraction):
    return {"fraction": fraction, "low": fraction - 0.01, "high": fraction + 0.01}


def value_of(command, flag):
    (value,) = [a.split("=", 1)[1] for a in command if a.startswith(f"--{flag}=")]
    return value


def stored(command):
    """The configuration that a run of the training would keep."""
    config = CONFIGS[value_of(command, "config")].copy_and_resolve_references()
    for argument in command:
        name, _, text = argument.partition("=")
        if name.startswith("--config."):
            parent, _, field = name.removeprefix("--config.").rpartition(".")
            part = config[parent] if parent else config
            part[field] = type(part[field])(text)
    return config.to_dict()


class Execute:
    """Stands in for the commands: writes what they would, or fails for one run."""

    def __init__(self, fails="", step=STEPS):
        self.commands, self.cores, self.fails, self.step = [], [], fails, step

    def __call__(self, command, log, cores):
        self.commands.append(list(command))
        self.cores.append(cores)
        if command[0] == "xrdjax.statistics":
            return self.make_statistics(command)
        workdir = Path(value_of(command, "workdir"))
        if workdir.name == self.fails:
            log.write_text("working ...\nerror: no luck\n\n")
            return 2
        if command[0] == "xrdjax.main":
            return self.train(command, workdir)
        return self.evaluate(command, workdir)

    def make_statistics(self, command):
        Path(value_of(command, "out")).touch()
        for argument in command:
            if argument.startswith("--analyses="):
                Path(argument.split("=", 1)[1]).touch()
        return 0

    def train(self, command, workdir):
        line = {"step": self.step, "patterns_per_second": 400.0, "accuracy": 0.9}
        last = line | {"validation_accuracy": 0.3}  # of a call with a checkpoint
        lines = json.dumps(line) + "\n" + json.dumps(last) + "\n"
        (workdir / "metrics.jsonl").write_text(lines)
        (workdir / "config.json").write_text(json.dumps(stored(command)))
        return 0

    def evaluate(self, command, workdir):
        known = 0.6 if workdir.name.startswith("synthetic") else 0.4
        sets = {"crystals": known, "synthetic": 0.7}
        report = {
            "run": {
                "step": 100,  # the best
                "config": {"steps": 2000, "batch_size": 32, "steps_per_call": 50},
                "space_groups": [1],
            },
            "device": "1 cpu",
            "versions": {},
            "sets": {
                name: {"score": {"top1": proportion(x), "top5": proportion(0.9)}}
                for name, x in sets.items()
            },
        }
        Path(value_of(command, "out")).write_text(json.dumps(report))
        return 0

    def of(self, program):
        return [command for command in self.commands if command[0] == program]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole comparison, which no test changes."""
    out, execute = tmp_path_factory.mktemp("comparison"), Execute()
    results = compare(comparison_in(out, "--config.seed=7"), execute=execute)
    return SimpleNamespace(out=out, execute=execute, results=results)


@pytest.fixture
def without_figures(monkeypatch):
    """They take longer than all else."""
    for name in ("plot_accuracy", "plot_curves"):
        monkeypatch.setattr(comparisons, name, lambda results, path: None)


def test_all_runs_are_trained_and_tested_with_one_budget(finished):
    kinds = [command[0] for command in finished.execute.commands]
    assert kinds == ["xrdjax.statistics"] * 2 + ["xrdjax.main", "xrdjax.evaluate"] * 12
    trained = finished.execute.of("xrdjax.main")
    assert [Path(value_of(c, "workdir")).name for c in trained] == RUNS
    assert len(set(RUNS)) == len(finished.results) == 12
    for command, name in zip(trained, RUNS, strict=True):
        source, _, split = name.split("_")
        assert value_of(command, "config.source") == source
        assert f"statistics_{split}" in value_of(command, "config.statistics")
        last = max(command.index(flag) for flag in CONFIG.all_runs)
        assert command.index("--config.seed=7") > last  # so that it counts
        assert set(CONFIG.all_runs) <= set(command)
        assert "--config.cpu_devices=1" in command
        assert "--noreport" in command  # since the test is the report
    tested = finished.execute.of("xrdjax.evaluate")
    assert {value_of(c, "split") for c in tested} == {"test"}
    assert {value_of(c, "checkpoint") for c in tested} == {"best"}


def test_crystals_are_analysed_once(finished):
    first, second = finished.execute.of("xrdjax.statistics")
    assert value_of(first, "crystals") == "cifs.zip"
    assert value_of(second, "crystals") == value_of(first, "analyses")
    assert (value_of(first, "split"), value_of(second, "split")) == ("type", "random")


def test_results_table_and_figures_agree_with_the_reports(finished):
    out = finished.out
    assert json.loads((out / "results.json").read_text()) == finished.results
    for result in finished.results:
        assert result["patterns_seen"] == 64_000
        assert result["best_step"] == 100
        point = {"patterns": 32 * STEPS, "training": 0.9, "validation": 0.3}
        assert result["curve"] == [point]
        assert result["training_hours"] == pytest.approx(2 * 32 * 50 / 400 / 3600)
    lines = (out / "table.md").read_text().splitlines()
    assert lines[2] == (
        "| crystals | ResNet-10 | 64,000 | 40.0 (39.0-41.0) / 90.0 "
        "| 40.0 (39.0-41.0) / 90.0 | 70.0 (69.0-71.0) / 90.0 |"
    )
    assert lines[7].startswith("| synthetic | Park et al. | 64,000 | 60.0 (59.0-61.0)")
    assert imread(out / "figure.png").std() > 0.1
    assert imread(out / "curves.png").std() > 0.01


def test_the_curves_name_every_source_in_whatever_panel(
    finished, tmp_path, monkeypatch
):
    results, figures = finished.results, []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: figures.append(self))
    plot_curves([r for r in results if r["source"] != "mixed"], tmp_path / "x.png")
    without = [r for r in results if (r["source"], r["model"]) != ("mixed", "resnet10")]
    plot_curves(without, tmp_path / "x.png")
    for figure, sources in zip(figures, (2, 3), strict=True):
        labels = [text.get_text() for text in figure.legends[0].get_texts()]
        assert len(labels) == len(set(labels)) == 2 * sources
        assert len(figure.axes[1].lines) == 2 * sources
    assert len(figures[1].axes[0].lines) == 4
    assert "mixed, unseen types" in labels


def test_what_is_done_is_not_done_again(tmp_path, without_figures, capsys):
    comparison = comparison_in(tmp_path)
    compare(comparison, execute=Execute())
    again = Execute()
    compare(comparison, execute=again)
    assert again.commands == []
    (tmp_path / RUNS[3] / "test.json").unlink()
    compare(comparison, execute=again)
    assert [value_of(c, "workdir") for c in again.commands] == [
        str(tmp_path / RUNS[3])
    ] * 2
    assert (tmp_path / "table.md").read_text() in capsys.readouterr().out


def test_runs_are_chosen_by_name_and_all_that_are_done_are_reported(
    tmp_path, without_figures
):
    comparison, execute = comparison_in(tmp_path), Execute()
    compare(comparison, RUNS[:1], execute=Execute())
    results = compare(comparison, [RUNS[2], RUNS[1]], execute=execute)
    trained = execute.of("xrdjax.main")
    assert [Path(value_of(c, "workdir")).name for c in trained] == RUNS[1:3]
    assert len(results) == 3
    (statistics,) = tmp_path.glob("statistics_*")  # of the other no run was asked for
    assert statistics.name == "statistics_type.npz"
    with pytest.raises(InputError, match=f"no run 'resnet': choose from {RUNS[0]}, "):
        compare(comparison_in(tmp_path / "new"), ["resnet"])
    assert not (tmp_path / "new").exists()


def test_runs_of_another_budget_are_refused_and_nothing_is_run(finished):
    again = Execute()
    # the rate is the same, written otherwise
    flags = ["--config.steps=7000", "--config.optimizer.learning_rate=0.006"]
    message = (
        f"the run '{finished.out / RUNS[0]}' has other settings: steps .there {STEPS}, "
        "asked for 7000.: give"
    )
    with pytest.raises(InputError, match=message):
        compare(comparison_in(finished.out, *flags), execute=again)
    assert again.commands == []


def test_of_two_values_of_a_field_the_last_counts(tmp_path):
    comparison = comparison_in(tmp_path, "--config.optimizer.learning_rate=0.02")
    settings = comparison.settings_of(comparison.jobs[0])
    assert settings["optimizer.learning_rate"] == "0.02"
    assert settings["optimizer.kind"] == "muon"


def test_a_setting_is_compared_by_its_value(tmp_path):
    kept = {"crystallite_size_nm": [20.0, 30.0], "model": {"dropout": False}}
    (tmp_path / "config.json").write_text(json.dumps(kept))
    same = {"crystallite_size_nm": "(20, 30.0)", "model.dropout": "False"}
    check_settings(tmp_path, same)
    check_settings(tmp_path / "new", {"model.dropout": "True"})
    with pytest.raises(InputError, match="model.dropout"):
        check_settings(tmp_path, same | {"model.dropout": "True"})


def test_a_run_that_was_asked_to_stop_is_not_tested(tmp_path):
    execute = Execute(step=STEPS // 2)
    message = f"12 of 12 .* stopped at step {STEPS // 2} of {STEPS}"
    with pytest.raises(InputError, match=message):
        compare(comparison_in(tmp_path), execute=execute)
    assert not execute.of("xrdjax.evaluate")


def test_after_the_end_no_command_is_started(tmp_path):
    processes = Processes()
    processes.terminate()
    assert processes(["shown"], tmp_path / "log.txt", None) == 128 + 15


def test_a_run_that_fails_is_named_and_the_others_are_reported(tmp_path):
    with pytest.raises(InputError, match=f"1 of 12 runs failed: {RUNS[1]}: .*no luck"):
        compare(comparison_in(tmp_path), execute=Execute(RUNS[1]))
    results = json.loads((tmp_path / "results.json").read_text())
    assert len(results) == 11
    row = (tmp_path / "table.md").read_text().splitlines()[6]
    assert RUNS[1] == "synthetic_resnet10_type"
    assert row.startswith("| synthetic | ResNet-10 | 64,000 | - | 60.0")


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="one core cannot be shared out",
)
def test_runs_at_once_have_cores_of_their_own(tmp_path, without_figures):
    execute = Execute()
    compare(comparison_in(tmp_path), parallel=2, execute=execute)
    shares = {frozenset(cores) for cores in execute.cores if cores}
    one, other = shares
    assert not one & other
    assert one | other == os.sched_getaffinity(0)


def test_a_command_runs_on_its_cores_and_leaves_its_output(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "shown.py").write_text(
        "import os, sys\n"
        "if hasattr(os, 'sched_getaffinity'): print(len(os.sched_getaffinity(0)))\n"
        "sys.exit(int(sys.argv[1]))\n"
    )
    log = tmp_path / "log.txt"
    cores = set()
    if sys.platform == "linux":
        cores = {min(os.sched_getaffinity(0))}
    # the thread that starts it stays on these cores
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(Processes(), ["shown", "3"], log, cores).result() == 3
    if cores:
        assert log.read_text() == "1\n"


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--steps=3", "unknown flag '--steps=3'"),
        ("--config.steps", "unknown flag '--config.steps'"),
        ("--config.source=mixed", "'--config.source=mixed' cannot apply to all"),
        ("--parallel=0", "--parallel is 0"),
        ("--config=none.py", "no configuration 'none.py'"),
    ],
)
def test_a_flag_that_cannot_be_is_one_sentence(tmp_path, capsys, flag, message):
    with pytest.raises(SystemExit) as exit_:
        main([f"--crystals={tmp_path}", f"--out={tmp_path / 'out'}", flag])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
