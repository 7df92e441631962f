"""The command that samples synthetic crystals."""

import os
import subprocess
import sys

import gemmi
import numpy as np
import pytest
from examples import DRAWN, LIMITS
from oracles.adapters import atoms_of, structure_from_gemmi
from repository import ROOT

import xrdjax.commands.sample
from xrdjax.prior.file import load_statistics
from xrdjax.prior.sampling import sample_crystals
from xrdjax.sample import main
from xrdjax.symmetry.search import find_symmetry

# Limits and number as in other tests, so that the compiled program is shared.
SMALL = [
    f"--count={DRAWN}",
    f"--max_volume={LIMITS.max_volume}",
    f"--max_sites={LIMITS.max_sites}",
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("precious")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "old.cif").write_text("precious")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def crystals_in(folder) -> dict[str, gemmi.SmallStructure]:
    """By name, as gemmi reads them."""
    return {
        path.stem: gemmi.make_small_structure_from_block(
            gemmi.cif.read_file(str(path)).sole_block()
        )
        for path in sorted(folder.iterdir())
    }


def test_crystals_of_one_group_have_that_group_to_gemmi_and_spglib(folder, capsys):
    main(["--space_group=62", "--seed=3", "--out=new/sampled", *SMALL])
    assert capsys.readouterr().out == f"{DRAWN} crystals written to new/sampled\n"
    crystals = crystals_in(folder / "new" / "sampled")
    assert list(crystals) == [f"crystal_{i:06d}_group_062" for i in range(DRAWN)]
    for name, small in crystals.items():
        assert small.spacegroup.number == 62
        assert small.spacegroup.is_reference_setting()
        assert small.cell.volume <= LIMITS.max_volume * 1.001
        atoms = atoms_of(structure_from_gemmi(small), tolerance=1e-3)
        found = find_symmetry(
            atoms.lattice, atoms.positions, atoms.elements, 1e-3, name
        )
        assert found.space_group == 62
    assert len({small.cell.a for small in crystals.values()}) == DRAWN


def test_groups_are_sampled_by_frequency_by_default(folder):
    main(["--out=empty", *SMALL])
    crystals = crystals_in(folder / "empty")
    assert len(crystals) == DRAWN
    for name, small in crystals.items():
        assert name.endswith(f"_group_{small.spacegroup.number:03d}")
    numbers = {small.spacegroup.number for small in crystals.values()}
    assert len(numbers) > 10
    assert numbers <= set(load_statistics().space_groups.tolist())


def test_the_seed_decides_everything(folder):
    for seed, name in ((5, "one"), (5, "same"), (6, "other")):
        main([f"--seed={seed}", f"--out={name}", *SMALL])
    texts = {
        name: [path.read_text() for path in sorted((folder / name).iterdir())]
        for name in ("one", "same", "other")
    }
    assert texts["one"] == texts["same"]
    assert not set(texts["one"]) & set(texts["other"])


def test_a_batch_that_is_not_full_is_cut_and_repeats_no_crystal(folder, monkeypatch):
    monkeypatch.setattr(xrdjax.commands.sample, "_BATCH", DRAWN)
    main(["--out=empty", *SMALL, f"--count={DRAWN + 3}"])
    names = sorted(path.name for path in (folder / "empty").iterdir())
    numbers = [int(name.split("_")[1]) for name in names]
    assert numbers == list(range(DRAWN + 3))
    texts = {
        path.read_text().split("loop_", 1)[1] for path in (folder / "empty").iterdir()
    }
    assert len(texts) == DRAWN + 3


MISTAKES = {
    "a group that does not exist": (["--space-group=231"], "no space group 231"),
    "a group of nothing": (["--space-group=0"], "no space group 0"),
    "a group by symbol": (
        ["--space-group=Fm-3m"],
        "--space_group is 'Fm-3m': expected a number from 1 to 230, or all",
    ),
    "no crystals": (["--count=0"], "--count is 0: expected 1 or more"),
    "a negative seed": (["--seed=-1"], "--seed is -1: expected 0 to 4294967295"),
    "a seed too large": (["--seed=4294967296"], "--seed is 4294967296: expected 0"),
    "no volume": (["--max_volume=0"], "--max_volume is 0 and --max_sites 24: expected"),
    "a volume that is no number": (["--max_volume=nan"], "--max_volume is nan and"),
    "no sites": (["--max_sites=0"], "--max_sites 0: expected numbers above 0"),
    "an output that holds files": (["--out=full"], "the folder 'full' holds files"),
    "an output that is a file": (["--out=file"], "cannot write to the folder 'file'"),
    "an output below a file": (["--out=file/new"], "cannot write to the folder"),
    "no such statistics": (
        ["--statistics=none.npz"],
        "no statistics file 'none.npz': expected a file made by",
    ),
    "statistics of another kind": (["--statistics=file"], "'file' is damaged or no"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_and_status_2(folder, capsys, mistake):
    changes, message = MISTAKES[mistake]
    before = sorted(folder.rglob("*"))
    with pytest.raises(SystemExit) as exit_:
        main(["--out=new", *SMALL, *changes])
    out, error = capsys.readouterr()
    assert exit_.value.code == 2
    assert error.startswith("error: ") and error.count("\n") == 1
    assert message in error
    assert out == ""
    assert sorted(folder.rglob("*")) == before, "nothing was written"


def test_crystals_that_exceed_the_limits_are_not_written(folder, capsys, monkeypatch):
    def give_up(*arguments):
        sites, counts = sample_crystals(*arguments)
        return sites, counts.replace(exhausted=np.int32(4))

    monkeypatch.setattr(xrdjax.commands.sample, "sample_crystals", give_up)
    with pytest.raises(SystemExit) as exit_:
        main(["--out=new", *SMALL])
    assert exit_.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(
        "error: 4 of 32 crystals exceeded the limits in all 200 tries: raise"
    )
    assert list((folder / "new").iterdir()) == []


def test_the_module_is_a_command(folder):
    command = [sys.executable, "-m", "xrdjax.sample", "--space-group=231", "--out=new"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("error: no space group 231")
