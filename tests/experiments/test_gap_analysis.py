"""The gap analysis as a whole, on crystals of the gallery and an untrained network."""

import json

import jax
import numpy as np
import pytest
from matplotlib.image import imread

from experiments.gap_analysis import __main__ as command
from experiments.gap_analysis import analysis, answers
from experiments.gap_analysis.analysis import held_out_crystals
from xrdjax.crystals.cif import write_cif
from xrdjax.crystals.textbook import gallery
from xrdjax.run import load_run

FIXED = ("halite", "fluorite", "diamond")  # cubic, without free coordinates
NAMES = (*FIXED, "rutile", "corundum")


@pytest.fixture(scope="module")
def workdir(save_run, tmp_path_factory):
    """A run whose statistics hold out nearly all types."""
    return save_run(tmp_path_factory.mktemp("run"), held_out=0.9999)


@pytest.fixture(scope="module")
def run(workdir):
    return load_run(workdir)


@pytest.fixture(scope="module")
def crystals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crystals")
    for name in NAMES:
        (folder / f"{name}.cif").write_text(write_cif(gallery(name)))
    return folder


@pytest.fixture
def perfect(monkeypatch):
    """Synthetic crystals are always recognised; the generator need not be compiled."""

    def answer(key, run, source, group_rows, title):
        return np.eye(len(run.space_groups))[group_rows]

    monkeypatch.setattr(analysis, "answer_groups", answer)


@pytest.fixture
def arbitrary(monkeypatch):
    """The answer to a known crystal depends on its atoms and its cell, and is quick."""

    def answer(run, structures, sizes_nm, title):
        sums = [
            int(1e6 * (s.positions.sum() + s.lattice.sum() + size))
            for s, size in zip(structures, sizes_nm, strict=True)
        ]
        shape = (len(structures), len(run.space_groups))
        return np.stack([np.random.default_rng(n).random(shape[1]) for n in sums])

    monkeypatch.setattr(analysis, "answer_structures", answer)


def run_command(*arguments):
    try:
        command.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code
    return 0


def test_the_command_writes_table_numbers_and_figure(
    workdir, crystals, perfect, tmp_path, capsys
):
    out = tmp_path / "new" / "folder"
    flags = (f"--workdir={workdir}", f"--crystals={crystals}", f"--out={out}")
    assert run_command(*flags) == 0
    result = json.loads((out / "gap_analysis.json").read_text())
    assert list(result["sets"]) == list(analysis.TITLES)
    assert result["abandoned"] == 0
    for name, part in result["sets"].items():
        assert part["top1"]["count"] == len(NAMES)
        assert part["top1"]["hits"] <= part["top5"]["hits"]
        if name in analysis.KINDS:
            assert part["changed"] == len(NAMES) - len(FIXED)
            assert part["drawn"] == part["changed"] + part["rejected"]
    assert result["sets"]["synthetic"]["top1"]["fraction"] == 1
    page = (out / "gap_analysis.md").read_text()
    assert page in capsys.readouterr().out
    assert all(title in page for title in analysis.TITLES.values())
    assert imread(out / "gap_analysis.png").std() > 0.02


def test_what_cannot_be_randomised_is_answered_as_before(
    run, crystals, perfect, arbitrary
):
    selection = held_out_crystals(run, crystals)
    rows = [
        i
        for i, structure in enumerate(selection.structures)
        if structure.name.removesuffix(".cif") in FIXED
    ]
    fixed = analysis.subset(selection, np.array(rows))
    sets = analysis.analyse_gap(run, fixed, seed=0)["sets"]
    for name in analysis.KINDS:
        assert sets[name]["top1"] == sets["unchanged"]["top1"]
        assert sets[name]["gain"] == {"mean": 0, "low": 0, "high": 0}
        assert sets[name]["changed"] == sets[name]["drawn"] == 0


def test_the_gain_is_that_of_pairs():
    before = np.array([True, False, False, False])
    assert analysis.gain(before, before) == {"mean": 0, "low": 0, "high": 0}
    after = np.array([False, True, True, False])  # differences -1, 1, 1, 0
    change = analysis.gain(after, before)
    assert change["mean"] == 0.25
    spread = 1.96 * np.sqrt(0.6875 / 4)  # variance 3/4 - 1/16
    assert change["high"] == pytest.approx(0.25 + spread)
    assert change["low"] == pytest.approx(0.25 - spread)


def test_synthetic_crystals_are_answered_in_their_order_whatever_the_batch(
    run, monkeypatch
):
    seen, keys = [], set()

    def patterns(key, source, group_rows):
        seen.append(group_rows.tolist())
        keys.add(tuple(jax.random.key_data(key).tolist()))
        return np.repeat(group_rows[:, None], 500, axis=1).astype(np.float32)

    monkeypatch.setattr(answers, "_patterns_of_groups", patterns)
    monkeypatch.setattr(answers, "classify_patterns", lambda run, p, size: p[:, :1])
    rows = np.arange(6, dtype=np.int32)
    found = answers.answer_groups(jax.random.key(0), run, None, rows, "synthetic")
    assert found[:, 0].tolist() == rows.tolist()
    assert seen == [[0, 1, 2, 3], [4, 5, 0, 1]]
    assert len(keys) == 2


def test_a_limit_takes_so_many_of_the_held_out_crystals(run, crystals):
    every = held_out_crystals(run, crystals)
    some = held_out_crystals(run, crystals, limit=2)
    assert len(some.structures) == len(some.labels) == len(some.type_keys) == 2
    names = [s.name for s in every.structures]
    for structure, type_key in zip(some.structures, some.type_keys, strict=True):
        assert every.type_keys[names.index(structure.name)] == type_key


def test_what_chose_the_best_checkpoint_is_left_out(
    workdir, crystals, run, perfect, arbitrary, tmp_path
):
    flags = (f"--workdir={workdir}", f"--crystals={crystals}", f"--out={tmp_path}")
    assert run_command(*flags, "--checkpoint=best") == 0
    result = json.loads((tmp_path / "gap_analysis.json").read_text())
    assert (result["step"], result["checkpoint"], result["part"]) == (7, "best", "test")
    test, validation = (
        held_out_crystals(run, crystals, part=part) for part in ("test", "validation")
    )
    assert result["counts"] == test.counts
    counts = [len(part.structures) for part in (test, validation)]
    assert min(counts) > 0 and sum(counts) == len(NAMES)
    assert "validation left out" in (tmp_path / "gap_analysis.md").read_text()


@pytest.mark.parametrize("flags", [("--limit=0",), ("--crystals=nowhere",)])
def test_bad_flags_end_with_status_2_and_one_sentence(
    workdir, crystals, tmp_path, capsys, flags
):
    good = (f"--workdir={workdir}", f"--crystals={crystals}", f"--out={tmp_path}")
    assert run_command(*good, *flags) == 2
    assert "error: " in capsys.readouterr().err
