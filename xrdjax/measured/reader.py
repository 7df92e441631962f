"""Measured patterns from the files of instruments and programs."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

from xrdjax.errors import InputError
from xrdjax.measured import (
    brml,
    bruker_raw,
    chi,
    counts,
    gsas,
    philips_rd,
    philips_udf,
    powder_cif,
    ras,
    rasx,
    rigaku_asc,
    text,
    uxd,
    xrdml,
)
from xrdjax.measured.checks import pattern_of
from xrdjax.measured.contents import Archive, as_text, read_bytes
from xrdjax.measured.pattern import MeasuredPattern, NotReadable, Scan

# First bytes of what holds no pattern, and how to get one from it.
_FOREIGN = {
    b"FI": "a binary file of Rigaku: export it as .ras, .asc or .xy",
    b"RAW_": "a binary file of STOE: export it as .xy",
    b"\x89HDF": "an HDF5 file: export one pattern of it as .xy",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: save its sheet as .csv",
    b"%PDF": "a PDF: give the numbers as .xy",
    b"\x89PNG": "an image: give the numbers as .xy",
    b"\xff\xd8\xff": "an image: give the numbers as .xy",
    b"\x1f\x8b": "compressed by gzip: unpack it",
    b"BZh": "compressed by bzip2: unpack it",
}
_Sniff = Callable[[str], bool]
# The first that knows its format in the text reads it.
_TEXT_FORMATS: tuple[tuple[_Sniff, Callable[[str], list[Scan]]], ...] = (
    (ras.is_ras, ras.read_ras),
    (rigaku_asc.is_rigaku_asc, rigaku_asc.read_rigaku_asc),
    (philips_udf.is_philips_udf, philips_udf.read_philips_udf),
    (uxd.is_uxd, uxd.read_uxd),
    (gsas.is_gsas, gsas.read_gsas),
    (powder_cif.is_cif, powder_cif.read_powder_cif),
    (chi.is_chi, chi.read_chi),
    (counts.is_counts, counts.read_counts),
)


def read_pattern(path: str | Path, scan: int | None = None) -> MeasuredPattern:
    """Reads a measured powder pattern from a file of any known format.

    The contents decide on the format, not the name. Negative intensities become zero,
    descending angles are turned round, and angles measured twice are averaged, each
    with a note.

    Args:
        path: text of columns (xy, xye, dat, csv, ...), PANalytical xrdml, Bruker brml,
            uxd and raw, Rigaku ras, rasx and asc, Philips udf and rd, GSAS, powder CIF
            or chi.
        scan: number of the scan in a file of several, from 1; by default the first
            that is a powder pattern.

    Raises:
        InputError: the file cannot be read, or holds no X-ray powder pattern.
    """
    path = Path(path)
    data = read_bytes(path)
    try:
        return _chosen(_scans(data), scan)
    except NotReadable as error:
        raise InputError(f"the pattern {str(path)!r} {error}") from error


def _scans(data: bytes) -> list[Scan]:
    """All scans of a file, by the format that its first bytes show."""
    if data.startswith(b"PK\x03\x04"):
        return _zipped(Archive(data))
    if bruker_raw.is_bruker_raw(data):
        return bruker_raw.read_bruker_raw(data)
    if philips_rd.is_philips_rd(data):
        return philips_rd.read_philips_rd(data)
    for mark, what in _FOREIGN.items():
        if data.startswith(mark) and as_text(data) is None:
            raise NotReadable(f"is {what}")
    contents = as_text(data)
    if contents is None:
        raise NotReadable(
            "is a binary file of no known format, expected text, xrdml, brml, raw, "
            "rasx or rd: export the pattern as text with columns two theta and "
            "intensity"
        )
    if re.match(r"[\s\ufeff]*<[?!a-zA-Z]", contents):
        return xrdml.read_xrdml(data)
    for knows, read in _TEXT_FORMATS:
        if knows(contents):
            return read(contents)
    return text.read_text(contents)


def _zipped(archive: Archive) -> list[Scan]:
    """The scans of a zip of a known kind."""
    if rasx.is_rasx(archive):
        return rasx.read_rasx(archive)
    if brml.is_brml(archive):
        return brml.read_brml(archive)
    if any(name.startswith("xl/") for name in archive.names):
        raise NotReadable("is an Excel workbook: save its sheet as .csv")
    raise NotReadable(
        "is a zip that holds neither brml nor rasx: unpack it and give one file of it"
    )


def _chosen(scans: list[Scan], number: int | None) -> MeasuredPattern:
    """The scan of that number, or the first that is a pattern, with a note on it."""
    count = len(scans)
    if number is not None:
        if not 1 <= number <= count:
            raise NotReadable(
                f"holds {count} scans, expected one of them: give a scan from 1 to "
                f"{count} instead of {number}"
            )
        return pattern_of(scans[number - 1])
    reason = NotReadable("holds no scan: give the file of a finished measurement")
    for i, scan in enumerate(scans):
        try:
            pattern = pattern_of(scan)
        except NotReadable as error:
            reason = error if i == 0 else reason
            continue
        if count == 1:
            return pattern
        note = f"Of {count} scans, number {i + 1} was read: name another one."
        return dataclasses.replace(pattern, notes=(*pattern.notes, note))
    raise reason
