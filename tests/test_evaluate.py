import json

import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from xrdjax import evaluate
from xrdjax.checkpoints.writer import Run
from xrdjax.crystals.cif import Failure, Reading, read_text, write_cif
from xrdjax.errors import InputError

GROUPS = np.array([221, 225, 229])
POINTS = 200
# Figures take seconds, so most tests do without.
DRAW_FIGURES = evaluate.draw_report_figures


class Reader:
    """Stands in for a network: the height of point k is the logit of class k."""

    def apply(self, variables, inputs):
        return variables["params"] * inputs[:, : len(GROUPS)]


class FakeStatistics:
    space_groups = GROUPS
    frequencies = np.array([0.2, 0.7, 0.1])


def code(rows):
    """Patterns that `Reader` reads as these rows."""
    patterns = np.zeros((len(rows), POINTS), np.float32)
    patterns[np.arange(len(rows)), rows] = 1
    return patterns


def draw(key, batch_size):
    del key
    rows = np.arange(batch_size) % len(GROUPS)
    return jnp.asarray(code(rows)), jnp.asarray(rows), {"drawn": batch_size + 1}


class Simulator:
    """Patterns of structures that tell their true group; remembers the sizes."""

    def __init__(self):
        self.sizes, self.batches = [], []

    def __call__(self, structures, sizes_nm):
        self.sizes.extend(sizes_nm.tolist())
        self.batches.append(len(structures))
        groups = [structure.space_group for structure in structures]
        return code(np.searchsorted(GROUPS, groups))


CELL = """data_{name}
_cell_length_a {a}
_cell_length_b {a}
_cell_length_c {a}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt '{symbol}'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
{sites}
"""


def structure(name, symbol, *sites, a=4.0):
    text = CELL.format(name=name, symbol=symbol, a=a, sites="\n".join(sites))
    reading = read_text(text, name)
    assert not reading.failures
    return reading.structures[0]


GALLERY = (
    structure("chloride", "P m -3 m", "Cs 0 0 0", "Cl 0.5 0.5 0.5"),
    structure("salt", "F m -3 m", "Na 0 0 0", "Cl 0.5 0.5 0.5", a=5.6),
    structure("copper", "F m -3 m", "Cu 0 0 0"),
    structure("iron", "I m -3 m", "Fe 0 0 0", a=3.0),
    structure("diamond", "F d -3 m", "C 0 0 0"),
)


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    """A work directory whose network is `Reader`; three gallery crystals in `cifs`."""
    config = ConfigDict(
        {
            "seed": 3,
            "points": POINTS,
            "wavelength": 1.5406,
            "two_theta_min_deg": 5.0,
            "two_theta_max_deg": 90.0,
            "symprec": 0.01,
            "max_volume": 7000.0,
            "max_sites": 100,
            "crystallite_size_nm": (20.0, 100.0),
            "crystals": "",
            "evaluation": {"batch_size": 2, "synthetic": 7},
        }
    )
    run = Run(config, Reader(), jnp.float32(9), FakeStatistics(), 40, GROUPS)
    reading = Reading(GALLERY, (Failure("bad.cif", "no atoms"),))
    provenance = {"held_out": 0.5, "seed": 1, "symprec": 0.01}
    monkeypatch.setattr(evaluate, "draw_report_figures", lambda *arguments: {})
    monkeypatch.setattr(evaluate, "load_network", lambda path, checkpoint="newest": run)
    monkeypatch.setattr(evaluate, "_read_gallery", lambda: reading)
    monkeypatch.setattr(evaluate, "read_provenance", lambda path: provenance)
    (tmp_path / "cifs").mkdir()
    for crystal in GALLERY:
        (tmp_path / f"cifs/{crystal.name}.cif").write_text(write_cif(crystal))
    (tmp_path / "cifs/broken.cif").write_text("data_x\n_cell_length_a ?\n")
    lines = [json.dumps({"step": s, "accuracy": s / 50}) + "\n" for s in (20, 40)]
    (tmp_path / "metrics.jsonl").write_text("".join(lines))
    return tmp_path


def run_it(workdir, **arguments):
    arguments = {"draw": draw, "simulate": Simulator(), "progress": False} | arguments
    return evaluate.evaluate_run(workdir, **arguments)


def test_a_network_that_reads_the_group_is_right_about_every_pattern(workdir, capsys):
    result = run_it(workdir, crystals=workdir / "cifs", split="all")
    for part in result["sets"].values():
        assert part["score"]["top1"]["fraction"] == 1
    assert result["sets"]["synthetic"]["score"]["top1"]["count"] == 7
    assert (
        result["sets"]["crystals"]["score"]["frequency_baseline"]["top1"]["hits"] == 2
    )
    assert "held" not in capsys.readouterr().out


def test_a_network_that_always_says_the_same_is_right_as_often_as_that(workdir):
    result = run_it(
        workdir, simulate=lambda structures, sizes: code([0] * len(structures))
    )
    assert result["sets"]["gallery"]["score"]["top1"]["hits"] == 1


def test_everything_written_says_the_same(workdir, monkeypatch, capsys):
    monkeypatch.setattr(evaluate, "draw_report_figures", DRAW_FIGURES)
    result = run_it(workdir, crystals=workdir / "cifs", split="all")
    out = capsys.readouterr().out
    written = json.loads((workdir / "report.json").read_text())
    assert written == json.loads(json.dumps(result))
    page = (workdir / "report.md").read_text()
    assert "step 40" in page and "step 40" in out
    assert len(written["run"]["config_sha256"]) == 64
    for name in written["figures"].values():
        assert (workdir / name).stat().st_size > 5000
        assert f"]({name})" in page
    assert {"training.png", "examples.png"} <= {
        name.split("/")[1] for name in written["figures"].values()
    }


