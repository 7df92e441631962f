"""The command that evaluates a network; what it does is tested in tests/evaluation."""

import json

import numpy as np
import pytest
from coded_patterns import CodedSource, code, reading_run, row_of

from xrdjax import evaluate
from xrdjax.evaluation import evaluator


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    """A work directory of a network that reads the space group off a pattern."""
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setattr(evaluator, "load_network", lambda *_: reading_run())
    return folder


def command(monkeypatch, *arguments):
    """Runs the command line with patterns that state their group; its exit status."""
    whole = evaluate.evaluate_run

    def simulate(structures, sizes_nm):
        return code([row_of(one.space_group) for one in structures])

    source = CodedSource(np.arange(10))
    monkeypatch.setattr(
        evaluate,
        "evaluate_run",
        lambda request: whole(request, source=source, simulate=simulate),
    )
    try:
        evaluate.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code
    finally:
        monkeypatch.setattr(evaluate, "evaluate_run", whole)
    return 0


def test_an_earlier_report_is_replaced_only_if_asked(workdir, monkeypatch, capsys):
    out = workdir / "mine.json"
    arguments = ("--workdir", workdir, f"--out={out}", "--synthetic=20")
    assert command(monkeypatch, *arguments) == 0
    before = out.read_text()
    assert json.loads(before)["sets"]["synthetic"]["score"]["top1"]["fraction"] == 1
    assert command(monkeypatch, *arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_text() == before
    assert command(monkeypatch, *arguments, "--overwrite") == 0
    names = {path.name for path in workdir.glob("mine*")}
    assert names == {"mine.json", "mine.md", "mine_figures"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--split=some",),
        ("--synthetic=-1",),
        ("--synthetic=many",),
        ("--nonsense",),
        ("--crystals=nowhere",),
    ],
)
def test_bad_flags_end_with_status_2_and_no_traceback(
    workdir, monkeypatch, capsys, arguments
):
    assert command(monkeypatch, "--workdir", workdir, *arguments) == 2
    error = capsys.readouterr().err
    assert "error: " in error and "Traceback" not in error
