"""The report states every number in a form that people and programs can read."""

import json

import numpy as np
import pytest

from xrdjax.evaluation import errors, metrics, report

GROUPS = np.array([14, 62, 225])


@pytest.fixture
def example():
    """A report about a network that is right about 60 of 80 patterns."""
    labels = np.repeat([0, 1, 2, 2], 20)
    answers = np.where(np.arange(80) % 4 == 0, (labels + 1) % 3, labels)
    frequencies = np.array([0.25, 0.25, 0.5])
    given = np.eye(3)[answers], labels, GROUPS
    lines = np.arange(80)
    score = metrics.score(*given, frequencies) | {
        "by_summed_probabilities": errors.summed_accuracies(*given),
        "ceiling_of_positions": errors.positions_ceiling(labels, GROUPS, frequencies),
        "why_it_errs": errors.explain_errors(*given, lines),
    }
    failures = [{"name": f"{i}.cif", "reason": f"reason {i // 2}"} for i in range(60)]
    rest = {
        "common_groups": {
            "min_crystals": 50,
            "space_groups": 2,
            **metrics.top1_and_top5(given[0][:40], labels[:40]),
        }
    }
    by_type = {"by_structure_type": {"types": 12, "top1_mean": 0.5}}
    return {
        "run": {
            "workdir": "runs/a",
            "step": 1200,
            "config_sha256": "ab" * 32,
            "space_groups": GROUPS.tolist(),
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
                "score": score | by_type | rest,
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


def test_json_holds_every_number_and_refuses_what_is_none(example):
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
    assert (
        "In the 2 space groups of at least 50 known crystals: 75.0 % top-1 and 100.0 % "
        "top-5 of 40 patterns." in page
    )
    assert "![Confusion](report_figures/confusion.png)" in page
    assert "step 1200" in page and "abab" in page and "A note." in page


def test_the_page_names_the_weights_that_the_run_started_from(example):
    origin = {"init": "pretrained", "step": 52_000, "sha256": "cd" * 32}
    example["run"]["origin"] = origin | {"carried_over": [14, 225], "fresh": [62]}
    assert (
        "The run started from `pretrained` at step 52000 (SHA-256 cdcdcdcdcdcd), 2 of 3 "
        "space groups carried over."
    ) in report.to_markdown(example)


def test_the_page_states_why_the_network_errs(example):
    page = report.to_markdown(example)
    assert "### Why it errs" in page
    # a quarter of 80 is wrong, and nothing about these answers is right
    assert "| all | 80 | 25.0 (16.8-35.5) | 0.0 | 0.0 | 0.0 | 0.0 |" in page
    assert "| 0 to 19 lines | 20 | 25.0" in page
    assert "| extinction symbol | 3 | 75.0 (64.5-83.2) |" in page
    assert "positions alone: 100.0 (95.4-100.0) %; with the Laue class: 100.0" in page


def test_every_table_of_the_page_is_rectangular(example):
    width = None
    for line in report.to_markdown(example).splitlines():
        if not line.startswith("|"):
            width = None
            continue
        assert width in (None, line.count("|"))
        width = line.count("|")


def test_reasons_are_listed_once_and_the_rare_ones_only_counted(example):
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
