"""What users install: the wheel alone, in an empty folder, far from the checkout."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from repository import ROOT

from xrdjax.crystals.cif import write_cif
from xrdjax.crystals.textbook import gallery, gallery_names

# Of a trained network; where none is in the checkout, empty files stand for it.
PRETRAINED = (
    "LICENSE",
    "config.json",
    "params.npz",
    "report.json",
    "report.md",
    "statistics.npz",
)
SCRIPT = """
import sys
from pathlib import Path

import xrdjax
from xrdjax.prior.file import read_provenance
from xrdjax.symmetry.wyckoff import wyckoff_table
from xrdjax.simulate import main

assert Path(xrdjax.__file__).is_relative_to(sys.prefix), xrdjax.__file__
assert wyckoff_table().multiplicity.shape == (231, 27)
assert len(xrdjax.load_statistics().space_groups) > 50
assert read_provenance()["license"]
assert xrdjax.gallery(xrdjax.gallery_names()[-1]).volume > 0
print(len(xrdjax.gallery_names()))
main(["--crystal=mine.cif", "--out=pattern.xy", "--two_theta_min=25", "--two_theta_max=35"])
"""


def run(*command, **options) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def has_setuptools() -> bool:
    """Whether this environment can build the wheel, as pyproject.toml asks for."""
    try:
        version = importlib.metadata.version("setuptools")
    except importlib.metadata.PackageNotFoundError:
        return False
    return int(version.split(".")[0]) >= 77


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, so that the checkout stays clean."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    rubbish = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "xrdjax", source / "xrdjax", ignore=rubbish)
    weights = source / "xrdjax/data/pretrained"
    weights.mkdir(parents=True, exist_ok=True)
    for name in PRETRAINED:
        (weights / name).touch()
    command = [sys.executable, "-m", "build", "--wheel", str(source)]
    if has_setuptools():  # otherwise pip fetches one
        command.append("--no-isolation")
    run(*command, cwd=source)
    (path,) = (source / "dist").glob("*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory) -> Path:
    """A fresh environment with the wheel, and the libraries of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    binary = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(binary)]
    run(*pip, "install", "--no-deps", "--no-index", "--quiet", str(wheel))
    (own,) = folder.glob("lib/python*/site-packages")
    libraries = [path for path in sys.path if Path(path).name.endswith("-packages")]
    # listed in a .pth file they come after the wheel, and editable installs not at all
    (own / "libraries.pth").write_text("\n".join(libraries))
    return binary


def test_wheel_holds_every_module_and_all_data_and_nothing_else(wheel):
    expected = {
        path.relative_to(ROOT).as_posix()
        for pattern in ("*.py", "*.npz", "*.cif", "data/pretrained/*")
        for path in (ROOT / "xrdjax").rglob(pattern)
    } | {f"xrdjax/data/pretrained/{name}" for name in PRETRAINED}
    names = set(zipfile.ZipFile(wheel).namelist())
    inside = {name for name in names if ".dist-info/" not in name}
    assert inside == expected
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert sum(name.endswith(".cif") for name in names) == len(gallery_names())


def test_wheel_says_what_it_needs(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("METADATA"))
        metadata = archive.read(name).decode()
    assert "Name: xrdjax\n" in metadata
    assert "License-Expression: MIT\n" in metadata
    assert "Requires-Python: >=3.11\n" in metadata
    (jax,) = (x for x in metadata.splitlines() if x.startswith("Requires-Dist: jax!"))
    assert "!=0.10.2" in jax


def test_wheel_simulates_a_crystal_from_an_empty_folder(python, tmp_path):
    (tmp_path / "mine.cif").write_text(write_cif(gallery("halite")))
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment["JAX_PLATFORMS"] = "cpu"
    printed = run(python, "-c", SCRIPT, cwd=tmp_path, env=environment).splitlines()
    assert printed[0] == str(len(gallery_names()))
    assert printed[1].startswith("mine.cif: ClNa, space group 225,")
    lines = (tmp_path / "pattern.xy").read_text().splitlines()
    assert len(lines) == 1002 and lines[1].startswith("25.0000 ")
