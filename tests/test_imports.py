"""Imports point down the layout only, and outside libraries stay where they belong."""

import ast
import graphlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "xrdjax"
# From the ground up: a module imports from lower layers and from its own.
LAYERS = (
    {"errors", "phases", "chunks", "checkpoint_files", "stopping", "metrics_log"},
    {"crystals"},
    {"diffraction"},
    {"devices", "models", "patterns", "metrics", "figures"},
    {"pipeline", "crystal_source"},
    {"train_step"},
    {"config"},
    {"checkpoints"},
    {"classify", "pretrained", "real_crystals"},
    {"answers", "sources", "validation"},
    {"report", "report_figures"},
    {"evaluate"},
    {"train"},
    {"main", "simulate", "sample", "statistics", "__init__"},
)
# Where a library may be imported; an entry is a part of the package.
HOMES = {
    "gemmi": {"crystals", "statistics"},  # statistics: only for the version's record
    "spglib": {"crystals", "statistics"},
    "ml_collections": {
        "main",
        "config",
        "sources",
        "train",
        "evaluate",
        "checkpoints",
        "validation",
    },
    "matplotlib": {"figures"},
    "optax": {"train_step", "train", "config"},
    "orbax": {"checkpoints"},
    "pymatgen": set(),
    "pyxtal": set(),
    "scipy": set(),
    "pytest": set(),
}


def modules() -> dict[str, Path]:
    """Every module of the package by its name below it, such as "crystals.cif"."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(
            parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts
        )
        found[name] = path
    return found


def imports(path: Path) -> set[str]:
    """Full names of all that a module imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def own(path: Path) -> set[str]:
    """The package's modules that a module imports."""
    known, found = modules(), set()
    for name in imports(path):
        if name.split(".")[0] != "xrdjax":
            continue
        # what is imported may be a module, or a name in one
        below = name.split(".")[1:]
        candidates = [".".join(below[:n]) for n in range(len(below), 0, -1)]
        found.add(next((c for c in candidates if c in known), "__init__"))
    return found


def layer(module: str) -> int:
    part = module.split(".")[0]
    return next(i for i, names in enumerate(LAYERS) if part in names)


MODULES = sorted(modules())


def test_every_module_has_its_layer_and_every_layer_its_modules():
    parts = {name.split(".")[0] for name in MODULES}
    assert parts == set().union(*LAYERS)
    assert len(MODULES) > 50


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module):
    for imported in own(modules()[module]):
        assert layer(imported) <= layer(module), f"{module} imports {imported}"


def test_no_modules_import_one_another():
    graph = {name: own(path) - {name} for name, path in modules().items()}
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert set(order) == set(MODULES)


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_imported_where_it_belongs(library):
    users = {
        name.split(".")[0]
        for name, path in modules().items()
        if any(full.split(".")[0] == library for full in imports(path))
    }
    assert users <= HOMES[library]


def test_crystals_know_nothing_of_what_is_made_of_them():
    lower = LAYERS[0] | {"crystals"}
    for name, path in modules().items():
        if name.split(".")[0] == "crystals":
            assert {imported.split(".")[0] for imported in own(path)} <= lower


def test_nothing_in_the_package_imports_its_front_page():
    """`from xrdjax import Crystal` is for users: inside it would import everything."""
    for name, path in modules().items():
        assert "__init__" not in own(path), name
