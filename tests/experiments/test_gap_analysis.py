"""The gap analysis as a whole, on crystals of the gallery and an untrained network."""

import json

import jax
import numpy as np
import pytest
from matplotlib.image import imread
from repository import get_config

from experiments import gap_analysis, gap_answers
from xrdjax.checkpoints import writer as checkpoints
from xrdjax.config import make_model, write_config
from xrdjax.crystals.cif import write_cif
from xrdjax.crystals.textbook import gallery
from xrdjax.models.resnet import init_params
from xrdjax.prior.file import load_statistics, read_provenance, save_statistics
from xrdjax.prior.prior import make_prior

FIXED = ("halite", "fluorite", "diamond")  # cubic, without free coordinates
NAMES = (*FIXED, "rutile", "corundum")


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """A run of a tiny, untrained network whose statistics hold out nearly all types."""
    folder = tmp_path_factory.mktemp("run")
    config = get_config("quick")
    config.points = 500
    config.model.update({"width": 2, "groups": 1})
    config.evaluation.update({"batch_size": 4})
    write_config(folder, config)
    statistics = load_statistics()
    provenance = read_provenance() | {"held_out": 0.9999}
    save_statistics(folder / checkpoints.STATISTICS, statistics, provenance)
    model = make_model(config, outputs=len(statistics.space_groups))
    params = init_params(jax.random.key(0), model, config.points)
    checkpoints.save(folder, 7, {"params": params}, kept=1, accuracy=0.5)
    checkpoints.save(folder, 14, {"params": params}, kept=1, accuracy=0.1)
    return folder


@pytest.fixture(scope="module")
def run(workdir):
    return checkpoints.load_run(workdir)


@pytest.fixture(scope="module")
def crystals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crystals")
    for name in NAMES:
        (folder / f"{name}.cif").write_text(write_cif(gallery(name)))
    return folder


@pytest.fixture
def perfect(monkeypatch):
    """Random crystals are always recognised; the generator need not be compiled."""

    def answer(key, run, prior, groups, sizes_nm, title):
        return np.eye(len(run.space_groups))[groups]

    monkeypatch.setattr(gap_analysis, "answer_groups", answer)


def command(*arguments):
    try:
        gap_analysis.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code
    return 0


def test_the_command_writes_table_numbers_and_figure(
    workdir, crystals, perfect, tmp_path, capsys
):
    out = tmp_path / "new" / "folder"
    flags = (f"--workdir={workdir}", f"--crystals={crystals}", f"--out={out}")
    assert command(*flags) == 0
    result = json.loads((out / "gap_analysis.json").read_text())
    assert list(result["sets"]) == list(gap_analysis.TITLES)
    assert result["given_up"] == 0
    for name, part in result["sets"].items():
        assert part["top1"]["count"] == len(NAMES)
        assert part["top1"]["hits"] <= part["top5"]["hits"]
        if name in gap_analysis.REDRAWN:
            assert part["changed"] == len(NAMES) - len(FIXED)
            assert part["drawn"] == part["changed"] + part["rejected"]
    assert result["sets"]["synthetic"]["top1"]["fraction"] == 1
    page = (out / "gap_analysis.md").read_text()
    assert page in capsys.readouterr().out
    assert all(title in page for title in gap_analysis.TITLES.values())
    assert imread(out / "gap_analysis.png").std() > 0.02


def test_what_cannot_be_redrawn_is_answered_as_before(run, crystals, perfect):
    selection = gap_analysis.held_out_crystals(
        run, crystals, {"held_out": 1, "seed": 0}
    )
    rows = [
        i
        for i, structure in enumerate(selection.structures)
        if structure.name.removesuffix(".cif") in FIXED
    ]
    fixed = gap_analysis._subset(selection, np.array(rows))
    sets = gap_analysis.analyse_gap(run, fixed, seed=0)["sets"]
    for name in gap_analysis.REDRAWN:
        assert sets[name]["top1"] == sets["unchanged"]["top1"]
        assert sets[name]["gain"] == {"mean": 0, "low": 0, "high": 0}
        assert sets[name]["changed"] == sets[name]["drawn"] == 0


def test_the_gain_is_that_of_pairs():
    before = np.array([True, False, False, False])
    assert gap_analysis.gain(before, before) == {"mean": 0, "low": 0, "high": 0}
    after = np.array([False, True, True, False])  # differences -1, 1, 1, 0
    change = gap_analysis.gain(after, before)
    assert change["mean"] == 0.25
    spread = 1.96 * np.sqrt(0.6875 / 4)  # variance 3/4 - 1/16
    assert change["high"] == pytest.approx(0.25 + spread)
    assert change["low"] == pytest.approx(0.25 - spread)


def test_random_crystals_are_answered_in_their_order_whatever_the_batch(
    run, monkeypatch
):
    seen = []

    def patterns(key, prior, grid, groups, sizes_nm, simulation, limits):
        seen.append((groups.tolist(), sizes_nm.tolist()))
        return np.repeat(groups[:, None], 500, axis=1).astype(np.float32)

    monkeypatch.setattr(gap_answers, "_patterns_of_groups", patterns)
    monkeypatch.setattr(gap_answers, "classify", lambda run, p, size: p[:, :1])
    groups, sizes_nm = np.arange(6, dtype=np.int32), np.arange(20.0, 26.0)
    answers = gap_answers.answer_groups(
        jax.random.key(0), run, make_prior(run.statistics), groups, sizes_nm, "random"
    )
    assert answers[:, 0].tolist() == groups.tolist()
    assert seen == [
        ([0, 1, 2, 3], [20, 21, 22, 23]),
        ([4, 5, 0, 1], [24, 25, 20, 21]),
    ]


def test_a_limit_takes_so_many_of_the_held_out_crystals(run, crystals):
    provenance = {"held_out": 1, "seed": 0}
    all_of_them = gap_analysis.held_out_crystals(run, crystals, provenance)
    some = gap_analysis.held_out_crystals(run, crystals, provenance, limit=2)
    assert len(some.structures) == len(some.labels) == len(some.type_keys) == 2
    names = [s.name for s in all_of_them.structures]
    for structure, type_key in zip(some.structures, some.type_keys, strict=True):
        assert all_of_them.type_keys[names.index(structure.name)] == type_key


def test_what_chose_the_best_checkpoint_is_left_out(
    workdir, crystals, run, perfect, tmp_path
):
    flags = (f"--workdir={workdir}", f"--crystals={crystals}", f"--out={tmp_path}")
    assert command(*flags, "--checkpoint=best") == 0
    result = json.loads((tmp_path / "gap_analysis.json").read_text())
    assert (result["step"], result["checkpoint"], result["part"]) == (7, "best", "test")
    provenance = {"held_out": 0.9999, "seed": read_provenance()["seed"]}
    test, validation = (
        gap_analysis.held_out_crystals(run, crystals, provenance, part=part)
        for part in ("test", "validation")
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
    assert command(*good, *flags) == 2
    assert "error: " in capsys.readouterr().err
