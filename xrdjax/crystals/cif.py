"""Crystals in and out: CIFs, folders of them and zips of them; see `cif_block`."""

import dataclasses
import functools
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import gemmi
import numpy as np
from gemmi import cif

from xrdjax.crystals.cif_block import block_columns, has_atoms, read_block
from xrdjax.crystals.crystal import Structure, expand_sites
from xrdjax.crystals.elements import SYMBOLS
from xrdjax.errors import InputError
from xrdjax.ops.workers import map_in_processes

# With fewer files, starting processes takes longer than reading.
_WORTH_PROCESSES = 2000
_CHUNK = 200

_EXPECTED = "expected a CIF, a folder of CIFs or a zip of them"

_READ_ERRORS = (
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,  # a compression that Python cannot undo
    RuntimeError,  # a password
)


@dataclasses.dataclass(frozen=True)
class Failure:
    """A file, or a block of one, without a readable crystal.

    Attributes:
        name: path inside the folder or zip, with ":block" where there are several.
        reason: one sentence.
    """

    name: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Reading:
    """The crystals that were read, and every failure with its reason."""

    structures: tuple[Structure, ...]
    failures: tuple[Failure, ...]


def _join(readings: Iterable[Reading]) -> Reading:
    readings = list(readings)
    return Reading(
        tuple(structure for r in readings for structure in r.structures),
        tuple(failure for r in readings for failure in r.failures),
    )


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:  # old files; every byte is a character
        return content.decode("latin-1")


def read_text(content: bytes | str, name: str) -> Reading:
    """Crystals of one CIF: each block with atoms is one.

    Args:
        content: of the file.
        name: of the file; with several blocks, ":block" is added.
    """
    text = content if isinstance(content, str) else _decode(content)
    try:
        # where a tag occurs twice, the first one counts
        document = cif.read_string(text, check_level=0)
    except (ValueError, RuntimeError) as error:
        return Reading((), (Failure(name, f"not a readable CIF ({error})"),))
    blocks = [(block.name, block_columns(block)) for block in document]
    blocks = [block for block in blocks if has_atoms(block[1])] or blocks[:1]
    if not blocks:
        return Reading((), (Failure(name, "not a CIF: it has no data block"),))
    structures, failures = [], []
    for block_name, columns in blocks:
        full_name = name if len(blocks) == 1 else f"{name}:{block_name}"
        try:
            structures.append(read_block(columns, full_name))
        except InputError as error:
            failures.append(Failure(full_name, str(error)))
    return Reading(tuple(structures), tuple(failures))


class _Collection:
    """A folder or zip, whose files are read by name."""

    def __init__(self, path: Path):
        self._path = path
        self._archive = None if path.is_dir() else zipfile.ZipFile(path)

    def read(self, name: str) -> Reading:
        try:
            if self._archive is not None:
                content = self._archive.read(name)
            else:
                content = (self._path / name).read_bytes()
        except _READ_ERRORS as error:
            return Reading((), (Failure(name, f"cannot be read ({error})"),))
        return read_text(content, name)


# A zip with many members is slow to open, so each process opens it once.
_open = functools.lru_cache(maxsize=1)(_Collection)


def _read_members(path: Path, names: Sequence[str]) -> list[Reading]:
    collection = _open(path)
    return [collection.read(name) for name in names]


def _members(path: Path) -> list[str]:
    """Names of the CIFs in a folder or zip, in order."""
    if path.is_dir():
        files = (file for file in path.rglob("*") if file.is_file())
        names = [file.relative_to(path).as_posix() for file in files]
    else:
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except (OSError, zipfile.BadZipFile) as error:
            raise InputError(
                f"{path} cannot be read as a zip ({error}); {_EXPECTED}"
            ) from error
    # macOS adds a shadow of each file to a zip
    names = [n for n in names if not n.startswith("__MACOSX/")]
    names = sorted(n for n in names if n.lower().endswith(".cif"))
    if not names:
        raise InputError(f"{path} holds no file that ends in .cif; {_EXPECTED}")
    return names