def test_each_crystal_that_was_found_is_accounted_for(workdir):
    result = run_it(workdir, crystals=workdir / "cifs", split="all")
    part = result["sets"]["crystals"]
    counts = dict(part["counts"])
    assert counts.pop("found") == sum(counts.values()) == 6
    assert counts["unreadable"] == counts["outside_the_trained_groups"] == 1
    assert [failure["name"] for failure in part["failures"]] == ["broken.cif"]
    assert result["sets"]["gallery"]["failures"][0]["reason"] == "no atoms"


def test_validation_and_test_are_the_two_parts_of_what_is_held_out(workdir):
    counts = {}
    for split in ("held_out", "validation", "test"):
        part = run_it(workdir, crystals=workdir / "cifs", split=split)["sets"][
            "crystals"
        ]
        assert part["split"] == split
        counts[split] = part["counts"]["evaluated"]
    assert counts["held_out"] == counts["validation"] + counts["test"]


def test_by_default_only_held_out_types_are_evaluated(workdir, capsys):
    result = run_it(workdir, crystals=workdir / "cifs")
    part = result["sets"]["crystals"]
    assert 0 < part["counts"]["of_types_in_the_statistics"] < 5
    assert (part["held_out_fraction"], part["split_seed"]) == (0.5, 1)
    assert "held-out crystals" in capsys.readouterr().out
    assert "seed 1" in (workdir / "report.md").read_text()


def test_what_chose_the_best_checkpoint_does_not_test_it_by_default(workdir):
    config = evaluate.load_network(workdir).config.unlock()
    cifs = workdir / "cifs"
    config.evaluation.validation = 5

    def split(crystals, **arguments):
        config.crystals = str(crystals)
        result = run_it(workdir, crystals=cifs, synthetic=0, **arguments)
        return result["sets"]["crystals"]["split"]

    assert split(cifs, checkpoint="best") == "test"
    assert split(cifs, checkpoint="newest") == "held_out"
    assert split("", checkpoint="best") == "held_out"  # random crystals chose it
    assert split(cifs, checkpoint="best", split="held_out") == "held_out"
    config.evaluation.validation = 0
    assert split(cifs, checkpoint="best") == "held_out"


def test_statistics_of_all_types_leave_nothing_to_hold_out(workdir, monkeypatch):
    monkeypatch.setattr(evaluate, "read_provenance", lambda path: {"held_out": 0.0})
    result = run_it(workdir, crystals=workdir / "cifs")
    assert result["sets"]["crystals"]["split"] == "all"
    with pytest.raises(InputError, match="--split=all"):
        run_it(workdir, crystals=workdir / "cifs", split="held_out")


def test_crystallite_sizes_are_those_of_training_and_repeat(workdir):
    first, second = Simulator(), Simulator()
    run_it(workdir, simulate=first)
    run_it(workdir, simulate=second)
    assert first.sizes == second.sizes
    assert (
        len(set(first.sizes)) == 4 and 20 <= min(first.sizes) < max(first.sizes) < 100
    )


def test_no_batch_is_larger_than_configured(workdir):
    simulator = Simulator()
    run_it(workdir, simulate=simulator)
    assert simulator.batches == [2, 2]


def test_without_crystals_the_report_says_how_to_name_them(workdir, capsys):
    result = run_it(workdir)
    assert set(result["sets"]) == {"synthetic", "gallery"}
    for text in (capsys.readouterr().out, (workdir / "report.md").read_text()):
        assert "--config.crystals=PATH" in text and "--crystals=PATH" in text


def test_nothing_left_to_classify_is_said_not_an_error(workdir, capsys):
    path = workdir / "cifs/diamond.cif"
    result = run_it(workdir, crystals=path, split="all", synthetic=0)
    assert result["sets"]["crystals"]["score"] is None
    assert "synthetic" not in result["sets"]
    assert "Nothing was left to classify" in (workdir / "report.md").read_text()


def test_symmetry_tolerances_that_differ_are_pointed_out(workdir, monkeypatch):
    provenance = {"held_out": 0.5, "seed": 1, "symprec": 0.1}
    monkeypatch.setattr(evaluate, "read_provenance", lambda path: provenance)
    result = run_it(workdir, crystals=workdir / "cifs")
    assert any("0.1 angstrom" in note for note in result["notes"])


@pytest.mark.parametrize(
    "arguments,message",
    [
        ({"crystals": "nowhere"}, "nowhere does not exist"),
        ({"split": "none"}, "expected held_out, test, validation, all"),
        ({"out": "report.txt"}, "ends in .json"),
        ({"out": "no/such/folder/report.json"}, "folder that exists"),
    ],
)
def test_bad_arguments_are_refused_in_one_sentence(workdir, arguments, message):
    with pytest.raises(InputError, match=message) as error:
        run_it(workdir, **arguments)
    assert "\n" not in str(error.value)


def command(monkeypatch, *arguments):
    """Runs the command line with fakes; its exit status."""
    whole = evaluate.evaluate_run
    fakes = {"draw": draw, "simulate": Simulator(), "progress": False}
    monkeypatch.setattr(
        evaluate, "evaluate_run", lambda *a, **given: whole(*a, **given | fakes)
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
    arguments = ("--workdir", workdir, f"--out={out}", "--synthetic=0")
    assert command(monkeypatch, *arguments) == 0
    before = out.read_text()
    assert command(monkeypatch, *arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_text() == before
    assert command(monkeypatch, *arguments, "--overwrite") == 0
    assert {path.name for path in workdir.glob("mine*")} == {"mine.json", "mine.md"}


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
