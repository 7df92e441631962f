"""Strict settings for every test, and the data that only a development checkout has."""

import os
from pathlib import Path

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")

_SHARED = Path(
    os.environ.get("XRDJAX_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data")
)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the development crystals and measured patterns; skips without it."""
    if not (_SHARED / "mp_experimental_cifs.zip").is_file():
        pytest.skip(
            "the development data are absent (set XRDJAX_SHARED_DATA to their folder)"
        )
    return _SHARED
