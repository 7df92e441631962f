"""What is exported as the bundled network: complete, open, and without private paths."""

import functools
import json

import numpy as np
import pytest

from experiments.export_pretrained import export
from experiments.export_pretrained.__main__ import main
from experiments.export_pretrained.export import licence
from xrdjax.crystals.cif import write_cif
from xrdjax.crystals.textbook import gallery
from xrdjax.errors import InputError
from xrdjax.evaluation import sets
from xrdjax.prior.file import read_provenance
from xrdjax.run import load_pretrained, load_run

BEST = 7  # step of the best checkpoint of `save_run`
CRYSTALS = {name: gallery(name) for name in ("halite", "quartz")}


def simulate(structures, sizes_nm):
    """One line for each crystal, at a place of its own, in place of its pattern."""
    patterns = np.zeros((len(structures), 500), np.float32)
    places = [int(structure.volume) for structure in structures]
    patterns[np.arange(len(structures)), places] = 1
    return patterns


@pytest.fixture(scope="module")
def workdir(save_run, tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def exported(workdir, tmp_path_factory):
    """The folder that the command writes."""
    private = tmp_path_factory.mktemp("private")
    cifs, folder = private / "cifs", private / "weights"
    cifs.mkdir()
    for name, crystal in CRYSTALS.items():
        (cifs / f"{name}.cif").write_text(write_cif(crystal))
    with pytest.MonkeyPatch.context() as patch:
        # the whole gallery takes long to analyse, and patterns to compile
        patch.setattr(sets, "gallery_structures", lambda: CRYSTALS)
        evaluate_run = functools.partial(export.evaluate_run, simulate=simulate)
        patch.setattr(export, "evaluate_run", evaluate_run)
        main(
            [
                f"--workdir={workdir}",
                f"--out={folder}",
                f"--crystals={cifs}",
                "--checkpoint=best",
                "--synthetic=0",
            ]
        )
    return folder


def test_the_folder_loads_as_a_network_that_answers_alike(workdir, exported):
    was, now = load_run(workdir, "best"), load_pretrained(exported)
    assert now.step == was.step == BEST
    np.testing.assert_array_equal(now.space_groups, was.space_groups)
    assert now.measurement.grid == was.measurement.grid
    for name, layer in was.params.items():
        for kind, values in layer.items():
            found = now.params[name][kind]
            # 2^-11 of a weight, and the spacing of float16 near zero
            np.testing.assert_allclose(found, values, rtol=2.0**-11, atol=2.0**-25)


def test_the_bundled_statistics_are_not_written_again(exported):
    assert {path.name for path in exported.iterdir()} == {
        "params.npz",
        "config.json",
        "report.json",
        "report.md",
        "LICENSE",
    }


def test_the_report_is_of_the_exported_weights(exported):
    report = json.loads((exported / "report.json").read_text())
    assert report["run"]["step"] == BEST and report["run"]["workdir"] == "weights"
    assert report["run"]["checkpoint"] == "best"
    assert report["sets"]["crystals"]["path"] == "cifs"
    assert report["sets"]["crystals"]["split"] == "test"
    assert report["sets"]["gallery"]["counts"]["found"] == len(CRYSTALS)
    assert report["figures"] == {}
    assert f"step {BEST}" in (exported / "report.md").read_text()


def test_no_path_of_the_machine_is_written(exported):
    for name in ("config.json", "report.json", "report.md", "LICENSE"):
        text = (exported / name).read_text()
        assert "private" not in text and str(exported.parent) not in text, name


def test_the_licence_names_the_source_of_the_statistics(exported):
    terms = (exported / "LICENSE").read_text()
    assert "CC BY 4.0" in terms and read_provenance()["source"] in terms


@pytest.mark.parametrize(
    "provenance", [{}, {"source": "ICSD", "license": "commercial"}]
)
def test_weights_from_crystals_that_are_not_open_are_not_published(provenance):
    with pytest.raises(InputError, match="expected a source under one of"):
        licence(provenance)
