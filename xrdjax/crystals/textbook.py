"""Textbook crystals, ready by name: quartz, halite, perovskite and others.

Each is one short CIF in `data/gallery/`, typed from published values; the CIF names
its source. They are as published: most at room temperature (other temperatures are in
the CIF), most in the reference setting of the space group.
"""

import difflib
import importlib.resources
from importlib.resources.abc import Traversable

from xrdjax.crystals.cif import read_text
from xrdjax.crystals.crystal import Structure
from xrdjax.errors import InputError


def _folder() -> Traversable:
    return importlib.resources.files("xrdjax.crystals").joinpath("data", "gallery")


def gallery_names() -> tuple[str, ...]:
    """Names of all crystals in the gallery, in alphabetical order."""
    files = (file.name for file in _folder().iterdir())
    return tuple(sorted(f.removesuffix(".cif") for f in files if f.endswith(".cif")))


def gallery(name: str) -> Structure:
    """The textbook crystal of that name.

    Example: `gallery("quartz").unit_cell`

    Args:
        name: one of `gallery_names()`; case is ignored, and blanks and hyphens are
            read as underscores.

    Raises:
        InputError: no crystal has that name; the message suggests names.
    """
    names = gallery_names()
    wanted = str(name).strip().lower().replace(" ", "_").replace("-", "_")
    if wanted not in names:
        similar = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
        hint = f", did you mean {' or '.join(map(repr, similar))}" if similar else ""
        raise InputError(
            f"the gallery has no crystal {name!r}{hint}; gallery_names() lists all "
            f"{len(names)}"
        )
    text = _folder().joinpath(f"{wanted}.cif").read_text(encoding="utf-8")
    return read_text(text, wanted).structures[0]


def gallery_structures() -> dict[str, Structure]:
    """All crystals of the gallery by name, in alphabetical order."""
    return {name: gallery(name) for name in gallery_names()}
