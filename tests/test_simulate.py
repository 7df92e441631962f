"""The command that simulates one crystal."""

import csv
import os
import subprocess
import sys

import numpy as np
import pytest
from oracles import powder
from repository import ROOT

from xrdjax.crystals.asymmetric_unit import structure_from_sites
from xrdjax.crystals.cif import write_cif
from xrdjax.crystals.crystal import to_crystal
from xrdjax.crystals.textbook import gallery
from xrdjax.diffraction.powder import powder_lines
from xrdjax.instrument.grid import TwoThetaGrid
from xrdjax.simulate import main

# A short grid, so that a run takes little time.
RANGE = ["--two_theta_min=20", "--two_theta_max=60", "--step=0.04"]
GRID = TwoThetaGrid(20.0, 60.0, 1001)

HOT = structure_from_sites(
    "hot",
    221,
    (4.12, 4.12, 4.12, 90, 90, 90),
    ["Cs", "Cl"],
    [(0, 0, 0), (0.5, 0.5, 0.5)],
    b_iso=[2.0, 3.0],
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with CIFs, good and bad, and files in the way of the output."""
    text = write_cif(HOT)
    halite = write_cif(gallery("halite"))
    files = {
        "hot.cif": text,
        "several.cif": text.replace("data_hot", "data_one")
        + halite.replace("data_halite", "data_two")
        + text.replace("data_hot", "data_other_one"),
        "no_atoms.cif": text[: text.index("_atom_site_label")].rpartition("loop_")[0],
        "unknown.cif": text.replace("Cs", "Qq"),
        "zero.cif": text.replace("4.12", "0"),
        "broken/none.cif": "this is no CIF",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "taken.xy").write_text("precious")
    (tmp_path / "taken.d").mkdir()
    (tmp_path / "taken.png").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pattern_in(path) -> np.ndarray:
    return np.loadtxt(path)


def sum_of_lines(displacements: float, anomalous: bool = False) -> np.ndarray:
    """The pattern of `HOT` in float64, its B multiplied by a factor."""
    atoms = powder.atoms_of(
        HOT.lattice, HOT.positions, HOT.elements, b_iso=displacements * HOT.b_iso
    )
    lines = powder.powder_lines(
        atoms, two_theta_range_deg=(20, 60), anomalous=anomalous
    )
    return powder.powder_profile(lines, 50, GRID.two_theta_deg)


def test_pattern_is_two_columns_of_angle_and_intensity(folder, capsys):
    main(["--crystal=hot.cif", "--out=pattern.xy", *RANGE])
    angles, intensities = pattern_in("pattern.xy").T
    np.testing.assert_allclose(angles, GRID.two_theta_deg, atol=1e-4)
    np.testing.assert_allclose(intensities, sum_of_lines(0), atol=1e-3)
    printed = capsys.readouterr().out
    assert printed.startswith("hot.cif: ClCs, space group 221, a 4.1200, b 4.1200,")
    assert printed.count("\n") == 1


def test_reflections_are_the_lines_by_angle_with_the_strongest_at_100(folder):
    main(["--crystal=hot.cif", "--reflections=lines.csv", *RANGE])
    with open("lines.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *("h", "k", "l", "multiplicity"),
        *("d", "two_theta_deg", "|F|", "intensity"),
    ]
    columns = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    assert np.all(np.diff(columns["two_theta_deg"]) >= 0)
    assert columns["intensity"].max() == 100
    lines = powder_lines(to_crystal(HOT), grid=GRID)
    found = np.asarray(lines.multiplicity) > 0
    order = np.argsort(np.asarray(lines.s)[found])
    for name, field in (
        ("multiplicity", lines.multiplicity),
        ("two_theta_deg", lines.two_theta_deg),
        ("|F|", lines.magnitude),
    ):
        expected = np.asarray(field)[found][order]
        np.testing.assert_allclose(columns[name], expected, atol=2e-4)
    miller = np.stack([columns[i] for i in "hkl"], axis=1)
    np.testing.assert_array_equal(miller, np.asarray(lines.miller)[found][order])
    lengths = np.linalg.norm(miller, axis=1)
    np.testing.assert_allclose(columns["d"], 4.12 / lengths, atol=1e-5)


def test_all_reflections_of_each_line_are_listed_on_request(folder):
    main(["--crystal=hot.cif", "--reflections=lines.csv", "--members", *RANGE])
    with open("lines.csv", newline="") as file:
        for row in csv.DictReader(file):
            members = row["members"].split("; ")
            assert len(members) == int(row["multiplicity"])
            assert members[0] == f"{row['h']} {row['k']} {row['l']}"


def test_displacements_count_where_they_are_asked_for(folder):
    main(["--crystal=hot.cif", "--out=cold.xy", *RANGE])
    main(["--crystal=hot.cif", "--out=hot.xy", "--displacements", *RANGE])
    np.testing.assert_allclose(pattern_in("hot.xy")[:, 1], sum_of_lines(1), atol=1e-3)
    assert np.abs(pattern_in("hot.xy") - pattern_in("cold.xy")).max() > 0.01


def test_anomalous_dispersion_counts_where_it_is_asked_for(folder):
    main(["--crystal=hot.cif", "--out=hot.xy", "--anomalous", *RANGE])
    expected = sum_of_lines(0, anomalous=True)
    np.testing.assert_allclose(pattern_in("hot.xy")[:, 1], expected, atol=1e-3)
    assert np.abs(expected - sum_of_lines(0)).max() > 0.01


def test_a_gallery_crystal_is_found_by_name_and_plotted(folder, capsys):
    main(["--crystal=halite", "--figure=pattern.png", *RANGE])
    assert (folder / "pattern.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out.startswith("halite: ClNa, space group 225,")


@pytest.mark.parametrize(
    ("block", "formula"),
    [("two", "ClNa"), ("one", "ClCs"), ("several.cif:one", "ClCs")],
)
def test_one_block_of_several_is_chosen_by_its_whole_name(
    folder, capsys, block, formula
):
    main(["--crystal=several.cif", f"--block={block}", "--out=pattern.xy", *RANGE])
    name = block.rpartition(":")[2]
    assert capsys.readouterr().out.startswith(f"several.cif:{name}: {formula},")


def test_files_are_replaced_only_where_that_is_asked_for(folder):
    options = ["--crystal=hot.cif", "--out=taken.xy", *RANGE]
    with pytest.raises(SystemExit):
        main(options)
    assert (folder / "taken.xy").read_text() == "precious"
    main([*options, "--overwrite"])
    assert pattern_in("taken.xy").shape == (1001, 2)


MISTAKES = {
    "a missing file": (["--crystal=missing.cif"], "missing.cif does not exist"),
    "a missing folder": (["--crystal=no/where.cif"], "no/where.cif does not exist"),
    "a misspelt name": (["--crystal=halyte"], "no crystal 'halyte', did you mean"),
    "no atoms": (["--crystal=no_atoms.cif"], "no_atoms.cif holds no crystal: "),
    "an unknown element": (["--crystal=unknown.cif"], "unknown element 'Qq'"),
    "a cell without volume": (["--crystal=zero.cif"], "zero.cif holds no crystal: "),
    "a folder without crystals": (["--crystal=broken"], "'broken' holds no crystal: "),
    "several crystals": (["--crystal=several.cif"], "holds 3 crystals: choose one"),
    "no such block": (
        ["--crystal=several.cif", "--block=three"],
        "has no crystal 'three': expected one of several.cif:one, ",
    ),
    "a wavelength that sees nothing": (
        ["--wavelength=9"],
        "hot.cif has no reflection between 20 and 60 degrees at 9 angstrom",
    ),
    "a wavelength of nothing": (["--wavelength=0"], "the wavelength is 0.0 angstrom"),
    "a wavelength that is no number": (["--wavelength=nan"], "the wavelength is nan"),
    "a wavelength that sees too much": (
        ["--wavelength=0.015"],
        "families of reflections are in range, of which at most",
    ),
    "a wavelength with endless indices": (
        ["--wavelength=0.005"],
        "a cell edge of 4.12 angstrom has reflections with indices of 512",
    ),
    "a reversed range": (
        ["--two_theta_min=60", "--two_theta_max=20"],
        "the 2 theta range is 60.0 to 20.0 degrees",
    ),
    "a range that is no number": (["--two_theta_max=nan"], "range is 20.0 to nan"),
    "a step of nothing": (["--step=0"], "--step is 0.0: expected degrees above 0"),
    "a step that is no number": (["--step=nan"], "--step is nan: expected degrees"),
    "a step too short to count": (["--step=1e-300"], "--step is 1e-300: expected"),
    "a step of too many points": (["--step=1e-6"], "asks for 40000000 points"),
    "a step that does not fit": (["--step=0.07"], "--step 0.07 does not divide"),
    "a step beyond the range": (["--step=100"], "--step 100 does not divide"),
    "a crystallite of nothing": (
        ["--crystallite_size=0"],
        "size (nm) runs from 0.0 to 0.0",
    ),
    "an output that exists": (["--out=taken.xy"], "'taken.xy' exists already"),
    "an output in no folder": (["--out=no/p.xy"], "the folder 'no' does not exist"),
    "an output below a file": (
        ["--out=taken.xy/p.xy"],
        "the folder 'taken.xy' does not",
    ),
    "an output that is a folder": (
        ["--out=taken.d", "--overwrite"],
        "cannot write 'taken.d': it is a folder",
    ),
    "a figure that is a folder": (
        ["--figure=taken.png", "--overwrite"],
        "cannot write 'taken.png': it is a folder",
    ),
    "a figure of another kind": (["--figure=p.xyz"], "expected a name ending in .png"),
    "members without a table": (["--members"], "--members is for the table of lines"),
    "two outputs of one name": (
        ["--reflections=pattern.xy"],
        "have the same file name",
    ),
    "no output": (["--out="], "nothing to write: give --out=pattern.xy"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_and_status_2(folder, capsys, mistake):
    changes, message = MISTAKES[mistake]
    before = sorted(folder.rglob("*"))
    with pytest.raises(SystemExit) as exit_:
        main(["--crystal=hot.cif", "--out=pattern.xy", *RANGE, *changes])
    out, error = capsys.readouterr()
    assert exit_.value.code == 2
    assert error.startswith("error: ") and error.count("\n") == 1
    assert message in error
    assert out == ""
    if "figure that is a folder" not in mistake:
        assert sorted(folder.rglob("*")) == before, "nothing was written"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--wavelenth=1"], "unrecognized arguments: --wavelenth=1"),
        (["--wavelength=copper"], "invalid float value: 'copper'"),
        (["--out"], "expected one argument"),
    ],
)
def test_a_flag_that_cannot_be_read_ends_with_status_2(
    folder, capsys, options, message
):
    with pytest.raises(SystemExit) as exit_:
        main(["--crystal=hot.cif", *options])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


def test_the_module_is_a_command(folder):
    run = subprocess.run(
        [sys.executable, "-m", "xrdjax.simulate", "--crystal=halyte", "--out=p.xy"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("error: the gallery has no crystal 'halyte'")
