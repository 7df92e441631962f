"""The notebook's code runs from top to bottom, and its file is clean."""

import json
import runpy
from pathlib import Path

import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest

import xrdjax
from xrdjax.models.network_input import NetworkInput
from xrdjax.run import Run

NOTEBOOK = Path(__file__).parents[2] / "experiments" / "quickstart.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = {c["id"]: "".join(c["source"]) + "\n" for c in CELLS if c["cell_type"] == "code"}


class Always225:
    """Stands in for a network: the last of three groups, whatever it sees."""

    def apply(self, variables, inputs):
        return jnp.tile(jnp.array([[0.0, 1.0, 5.0]]), (len(inputs), 1))


TRAINED = Run(
    config=None,
    model=Always225(),
    params={},
    statistics=None,
    provenance={},
    step=10,
    space_groups=np.array([2, 62, 225]),
    measurement=xrdjax.make_measurement(),
    evaluation=None,
    network_input=NetworkInput(xrdjax.TwoThetaGrid()),
)


@pytest.fixture
def figures(tmp_path, monkeypatch):
    """Runs in an empty folder without a display; counts the figures shown."""
    backend = matplotlib.get_backend()
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    shown = []

    def show():
        for number in plt.get_fignums():
            plt.figure(number).canvas.draw()
            shown.append(number)
        plt.close("all")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", show)
    yield shown
    plt.close("all")
    matplotlib.use(backend)


def run(source):
    """Global names after the code has run as a script, in the current folder."""
    Path("quickstart.py").write_text(source, encoding="utf-8")
    return runpy.run_path("quickstart.py")


def test_the_notebook_is_committed_without_outputs():
    for cell in CELLS:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


def test_the_notebook_runs_from_top_to_bottom(figures, capsys, monkeypatch):
    monkeypatch.setattr(xrdjax, "load_pretrained", lambda: TRAINED)
    names = run("".join(CODE.values()))
    assert len(figures) == 4
    assert abs(names["u_found"] - names["u_true"]) < 1e-4
    assert names["mine"].formula == "O2Ti"
    assert {s.space_group for s in names["structures"]} == {names["SPACE_GROUP"]}
    np.testing.assert_allclose(names["patterns"].max(axis=1), 1, rtol=1e-6)
    printed = capsys.readouterr().out
    assert "published: 0.38400" in printed
    assert "quartz, simulated\nspace group 225:  97.6%" in printed


def test_a_measured_pattern_is_classified_by_the_network_of_a_run(
    figures, capsys, monkeypatch
):
    asked = []
    monkeypatch.setattr(
        xrdjax, "load_run", lambda workdir: asked.append(workdir) or TRAINED
    )
    angles = np.linspace(10.0, 80.0, 1401)
    intensities = 50 + 900 * np.exp(-(((angles - 40) / 0.2) ** 2))
    intensities += 90 * np.exp(-(((angles - 60) / 0.2) ** 2))
    np.savetxt("mineral.xy", np.stack([angles, intensities], axis=1))
    source = CODE["classify"].replace("WORKDIR = None", "WORKDIR = 'trained'")
    source = source.replace("PATTERN_FILE = None", "PATTERN_FILE = 'mineral.xy'")
    names = run(CODE["imports"] + source)
    assert asked == ["trained"]
    assert names["measured"].pattern.shape == (8501,)
    assert capsys.readouterr().out.startswith("mineral.xy\nspace group 225:  97.6%")
