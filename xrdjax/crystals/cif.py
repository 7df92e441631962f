"""Crystals in and out: CIFs, folders of them and zips of them; see `cif_block`."""

import dataclasses
import functools
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import gemmi
import numpy as np
from gemmi import cif

from xrdjax.crystals.archives import (
    Collection,
    Member,
    checked_path,
    crystal_files,
    is_zip,
    printable,
    read_file,
    unpacked,
)
from xrdjax.crystals.cif_block import read_block
from xrdjax.crystals.cif_columns import has_atoms
from xrdjax.crystals.cif_text import decode, read_document
from xrdjax.crystals.crystal import Structure, expand_sites
from xrdjax.crystals.elements import SYMBOLS
from xrdjax.errors import InputError
from xrdjax.ops.workers import map_in_processes

# With fewer files, starting processes takes longer than reading.
_WORTH_PROCESSES = 2000
_CHUNK = 200


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
class Note:
    """What the reader of a crystal should know.

    Attributes:
        name: of the crystal.
        text: what was passed over, understood in a special way, or contradicts itself.
    """

    name: str
    text: str


@dataclasses.dataclass(frozen=True)
class Reading:
    """The crystals that were read, every failure with its reason, and notes."""

    structures: tuple[Structure, ...]
    failures: tuple[Failure, ...]
    notes: tuple[Note, ...] = ()


def _join(readings: Iterable[Reading]) -> Reading:
    readings = list(readings)
    return Reading(
        tuple(structure for r in readings for structure in r.structures),
        tuple(failure for r in readings for failure in r.failures),
        tuple(note for r in readings for note in r.notes),
    )


def read_text(content: bytes | str, name: str) -> Reading:
    """Crystals of one CIF: each block with atoms is one.

    Args:
        content: of the file, gzipped or not, in any encoding.
        name: of the file; with several blocks, ":block" is added.
    """
    name = printable(name)
    try:
        text = content if isinstance(content, str) else decode(unpacked(content))
        document = read_document(text)
    except InputError as error:
        return Reading((), (Failure(name, str(error)),))
    blocks = [b for b in document.blocks if has_atoms(b.columns)] or document.blocks[:1]
    if not blocks:
        return Reading((), (Failure(name, "not a CIF: it has no data block"),))
    structures, failures = [], []
    notes = [Note(name, text) for text in document.notes]
    for block in blocks:
        full_name = name if len(blocks) == 1 else f"{name}:{block.name}"
        try:
            reading = read_block(block.columns, full_name)
        except InputError as error:
            failures.append(Failure(full_name, str(error)))
            continue
        structures.append(reading.structure)
        notes += [Note(full_name, text) for text in reading.notes]
    return Reading(tuple(structures), tuple(failures), tuple(notes))


# A zip with many members is slow to open, so each process opens it once.
_open = functools.lru_cache(maxsize=1)(Collection)


def _read_member(collection: Collection, member: Member) -> Reading:
    try:
        return read_text(collection.read(member), member.name)
    except InputError as error:
        return Reading((), (Failure(member.name, str(error)),))
    except MemoryError:
        reason = "needs more memory than there is: expected a smaller file"
        return Reading((), (Failure(member.name, reason),))


def _read_members(path: Path, members: Sequence[Member]) -> list[Reading]:
    collection = _open(path)
    return [_read_member(collection, member) for member in members]


def _read_one(path: Path) -> Reading:
    try:
        reading = read_text(read_file(path), path.name)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if not reading.structures:
        raise InputError(f"{path} holds no crystal: {reading.failures[0].reason}")
    return reading


def read_crystals(
    path: str | os.PathLike, processes: int | None = None, progress: bool = False
) -> Reading:
    """Reads a CIF, a folder of CIFs with its subfolders, or a zip of CIFs.

    CIFs end in .cif or .mcif (magnetic, whose moments are left out), gzipped or not. A
    file without a crystal is named in `failures`, with the reason, and reading
    continues; what was passed over or contradicts itself is in `notes`. A script that
    reads thousands of files should do so below `if __name__ == "__main__":`, as always
    where Python starts processes.

    Args:
        path: of the CIF, folder or zip.
        processes: how many to read with; by default, one for small collections and
            all cores for large ones.
        progress: shows a bar.

    Raises:
        InputError: the path does not exist, holds no CIF, or is a single file without a
            crystal.
    """
    path = checked_path(path)
    if path.is_file() and not is_zip(path):
        return _read_one(path)
    try:
        return _join(
            map_in_processes(
                functools.partial(_read_members, path),
                crystal_files(path),
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
