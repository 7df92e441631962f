"""The command that makes statistics, on a folder of small crystals."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.cif import write_cif
from xrdjax.known.splits import split_by_hash
from xrdjax.prior.file import load_statistics, read_provenance
from xrdjax.statistics import main

HALITE = ["225 AB 4 4"] * 8
FLUORITE = ["225 AB2 4 8"] * 4
CESIUM_CHLORIDE = ["221 AB 1 1"] * 5
TYPES = HALITE + FLUORITE + CESIUM_CHLORIDE
# Of these seeds' halves, the first holds halite out and neither of the other types.
HALITE_OUT = next(
    seed
    for seed in range(100)
    if split_by_hash(sorted(set(TYPES)), 0.5, seed).tolist() == [False, True, False]
)


def _write(folder, name, number, a, symbols, position):
    structure = structure_from_sites(
        name, number, (a, a, a, 90, 90, 90), symbols, [(0, 0, 0), position]
    )
    (folder / f"{name}.cif").write_text(write_cif(structure))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "crystals"
    folder.mkdir()
    for i in range(8):
        _write(folder, f"halite{i}", 225, 5 + 0.1 * i, ("Na", "Cl"), (0.5,) * 3)
    for i in range(4):
        _write(folder, f"fluorite{i}", 225, 5 + 0.1 * i, ("Ca", "F"), (0.25,) * 3)
    for i in range(5):
        _write(folder, f"cscl{i}", 221, 4 + 0.1 * i, ("Cs", "Cl"), (0.5,) * 3)
    return folder


def _run(folder, *options):
    out = folder.parent / "made.npz"
    main([f"--crystals={folder}", f"--out={out}", "--min_crystals=2", *options])
    return out


def _fails(capsys, folder, *options):
    with pytest.raises(SystemExit) as exit_:
        _run(folder, *options)
    assert exit_.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_statistics_know_nothing_of_the_types_held_out(folder):
    path = _run(folder, "--held_out=0.5", f"--seed={HALITE_OUT}")
    statistics = load_statistics(path)
    assert statistics.space_groups.tolist() == [221, 225]
    assert np.diff(statistics.group_ranges)[:, 0].tolist() == [5, 4]
    # no sodium: it is in halite only
    assert np.flatnonzero(statistics.elements[1]).tolist() == [9, 20]


def test_the_split_can_be_derived_from_the_provenance(folder):
    provenance = read_provenance(_run(folder, "--held_out=0.5", f"--seed={HALITE_OUT}"))
    held_out = split_by_hash(TYPES, provenance["held_out"], provenance["seed"])
    counts = provenance["counts"]
    assert counts["held out"] == {"crystals": 8, "types": 1, "groups": 1}
    assert counts["held out"]["crystals"] == held_out.sum()
    assert counts["statistics"] == {"crystals": 9, "types": 2, "groups": 2}
    assert counts["all"] == {"crystals": 17, "types": 3, "groups": 2}


def test_the_provenance_says_how_to_make_the_file_again_without_paths(folder):
    options = ["--held_out=0", "--seed=5", "--symprec=0.02"]
    record = ["--source=here", "--license=free", "--citation=none"]
    provenance = read_provenance(_run(folder, *options, *record))
    assert provenance["command"] == (
        "python -m xrdjax.statistics --crystals=crystals --out=made.npz "
        "--held_out=0.0 --split=type --seed=5 --min_crystals=2 --symprec=0.02"
    )
    assert str(folder.parent) not in str(provenance)
    assert (provenance["source"], provenance["license"]) == ("here", "free")
    assert provenance["citation"] == "none"
    assert set(provenance["versions"]) == {"gemmi", "numpy", "python", "spglib"}


def test_all_groups_can_be_asked_for(tmp_path, capsys):
    crystals = shutil.copytree(Path(__file__).parent / "data", tmp_path / "crystals")
    positions = [(0.1, 0.2, 0.3), (0.6, 0.3, 0.8)]
    triclinic = structure_from_sites(
        "triclinic", 2, (5, 6, 7, 85, 95, 100), ("Si", "O"), positions
    )
    (crystals / "triclinic.cif").write_text(write_cif(triclinic))
    path = _run(crystals, "--all_groups", "--held_out=0", "--floor=0.5")
    assert len(load_statistics(path).space_groups) == 230
    provenance = read_provenance(path)
    assert provenance["command"].endswith("--all_groups --borrowed=40 --floor=0.5")
    own = {n: k for n, k in provenance["counts"]["crystals of groups"].items() if k}
    assert sum(own.values()) == 17 and own["62"] == 2 and own["2"] == 1
    # two crystals each: aragonite and olivine, calcite and corundum, halite and wustite
    assert "17 crystals; 227 have fewer than 2 and borrow" in capsys.readouterr().out


def test_a_random_split_holds_out_crystals_whatever_their_type(folder):
    provenance = read_provenance(_run(folder, "--held_out=0.5", "--split=random"))
    assert provenance["split"] == "random"
    names = [path.name for path in folder.iterdir()]
    held_out = split_by_hash(names, 0.5, 0)
    counts = provenance["counts"]
    assert counts["held out"]["crystals"] == held_out.sum()
    assert counts["held out"]["types"] == counts["statistics"]["types"] == 3


def test_the_file_of_analyses_serves_instead_of_the_cifs(folder, capsys):
    (folder / "broken.cif").write_text("data_broken\n_cell_length_a what\n")
    kept = folder.parent / "kept.npz"
    _run(folder, f"--analyses={kept}")
    printed = capsys.readouterr().out
    again = folder.parent / "again"
    again.mkdir()
    main([f"--crystals={kept}", f"--out={again / 'made.npz'}", "--min_crystals=2"])
    statistics = load_statistics(again / "made.npz")
    for name, value in vars(load_statistics(folder.parent / "made.npz")).items():
        np.testing.assert_array_equal(getattr(statistics, name), value)
    assert capsys.readouterr().out.splitlines()[1:-1] == printed.splitlines()[1:-1]


def test_the_same_command_makes_the_same_bytes(folder):
    first = _run(folder).read_bytes()
    assert _run(folder, "--overwrite").read_bytes() == first


def test_the_summary_counts_what_was_read_and_left_out(folder, capsys):
    (folder / "broken.cif").write_text("data_broken\n_cell_length_a what\n")
    _run(folder, "--held_out=0", "--min_crystals=6")
    printed = capsys.readouterr().out
    lines = [line.split() for line in printed.splitlines()]
    assert ["all", "17", "3", "2"] in lines
    assert ["held", "out", "0", "0", "0"] in lines
    assert ["unreadable", "1"] in lines
    assert ["group", "with", "fewer", "than", "6", "crystals", "5"] in lines
    assert ["225", "F", "m", "-3", "m", "12", "100.00%"] in lines
    assert "unreadable: broken.cif" in printed


def test_a_file_that_exists_is_not_touched(folder, capsys):
    out = folder.parent / "made.npz"
    out.write_text("precious")
    error = _fails(capsys, folder)
    assert error.startswith("error: ")
    assert "exists already" in error and "--overwrite" in error
    assert out.read_text() == "precious"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--crystals=missing.zip", "missing.zip does not exist"),
        ("--out=nowhere/made.npz", "the folder 'nowhere' does not exist"),
        ("--analyses=kept.zip", "--analyses is 'kept.zip': name a file .npz"),
        ("--analyses=nowhere/kept.npz", "the folder 'nowhere' does not exist"),
        ("--held_out=20", "share of the structure types, from 0 to 1"),
        ("--held_out=1", "no space group has 2 crystals"),
        ("--min_crystals=0", "--min_crystals is 0: expected 1 or more"),
        ("--min_crystals=18", "smaller min_crystals"),
        ("--all_groups", "no crystal is hexagonal or monoclinic or orthorhombic or"),
        ("--borrowed=0", "--borrowed is 0: expected 1 or more"),
        ("--floor=0", "--floor is 0.0: expected a number above 0"),
        ("--symprec=0", "--symprec is 0.0: expected a length above 0"),
        ("--symprec=inf", "--symprec is inf: expected a length above 0"),
        ("--symprec=nan", "--symprec is nan: expected a length above 0"),
        ("--processes=0", "--processes is 0: expected 1 or more"),
        ("--seeds=3", "unrecognized arguments: --seeds=3"),
    ],
)
def test_a_flag_that_cannot_be_is_one_sentence(folder, capsys, option, message):
    assert message in _fails(capsys, folder, option)
    assert list(folder.parent.iterdir()) == [folder]


def test_the_module_is_a_command(folder):
    out = folder.parent / "made.npz"
    subprocess.run(
        [sys.executable, "-m", "xrdjax.statistics", f"--crystals={folder}"]
        + [f"--out={out}", "--min_crystals=2", "--held_out=0"],
        check=True,
        capture_output=True,
    )
    assert load_statistics(out).space_groups.tolist() == [221, 225]
