"""The notebook's code runs from top to bottom and finds what it simulated."""

import json
import runpy
from pathlib import Path

import jax
import matplotlib
import numpy as np
import pytest
from repository import ROOT

NOTEBOOK = ROOT / "experiments" / "fit_pattern.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = {c["id"]: "".join(c["source"]) + "\n" for c in CELLS if c["cell_type"] == "code"}
# Fewer points, and the second pattern as a file of them.
SHORT = {
    "xrdjax.TwoThetaGrid(20.0, 80.0, 3001)": "xrdjax.TwoThetaGrid(20.0, 80.0, 1501)",
    "PATTERN_FILE = None": "PATTERN_FILE = 'corundum.xy'",
    "FIRST_DEG, LAST_DEG = 20.0, 80.0": """FIRST_DEG, LAST_DEG = 20.0, 80.0
np.savetxt("corundum.xy", np.stack([GRID.two_theta_deg, simulated_counts(2)], axis=1))
""",
}


@pytest.fixture
def quick(tmp_path, monkeypatch):
    """An empty folder, no display, and compilation with few optimizations."""
    backend = matplotlib.get_backend()
    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
    matplotlib.use(backend)


def test_the_notebook_is_committed_without_outputs():
    for cell in CELLS:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


def test_the_fit_finds_what_was_simulated_and_reads_a_file(quick, capsys, monkeypatch):
    import matplotlib.pyplot as plt

    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(1) or plt.close("all"))
    source = "".join(CODE.values())
    for long, short in SHORT.items():
        assert long in source
        source = source.replace(long, short)
    Path("fit_pattern.py").write_text(source, encoding="utf-8")
    names = runpy.run_path("fit_pattern.py")
    for seed, fit in ((0, names["fit"]), (2, names["second"])):
        assert fit.chi_squared < 1.2
        for name, value in names["true_parameters"](seed).items():
            wrong = np.abs(fit.parameters[name] - value) / fit.errors[name]
            assert np.all(wrong < 5), name
    assert len(shown) == 2
    assert capsys.readouterr().out.count("R_wp") == 2
