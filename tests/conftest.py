"""Strict settings for every test, and the data that only a development checkout has."""

import os
from pathlib import Path

import jax
import jaxtyping
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# Most programs run only once or twice, so that compiling them as for users would take
# most of the suite's time (see compilation.py for the exceptions). The environment also
# reaches the processes that tests start, and its own flags come last, which gives them
# precedence. The second flag is only for versions that are known to have it, as XLA
# aborts on unknown flags.
_QUICK_COMPILATION = ["--xla_backend_optimization_level=0"]
if jax.__version_info__[:2] == (0, 10):
    _QUICK_COMPILATION.append("--xla_cpu_use_fusion_emitters=false")
os.environ["XLA_FLAGS"] = " ".join(
    [*_QUICK_COMPILATION, os.environ.get("XLA_FLAGS", "")]
)

# Types and shapes are checked at run time, except in modules of millions of calls
# without arrays: exact arithmetic of small integer matrices would take twice as long.
_ROOT = Path(__file__).parents[1]
_UNCHECKED = {"__init__", "integer_lattices", "fixed_spaces"}
jaxtyping.install_import_hook(
    [
        ".".join(path.relative_to(_ROOT).with_suffix("").parts)
        for path in (_ROOT / "xrdjax").rglob("*.py")
        if path.stem not in _UNCHECKED
    ],
    "strictness.check",
)

_SHARED = Path(os.environ.get("XRDJAX_SHARED_DATA", _ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the development crystals and measured patterns; skips without it."""
    if not (_SHARED / "mp_experimental_cifs.zip").is_file():
        pytest.skip(
            "the development data are absent (set XRDJAX_SHARED_DATA to their folder)"
        )
    return _SHARED


@pytest.fixture(scope="session", params=["public", "shared"])
def collected_cifs(request) -> Path:
    """CIFs in any setting, with partial occupancies, old tags and other oddities.

    The folder of those in tests/data, and the zip of the development data.
    """
    if request.param == "public":
        return _ROOT / "tests" / "data"
    return request.getfixturevalue("shared_data") / "cod_cifs.zip"


@pytest.fixture(scope="session", params=["public", "shared"])
def numbered_cifs(request) -> Path:
    """CIFs that state the number of their space group, nearly all of ordered crystals.

    The folder of the gallery, and the zip of the development data.
    """
    if request.param == "public":
        return _ROOT / "xrdjax" / "crystals" / "data" / "gallery"
    return request.getfixturevalue("shared_data") / "mp_experimental_cifs.zip"


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """A finished `TinyRun`, which no test may change."""
    from tiny_run import forget_compilation_cache, make_tiny_run  # after the hook

    yield make_tiny_run(tmp_path_factory.mktemp("tiny_run"))
    forget_compilation_cache()
