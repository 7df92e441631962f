"""The command that evaluates a network; what it does is tested in tests/evaluation."""

import json

import pytest
from coded_patterns import CRYSTALS, SOURCE, Simulator, reading_run
from figures import assert_plotted

from xrdjax import evaluate
from xrdjax.evaluation import evaluator, sets
from xrdjax.evaluation.evaluator import Request
from xrdjax.run import PRETRAINED


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    """A work directory of a network that reads the space group off a pattern."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "metrics.jsonl").write_text('{"step": 20, "accuracy": 0.4}\n')
    gallery = {crystal.name: crystal for crystal in CRYSTALS}
    monkeypatch.setattr(evaluator, "load_network", lambda *_: reading_run())
    monkeypatch.setattr(sets, "gallery_structures", lambda: gallery)
    return folder


def command(monkeypatch, *arguments):
    """Runs the command line with patterns that state their group; its exit status."""
    whole = evaluator.evaluate_run
    with monkeypatch.context() as patch:
        patch.setattr(
            evaluator,
            "evaluate_run",
            lambda request: whole(request, source=SOURCE, simulate=Simulator()),
        )
        try:
            evaluate.main([str(argument) for argument in arguments])
        except SystemExit as end:
            return end.code
    return 0


def test_flags_ask_for_what_they_name(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(evaluator, "evaluate_run", asked.append)
    evaluate.main(["--pretrained"])
    evaluate.main(
        [f"--workdir={tmp_path}", "--crystals=a.zip", "--checkpoint=best"]
        + ["--split=test", "--synthetic=0", "--out=b.json", "--overwrite"]
    )
    assert [vars(request) for request in asked] == [
        vars(Request(PRETRAINED, overwrite=False)),
        vars(Request(tmp_path, evaluate.Path("a.zip"), "best", "test", 0))
        | {"out": evaluate.Path("b.json"), "overwrite": True},
    ]


def test_a_report_has_its_page_and_figures_and_is_replaced_only_if_asked(
    workdir, monkeypatch, capsys
):
    out = workdir / "mine.json"
    arguments = ("--workdir", workdir, f"--out={out}", "--synthetic=20")
    assert command(monkeypatch, *arguments) == 0
    before = out.read_text()
    report = json.loads(before)
    assert report["sets"]["synthetic"]["score"]["top1"]["fraction"] == 1
    page = out.with_suffix(".md").read_text()
    assert len(report["figures"]) == 6  # training, two for each set, examples
    for name in report["figures"].values():
        assert f"]({name})" in page
        assert_plotted(workdir / name)
    monkeypatch.setattr(evaluator, "plot_report", lambda *arguments: {})
    assert command(monkeypatch, *arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_text() == before
    assert command(monkeypatch, *arguments, "--overwrite") == 0
    assert out.read_text() != before
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
