"""What users install: the wheel alone, in an empty folder, far from the checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from repository import ROOT

import xrdjax
from xrdjax.crystals.cif import write_cif
from xrdjax.crystals.textbook import gallery, gallery_names

BUILD = "import setuptools.build_meta as b; b.build_wheel('dist')"
SCRIPT = """
import sys
from pathlib import Path

import numpy as np
import xrdjax
from xrdjax.prior.file import read_provenance
from xrdjax.simulate import main
from xrdjax.symmetry.wyckoff import wyckoff_table

assert Path(xrdjax.__file__).is_relative_to(sys.argv[1]), xrdjax.__file__
assert wyckoff_table().multiplicity.shape == (231, 27)
assert len(xrdjax.load_statistics().space_groups) > 50
assert read_provenance()["license"]
print(len(xrdjax.gallery_names()))
run = xrdjax.load_pretrained()
halite = [xrdjax.gallery("halite")]
patterns = xrdjax.patterns_of_structures(halite, run.measurement)
(probabilities,) = xrdjax.classify_patterns(run, patterns, batch_size=1)
print(run.space_groups[probabilities.argmax()])
main(["--crystal=mine.cif", "--out=pattern.xy", "--two_theta_min=25", "--two_theta_max=35"])
"""


def run(*command, **options) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, so that the checkout stays clean."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    rubbish = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "xrdjax", source / "xrdjax", ignore=rubbish)
    run(sys.executable, "-c", BUILD, cwd=source)
    (path,) = (source / "dist").glob("*.whl")
    return path


def test_wheel_holds_every_module_and_all_data_once_and_nothing_else(wheel):
    expected = {
        path.relative_to(ROOT).as_posix()
        for pattern in (
            "*.py",
            "py.typed",
            "*.npz",
            "*.cif",
            "data/pretrained/*",
            "data/measured/*",
        )
        for path in (ROOT / "xrdjax").rglob(pattern)
    }
    with zipfile.ZipFile(wheel) as archive:
        files = [
            info for info in archive.infolist() if ".dist-info/" not in info.filename
        ]
        assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())
    assert {info.filename for info in files} == expected
    assert sum(name.endswith(".cif") for name in expected) == len(gallery_names())
    large = [info.CRC for info in files if info.file_size > 100_000]
    assert len(set(large)) == len(large), "a large file is shipped twice"


def test_wheel_states_what_it_needs(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("METADATA"))
        metadata = archive.read(name).decode()
    assert "Name: xrdjax\n" in metadata
    assert f"Version: {xrdjax.__version__}\n" in metadata
    assert "License-Expression: MIT\n" in metadata
    assert "Requires-Python: >=3.11\n" in metadata
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("entry_points.txt"))
        scripts = archive.read(name).decode()
    assert "xrdjax = xrdjax.__main__:main" in scripts
    (jax,) = (x for x in metadata.splitlines() if x.startswith("Requires-Dist: jax!"))
    assert "!=0.10.2" in jax


def test_wheel_simulates_and_classifies_a_crystal_from_an_empty_folder(wheel, tmp_path):
    """Unpacked before everything else on the path, as an installation is."""
    installed, folder = tmp_path / "installed", tmp_path / "empty"
    folder.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    (folder / "mine.cif").write_text(write_cif(gallery("halite")))
    environment = os.environ | {"PYTHONPATH": str(installed), "JAX_PLATFORMS": "cpu"}
    printed = run(
        *(sys.executable, "-c", SCRIPT, str(installed)), cwd=folder, env=environment
    ).splitlines()
    assert printed[0] == str(len(gallery_names()))
    assert printed[1] == "225"
    assert printed[2].startswith("mine.cif: ClNa, space group 225,")
    lines = (folder / "pattern.xy").read_text().splitlines()
    assert len(lines) == 1002 and lines[1].startswith("25.0000 ")
