"""The notebook's code runs from top to bottom, and its file is clean."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from repository import ROOT
from tiny_run import POINTS, SOURCE

import xrdjax
from xrdjax.run import load_pretrained, load_run, save_weights
from xrdjax.training import loop, warm_start

NOTEBOOK = ROOT / "experiments" / "fine_tune.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = {c["id"]: "".join(c["source"]) + "\n" for c in CELLS if c["cell_type"] == "code"}
# Replacements in the code: the number of steps, and the path of the crystals.
SHORT = {"STEPS = 600": "STEPS = 4", "../tests/data": str(ROOT / "tests" / "data")}


@pytest.fixture
def tiny_network(tiny_run, tmp_path, monkeypatch):
    """The weights of a tiny network, in place of the bundled ones; no simulations."""
    folder = tmp_path / "weights"
    run = load_run(tiny_run.workdir)
    save_weights(run, folder)
    monkeypatch.setattr(xrdjax, "load_pretrained", lambda: load_pretrained(folder))
    monkeypatch.setitem(warm_start._BUNDLED, "pretrained", folder)
    monkeypatch.setattr(loop, "make_source", lambda *_: SOURCE)
    monkeypatch.setattr(
        xrdjax,
        "patterns_of_structures",
        lambda structures, measurement: np.ones((len(structures), POINTS), np.float32),
    )


def test_the_notebook_is_committed_without_outputs():
    for cell in CELLS:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


def test_the_notebook_fine_tunes_the_bundled_network(
    tiny_network, tmp_path, monkeypatch, capsys
):
    source = "".join(CODE.values())
    for long, short in SHORT.items():
        assert long in source
        source = source.replace(long, short)
    monkeypatch.chdir(tmp_path)
    Path("fine_tune.py").write_text(source, encoding="utf-8")
    names = runpy.run_path("fine_tune.py")
    assert int(names["state"].step) == names["tuned"].step == 4
    assert names["tuned"].origin["init"] == "pretrained"
    instruments = names["tuned"].measurement.instruments
    assert instruments.lorentzian_deg.high == 0.06 and len(instruments.wavelengths) == 2
    printed = capsys.readouterr()
    assert "crystals right before" in printed.out and "right after" in printed.out
    assert "86 of 86 space groups carried over; optimizer fresh" in printed.err
