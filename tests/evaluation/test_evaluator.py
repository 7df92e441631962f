"""The report of an evaluation, on patterns that state their space group."""

import json

import pytest
from coded_patterns import CRYSTALS, SOURCE, Simulator, code, reading_run, row_of

from xrdjax.crystals.cif import write_cif
from xrdjax.errors import InputError
from xrdjax.evaluation import evaluator, sets
from xrdjax.evaluation.evaluator import Request, evaluate_run

CHLORIDE = row_of(221)


@pytest.fixture(scope="module")
def cifs(tmp_path_factory):
    """A folder of all crystals, and one file that is none."""
    folder = tmp_path_factory.mktemp("cifs")
    for crystal in CRYSTALS:
        (folder / f"{crystal.name}.cif").write_text(write_cif(crystal))
    (folder / "broken.cif").write_text("data_x\n_cell_length_a ?\n")
    return folder


@pytest.fixture
def evaluate(tmp_path, monkeypatch):
    """Evaluates a run on synthetic crystals, a gallery of five and others."""

    def evaluate(run=None, simulate=None, **request):
        run = run or reading_run()
        monkeypatch.setattr(evaluator, "load_network", lambda *arguments: run)
        return evaluate_run(
            Request(tmp_path, **{"progress": False} | request),
            source=SOURCE,
            simulate=simulate or Simulator(),
        )

    gallery = {crystal.name: crystal for crystal in CRYSTALS}
    monkeypatch.setattr(sets, "gallery_structures", lambda: gallery)
    # figures take seconds, and have tests of their own
    monkeypatch.setattr(evaluator, "plot_report", lambda *arguments: {})
    return evaluate


def test_a_network_that_reads_the_group_is_right_about_every_pattern(evaluate, cifs):
    sections = evaluate(crystals=cifs, split="all")["sets"]
    for section in sections.values():
        assert section["score"]["top1"]["fraction"] == 1
    assert sections["synthetic"]["score"]["top1"]["count"] == 7
    # four batches of two, of three sampled crystals each
    assert sections["synthetic"]["generator"] == {"drawn": 12}
    baseline = sections["crystals"]["score"]["frequency_baseline"]
    assert baseline["top1"]["hits"] == 2


def test_a_network_that_always_says_the_same_is_right_as_often_as_that(evaluate):
    def simulate(structures, sizes_nm):
        return code([CHLORIDE] * len(structures))

    gallery = evaluate(simulate=simulate, synthetic=0)["sets"]["gallery"]
    assert (gallery["score"]["top1"]["hits"], gallery["score"]["top1"]["count"]) == (
        1,
        4,
    )


def test_json_page_and_summary_are_of_one_report(evaluate, tmp_path, capsys):
    result = evaluate()
    written = json.loads((tmp_path / "report.json").read_text())
    assert written == json.loads(json.dumps(result))
    page, printed = (tmp_path / "report.md").read_text(), capsys.readouterr().out
    assert "step 40" in page and "step 40" in printed
    assert "| synthetic crystals | 7 | 100.0 (64.6-100.0) |" in page
    assert "100.0 (64.6-100.0)" in printed and "report.md" in printed


def test_each_crystal_that_was_found_is_accounted_for(evaluate, cifs):
    section = evaluate(crystals=cifs, split="all", synthetic=0)["sets"]["crystals"]
    counts = dict(section["counts"])
    assert counts.pop("found") == sum(counts.values()) == 6
    assert counts["unreadable"] == counts["outside_the_trained_groups"] == 1
    assert [failure["name"] for failure in section["failures"]] == ["broken.cif"]


def test_validation_and_test_are_the_two_parts_of_what_is_held_out(evaluate, cifs):
    counts = {}
    for split in ("held_out", "validation", "test"):
        result = evaluate(crystals=cifs, split=split, synthetic=0)
        section = result["sets"]["crystals"]
        assert section["split"] == split
        counts[split] = section["counts"]["evaluated"]
    assert counts["held_out"] == counts["validation"] + counts["test"]


