"""Published crystals as text, from a folder or a zip."""

import zipfile
from pathlib import Path

import gemmi


def cif_texts(path: Path, every: int = 1) -> dict[str, str]:
    """Contents of the CIFs of a folder or zip, or of every n-th one, by name."""
    if path.is_dir():
        names = sorted(file.name for file in path.glob("*.cif"))[::every]
        return {name: (path / name).read_text(encoding="utf-8") for name in names}
    with zipfile.ZipFile(path) as archive:
        names = sorted(n for n in archive.namelist() if n.endswith(".cif"))[::every]
        return {name: archive.read(name).decode("latin-1") for name in names}


def cif_blocks(texts: dict[str, str]) -> dict[str, gemmi.cif.Block]:
    """Contents of the files, as read by gemmi, by the name that the crystal gets."""
    blocks = {}
    for name, text in texts.items():
        document = gemmi.cif.read_string(text, 0)
        blocks |= {f"{name}:{block.name}": block for block in document}
        blocks[name] = document[0]
    return blocks