def read_crystals(
    path: str | os.PathLike, processes: int | None = None, progress: bool = False
) -> Reading:
    """Reads a CIF, a folder of CIFs with its subfolders, or a zip of CIFs.

    A file without a crystal is named in `failures`, with the reason, and reading
    continues. A script that reads thousands of files should do so below
    `if __name__ == "__main__":`, as always where Python starts processes.

    Args:
        path: of the CIF, folder or zip.
        processes: how many to read with; by default, one for small collections and
            all cores for large ones.
        progress: shows a bar.

    Raises:
        InputError: the path does not exist, holds no CIF, or is a single file without a
            crystal.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist; {_EXPECTED}")
    if path.is_file() and path.suffix.lower() != ".zip":
        try:
            reading = read_text(path.read_bytes(), path.name)
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error}); {_EXPECTED}") from error
        if not reading.structures:
            raise InputError(f"{path} holds no crystal: {reading.failures[0].reason}")
        return reading
    try:
        return _join(
            map_in_processes(
                functools.partial(_read_members, path),
                _members(path),
                chunk=_CHUNK,
                serial_below=_WORTH_PROCESSES,
                processes=processes,
                progress=progress,
                unit="file",
            )
        )
    finally:
        _open.cache_clear()  # and the zip is closed


def _op(rotation: np.ndarray, translation: np.ndarray) -> gemmi.Op:
    op = gemmi.Op()
    op.rot = (np.asarray(rotation, int) * gemmi.Op.DEN).tolist()
    tran = translation * gemmi.Op.DEN
    if np.any(np.abs(tran - np.round(tran)) > 1e-3):
        raise InputError(
            f"translation {translation.tolist()} of a symmetry operation cannot be "
            "written: expected multiples of 1/24"
        )
    op.tran = np.round(tran).astype(int).tolist()
    return op


def write_cif(structure: Structure) -> str:
    """The structure as text of a CIF, in its own setting, with all its operations.

    Raises:
        InputError: a translation that no triplet such as "x+1/2,y,z" can hold.
    """
    ops = [
        _op(rotation, translation)
        for rotation, translation in zip(
            structure.rotations, structure.translations, strict=True
        )
    ]
    group = gemmi.find_spacegroup_by_ops(gemmi.GroupOps(ops))
    document = cif.Document()
    block = document.add_new_block(re.sub(r"[^!-~]+", "_", structure.name) or "crystal")
    tags = ["length_a", "length_b", "length_c"]
    tags += ["angle_alpha", "angle_beta", "angle_gamma"]
    for tag, value in zip(tags, structure.unit_cell, strict=True):
        block.set_pair(f"_cell_{tag}", f"{value:.10g}")
    block.set_pair("_cell_volume", f"{structure.volume:.8g}")
    block.set_pair("_chemical_formula_sum", cif.quote(structure.formula))
    if group is not None:  # a setting that has a name
        block.set_pair("_space_group_name_H-M_alt", cif.quote(group.xhm()))
        block.set_pair("_space_group_name_Hall", cif.quote(group.hall))
    if structure.space_group is not None:
        block.set_pair("_space_group_IT_number", str(structure.space_group))
    loop = block.init_loop("_space_group_symop_", ["operation_xyz"])
    for op in ops:
        loop.add_row([cif.quote(op.triplet())])
    tags = ["label", "type_symbol", "site_symmetry_multiplicity"]
    tags += ["fract_x", "fract_y", "fract_z", "occupancy", "B_iso_or_equiv"]
    loop = block.init_loop("_atom_site_", tags)
    multiplicities = np.bincount(expand_sites(structure)[1])
    for site, element in enumerate(structure.elements):
        symbol = SYMBOLS[element]
        numbers = structure.positions[site].tolist()
        numbers += [structure.occupancies[site], structure.b_iso[site]]
        loop.add_row(
            [f"{symbol}{site + 1}", symbol, str(multiplicities[site])]
            + [f"{number:.10g}" for number in numbers]
        )
    return document.as_string()
