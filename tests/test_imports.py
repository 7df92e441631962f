"""Imports point down the layout only, and outside libraries stay where they belong."""

import ast
import graphlib
import inspect
from pathlib import Path

import pytest

import xrdjax

PACKAGE = Path(__file__).parents[1] / "xrdjax"
# From the top down: a module imports from its own room and from those below it.
ROOMS = (
    "__main__ main evaluate classify simulate sample statistics __init__",  # commands
    "commands",
    "training",
    "evaluation",
    "run",
    "build",
    "checkpoints",
    "config",
    "models",
    "measured",
    "patterns",
    "diffraction",
    "instrument",
    "known",
    "prior",
    "crystals",
    "symmetry",
    "ops",
    "devices",
    "files",
    "command_line",
    "bundled",
    "errors",
)
LAYERS = [set(line.split()) for line in reversed(ROOMS)]
# What stands at the top of the package besides commands and rooms.
FILES = {"run", "build", "config", "devices", "files", "command_line", "bundled"}
FILES |= {"errors"}
# Where a library may be imported; an entry is a room or a file at the top.
HOMES = {
    "gemmi": {"symmetry", "crystals"},
    "spglib": {"symmetry"},
    "ml_collections": {"main", "training", "run", "build", "config"},
    "matplotlib": {"evaluation"},
    "optax": {"training", "build", "models"},
    "orbax": {"checkpoints"},
    "tensorboardX": {"training"},
    "absl": {"main"},
    "argparse": {"command_line", "commands", "classify", "evaluate"},
    "pymatgen": set(),
    "pyxtal": set(),
    "scipy": {"crystals"},
    "pytest": set(),
    "beartype": set(),
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


def test_every_module_has_its_room_and_every_room_its_modules():
    parts = {name.split(".")[0] for name in MODULES}
    assert parts == set().union(*LAYERS)
    assert len(MODULES) > 50


def test_only_commands_and_a_few_files_stand_at_the_top():
    commands = LAYERS[-1]
    at_the_top = {path.stem for path in PACKAGE.glob("*.py")}
    assert at_the_top == commands | FILES


def test_imports_point_down():
    upwards = [
        f"{module} imports {imported}"
        for module in MODULES
        for imported in own(modules()[module])
        if layer(imported) > layer(module)
    ]
    assert not upwards


def test_no_modules_import_one_another():
    graph = {name: own(path) - {name} for name, path in modules().items()}
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert set(order) == set(MODULES)


def test_a_library_is_imported_where_it_belongs():
    for library, homes in HOMES.items():
        users = {
            name.split(".")[0]
            for name, path in modules().items()
            if any(full.split(".")[0] == library for full in imports(path))
        }
        assert users <= homes, library


def test_no_module_has_the_name_of_a_public_function():
    """`xrdjax.classify` would be the one or the other, by what was imported before."""
    functions = {
        name for name in xrdjax.__all__ if inspect.isroutine(getattr(xrdjax, name))
    }
    assert len(functions) > 15
    assert not functions & {part for name in MODULES for part in name.split(".")}


def test_public_names_are_those_that_are_listed():
    """In three places: for `import *`, for the import on first use, for type checkers."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (checked,) = (node for node in tree.body if isinstance(node, ast.If))
    seen_by_checkers = {
        alias.name: node.module
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen_by_checkers == xrdjax._HOMES
    assert xrdjax.__all__ == sorted(xrdjax._HOMES)
    assert set(xrdjax.__all__) <= set(dir(xrdjax))
    with pytest.raises(AttributeError, match="no attribute 'quarz'"):
        _ = xrdjax.quarz


def test_nothing_in_the_package_imports_its_front_page():
    """`from xrdjax import Crystal` is for users: inside it would import everything."""
    for name, path in modules().items():
        if name != "__main__":  # which takes the version from it
            assert "__init__" not in own(path), name