def test_by_default_only_held_out_types_are_evaluated(evaluate, cifs, tmp_path, capsys):
    section = evaluate(crystals=cifs)["sets"]["crystals"]
    assert 0 < section["counts"]["of_types_in_the_statistics"] < 5
    assert (section["held_out_fraction"], section["split_seed"]) == (0.5, 1)
    assert "held-out crystals" in capsys.readouterr().out
    assert "seed 1" in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize(
    ("changes", "request_", "expected"),
    [
        ({"crystals": "cifs"}, {"checkpoint": "best"}, "test"),
        ({"crystals": "cifs"}, {"checkpoint": "newest"}, "held_out"),
        # synthetic crystals chose it
        ({}, {"checkpoint": "best"}, "held_out"),
        (
            {"crystals": "cifs", "evaluation.validation": 0},
            {"checkpoint": "best"},
            "held_out",
        ),
        ({"crystals": "cifs"}, {"checkpoint": "best", "split": "held_out"}, "held_out"),
    ],
)
def test_crystals_that_chose_the_best_checkpoint_do_not_test_it_by_default(
    evaluate, cifs, changes, request_, expected
):
    if "crystals" in changes:
        changes = changes | {"crystals": str(cifs)}
    run = reading_run(**changes)
    result = evaluate(run, crystals=cifs, synthetic=0, **request_)
    assert result["sets"]["crystals"]["split"] == expected


def test_statistics_of_all_types_leave_nothing_to_hold_out(evaluate, cifs):
    run = reading_run({"held_out": 0.0})
    result = evaluate(run, crystals=cifs, synthetic=0)
    assert result["sets"]["crystals"]["split"] == "all"
    with pytest.raises(InputError, match="--split=all"):
        evaluate(run, crystals=cifs, split="held_out")


def test_without_crystals_the_report_states_how_to_name_them(
    evaluate, tmp_path, capsys
):
    assert set(evaluate()["sets"]) == {"synthetic", "gallery"}
    for text in (capsys.readouterr().out, (tmp_path / "report.md").read_text()):
        assert "--config.crystals=PATH" in text and "--crystals=PATH" in text


def test_a_set_without_patterns_is_reported_and_no_error(evaluate, cifs, tmp_path):
    result = evaluate(crystals=cifs / "sulvanite.cif", split="all", synthetic=0)
    assert result["sets"]["crystals"]["score"] is None
    assert "synthetic" not in result["sets"]
    assert "No pattern was left to classify" in (tmp_path / "report.md").read_text()


def test_symmetry_tolerances_that_differ_are_pointed_out(evaluate, cifs):
    run = reading_run({"held_out": 0.5, "seed": 1, "symprec": 0.1})
    notes = evaluate(run, crystals=cifs, synthetic=0)["notes"]
    assert any("0.1 angstrom" in note for note in notes)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"crystals": "nowhere"}, "nowhere does not exist"),
        ({"split": "none"}, "expected held_out, test, validation, all"),
        ({"out": "report.txt"}, "ends in .json"),
        ({"out": "no/such/folder/report.json"}, "'no/such/folder' does not exist"),
        ({"out": "taken.json"}, "'taken_figures': it is a file"),
        ({"out": "old.json", "overwrite": False}, "'old.json' exists already"),
        ({"out": "page.json", "overwrite": False}, "'page.md' exists already"),
    ],
)
def test_a_request_that_cannot_be_met_is_one_sentence(
    evaluate, tmp_path, monkeypatch, request_, message
):
    monkeypatch.chdir(tmp_path)
    for name in ("taken_figures", "old.json", "page.md"):
        (tmp_path / name).write_text("precious")
    simulator = Simulator()
    with pytest.raises(InputError, match=message) as error:
        evaluate(simulate=simulator, **request_)
    assert "\n" not in str(error.value)
    assert not simulator.batches, "found before the work"


def test_the_report_of_the_bundled_network_goes_into_the_current_folder(monkeypatch):
    monkeypatch.setattr(evaluator, "PRETRAINED", evaluator.Path("package"))
    assert str(Request("package").report_path) == "report.json"
    assert str(Request("package", out="a/b.json").page_path) == "a/b.md"
    assert str(Request("other").figures_path) == "other/report_figures"
