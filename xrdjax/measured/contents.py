"""The bytes of a file, as text, as the members of a zip and as trees of XML."""

import io
import re
import stat
import zipfile
import zlib
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from xrdjax.errors import InputError
from xrdjax.measured.pattern import NotReadable

# Bytes of a file, and of one member of a zip when unpacked.
_LARGEST = 64 * 2**20
_MOST_MEMBERS = 10_000
# What a damaged or hostile zip raises.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,  # NotImplementedError among them, and encrypted members
    ValueError,
    KeyError,
)
try:
    import lzma

    _ZIP_ERRORS += (lzma.LZMAError,)  # type: ignore[assignment]
except ImportError:  # Python without liblzma: zipfile then raises a RuntimeError
    pass
# Bytes that no text holds.
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x19\x1b-\x1f\x7f]")
_HEX_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def read_bytes(path: Path) -> bytes:
    """The contents of a file of a size that an instrument writes.

    Raises:
        InputError: it cannot be read, is no file, or is too large.
    """
    name = f"cannot read the pattern {str(path)!r}"
    hint = "name a file that an instrument or a program has written"
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_size <= _LARGEST:
            return path.read_bytes()
    except OSError as error:
        raise InputError(f"{name} ({error.strerror or error}): {hint}") from error
    except ValueError as error:  # a null in the name
        raise InputError(f"{name} ({error}): {hint}") from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{name} (it is a folder): {hint}")
    if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for
        raise InputError(f"{name} (it is no regular file): {hint}")
    raise InputError(
        f"{name} ({status.st_size} bytes, expected at most {_LARGEST}): export one "
        "powder pattern alone"
    )


def as_text(data: bytes) -> str | None:
    """Text in UTF-8, UTF-16 or Latin-1, with any line ends; None if binary."""
    for mark, encoding in _HEX_MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    zeros = [data[start:2000:2].count(0) for start in (0, 1)]
    half = len(data[:2000]) // 2
    if half and max(zeros) > 0.4 * half and min(zeros) < 0.1 * half:
        return data.decode(
            "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le", errors="replace"
        )
    if len(_BINARY.findall(data[:100_000])) > len(data[:100_000]) // 1000:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


class Archive:
    """The members of a zip in memory, each read up to a limit."""

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            self.names = self._zip.namelist()
        except _ZIP_ERRORS as error:
            raise NotReadable(
                f"is a damaged zip ({error}): copy it from the instrument again"
            ) from error
        if len(self.names) > _MOST_MEMBERS:
            raise NotReadable(
                f"is a zip of {len(self.names)} members, expected at most "
                f"{_MOST_MEMBERS}: give one measurement"
            )

    def read(self, name: str) -> bytes:
        """One member.

        Raises:
            NotReadable: it is damaged or too large.
        """
        try:
            with self._zip.open(name) as member:
                data = member.read(_LARGEST + 1)
        except _ZIP_ERRORS as error:
            raise NotReadable(
                f"has a damaged member {name!r} ({error}): copy the file from the "
                "instrument again"
            ) from error
        if len(data) > _LARGEST:
            raise NotReadable(
                f"has a member {name!r} of more than {_LARGEST} bytes, expected the "
                "data of one measurement: export it as text"
            )
        return data


def parse_xml(data: bytes) -> ElementTree.Element:
    """The tree of an XML document; names keep no prefix of a namespace.

    Raises:
        NotReadable: it is damaged, or declares entities or a document type, which no
            instrument writes.
    """
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise NotReadable(
            "declares a document type or entities in its XML, which no instrument "
            "does: export the pattern again"
        )

    def start(name: str, attributes: dict[str, str]) -> None:
        builder.start(
            name.rpartition(":")[2],
            {key.rpartition(":")[2]: value for key, value in attributes.items()},
        )

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda name: builder.end(name.rpartition(":")[2])
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)
        return builder.close()
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise NotReadable(
            f"holds damaged XML ({error}): copy it from the instrument again"
        ) from error


def number_of(text: str | None) -> float | None:
    """A number, or None if there is none."""
    try:
        return float((text or "").strip(" \t\r\n'\""))
    except ValueError:
        return None
