import json
import os

import numpy as np
import pytest

from xrdjax.errors import InputError
from xrdjax.evaluation import metrics, report

GROUPS = (14, 62, 225)


@pytest.fixture
def example():
    """A report about a network that is right about 60 of 80 patterns."""
    labels = np.repeat([0, 1, 2, 2], 20)
    answers = np.where(np.arange(80) % 4 == 0, (labels + 1) % 3, labels)
    score = metrics.score(
        np.eye(3)[answers], labels, GROUPS, np.array([0.25, 0.25, 0.5])
    )
    failures = [{"name": f"{i}.cif", "reason": f"reason {i // 2}"} for i in range(60)]
    by_type = {"by_structure_type": {"types": 12, "top1_mean": 0.5}}
    return {
        "run": {
            "workdir": "runs/a",
            "step": 1200,
            "config_sha256": "ab" * 32,
            "space_groups": list(GROUPS),
        },
        "time_utc": "2030-01-02 03:04:05",
        "seconds": 4.2,
        "device": "1 cpu",
        "versions": {"python": "3.11", "xrdjax": "0.1"},
        "notes": ["A note."],
        "sets": {
            "crystals": {
                "title": "held-out known crystals",
                "description": "Some crystals.",
                "counts": {"found": 140, "unreadable": 60, "evaluated": 80},
                "failures": failures,
                "score": score | by_type,
            },
            "gallery": {
                "title": "gallery",
                "description": "None.",
                "counts": {"found": 0, "evaluated": 0},
                "failures": [],
                "score": None,
            },
        },
        "figures": {"Confusion": "report_figures/confusion.png"},
    }


def test_json_holds_every_figure_and_refuses_what_is_no_number(example):
    assert json.loads(report.to_json(example)) == example
    with pytest.raises(ValueError):
        report.to_json({"accuracy": float("nan")})


def test_the_page_has_the_interval_the_baseline_and_the_counts(example):
    page = report.to_markdown(example)
    assert "75.0 (64.5-83.2)" in page  # 60 of 80, the worked Wilson interval
    assert "| 75.0 (64.5-83.2) | 100.0 (95.4-100.0) |" in page
    assert "| held-out known crystals | 80 |" in page
    assert "50.0 | 100.0 |" in page  # always group 225
    assert "| unreadable | 60 |" in page
    assert "| 225 F m -3 m | 40 |" in page
    assert "50.0 % over 12" in page
    assert "![Confusion](report_figures/confusion.png)" in page
    assert "step 1200" in page and "abab" in page and "A note." in page


def test_every_table_of_the_page_is_rectangular(example):
    width = None
    for line in report.to_markdown(example).splitlines():
        if not line.startswith("|"):
            width = None
            continue
        assert width in (None, line.count("|"))
        width = line.count("|")


def test_reasons_are_counted_once_and_the_rare_ones_summed_up(example):
    page = report.to_markdown(example)
    assert page.count("| reason ") == 20
    assert "and 10 more reasons" in page


def test_the_summary_is_aligned_and_fits_a_terminal(example):
    lines = report.summary(example).splitlines()
    assert lines[-1] == "A note."
    table = lines[:-2]
    assert len({len(line) for line in table}) == 1
    assert len(table[0]) <= 100
    assert "75.0 (64.5-83.2)" in table[2]


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    report.write_text(path, "old")

    def fail(*arguments):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError):
        report.write_text(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_report_is_as_readable_as_other_files(tmp_path):
    (tmp_path / "other").write_text("")
    report.write_text(tmp_path / "report", "")
    modes = {(tmp_path / name).stat().st_mode for name in ("other", "report")}
    assert len(modes) == 1


def test_an_existing_file_is_left_alone_unless_told(tmp_path):
    path = tmp_path / "a"
    report.require_absent(path, overwrite=False)
    path.write_text("")
    report.require_absent(path, overwrite=True)
    with pytest.raises(InputError, match="--overwrite"):
        report.require_absent(path, overwrite=False)
