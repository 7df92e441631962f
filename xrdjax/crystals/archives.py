"""Files of a folder or zip, one by one: a bad member costs only itself, and no memory."""

import gzip
import io
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from xrdjax.errors import InputError

ENDINGS = (".cif", ".mcif", ".cif.gz", ".mcif.gz")

# Larger files hold reflections or pictures, not a crystal's few kilobytes.
LARGEST = 64 * 2**20

_EXPECTED = "expected a CIF, a folder of CIFs or a zip of them"

READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,  # a name that is no text, a negative size
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    NotImplementedError,  # a compression that Python cannot undo
    RuntimeError,  # a password
)

_ENTRY = b"PK\x01\x02"  # of the directory at the end of a zip
_NEWEST_VERSION = 63
_UTF8_NAME = 0x800


@dataclass(frozen=True)
class Member:
    """A file of a collection.

    Attributes:
        index: its place in the zip's directory; -1 in a folder.
        path: inside the collection, as the system has it.
    """

    index: int
    path: str

    @property
    def name(self) -> str:
        """The path as text that can be shown and written in one line."""
        return printable(self.path)


def printable(name: str) -> str:
    """A file name with all that is not text escaped."""
    text = name.encode("utf-8", errors="backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _read_limited(read: Callable[[int], bytes], chunk: int) -> bytes:
    """All of a stream, unless it goes on beyond LARGEST."""
    parts, size = [], 0
    while part := read(chunk):
        parts.append(part)
        size += len(part)
        if size > LARGEST:
            raise InputError(
                f"it holds more than {LARGEST // 2**20} MiB: expected a CIF of at most "
                "that"
            )
    return b"".join(parts)


def unpacked(content: bytes) -> bytes:
    """Contents of a file that may be gzipped.

    Raises:
        InputError: it unpacks to more than LARGEST, or is damaged.
    """
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        with gzip.open(io.BytesIO(content)) as file:
            return _read_limited(file.read, 2**20)
    except READ_ERRORS as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot be unpacked ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _with_readable_directory(content: bytes) -> bytes:
    """A zip whose directory entries Python's zipfile takes: versions and names.

    zipfile refuses the whole zip for one entry of a newer version, or with a name
    that claims to be UTF-8 and is not.
    """
    data = bytearray(content)
    start = data.find(_ENTRY)
    while start >= 0:
        if len(data) < start + 46:
            break
        if data[start + 6] > _NEWEST_VERSION:
            data[start + 6 : start + 8] = (20).to_bytes(2, "little")
        flags = int.from_bytes(data[start + 8 : start + 10], "little") & ~_UTF8_NAME
        length = int.from_bytes(data[start + 28 : start + 30], "little")
        try:
            data[start + 46 : start + 46 + length].decode("utf-8")
        except UnicodeDecodeError:
            data[start + 8 : start + 10] = flags.to_bytes(2, "little")
        start = data.find(_ENTRY, start + 46)
    return bytes(data)


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (NotImplementedError, UnicodeDecodeError):
        return zipfile.ZipFile(io.BytesIO(_with_readable_directory(path.read_bytes())))


def read_file(path: Path) -> bytes:
    """Contents of a file of a reasonable size, unpacked.

    Raises:
        InputError: it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            return unpacked(_read_limited(file.read, 2**20))
    except READ_ERRORS as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot be read ({_reason(error)})") from error


class Collection:
    """A folder or zip, whose files are read one by one."""

    def __init__(self, path: Path):
        self._path = path
        self._archive = None if path.is_dir() else _open_zip(path)

    def members(self) -> Iterator[Member]:
        """All files, in no order."""
        if self._archive is None:
            for file in self._path.rglob("*"):
                if file.is_file():
                    yield Member(-1, file.relative_to(self._path).as_posix())
            return
        for index, info in enumerate(self._archive.infolist()):
            # macOS adds a shadow of each file to a zip
            if not info.is_dir() and not info.filename.startswith("__MACOSX/"):
                yield Member(index, info.filename)

    def read(self, member: Member) -> bytes:
        """Contents of a file, unpacked.

        Raises:
            InputError: it cannot be read, or is too large.
        """
        if self._archive is None:
            return read_file(self._path / member.path)
        info = self._archive.infolist()[member.index]
        if info.file_size > LARGEST:
            raise InputError(
                f"it unpacks to {info.file_size} bytes: expected a CIF of at most "
                f"{LARGEST // 2**20} MiB"
            )
        # a chunk of these may unpack to thousands of times its size
        is_dense = info.compress_type in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
        try:
            with self._archive.open(info) as file:
                return unpacked(_read_limited(file.read, 4096 if is_dense else 2**20))
        except READ_ERRORS as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"cannot be read ({_reason(error)})") from error


def is_zip(path: Path) -> bool:
    """Whether a file is a zip, by its name or its first bytes."""
    if path.suffix.lower() == ".zip":
        return True
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def crystal_files(path: Path) -> list[Member]:
    """The CIFs of a folder or zip, in order.

    Raises:
        InputError: there are none, or it is no zip.
    """
    try:
        members = list(Collection(path).members())
    except READ_ERRORS as error:
        raise InputError(
            f"{path} cannot be read as a zip ({_reason(error)}); {_EXPECTED}"
        ) from error
    members = [m for m in members if m.path.lower().endswith(ENDINGS)]
    if not members:
        raise InputError(
            f"{path} holds no file that ends in {', '.join(ENDINGS[:-1])} or "
            f"{ENDINGS[-1]}; {_EXPECTED}"
        )
    return sorted(members, key=lambda member: (member.path, member.index))


def checked_path(path: str | os.PathLike) -> Path:
    """A path that exists and is a file or folder.

    Raises:
        InputError: it is not.
    """
    if str(path) == "":
        raise InputError(f"the path of the crystals is empty; {_EXPECTED}")
    try:
        is_there = Path(path).exists()
    except (OSError, ValueError) as error:  # a name that is too long, a zero byte
        shown = printable(str(path)[:60])
        raise InputError(
            f"{shown!r} is no file name ({_reason(error)}); {_EXPECTED}"
        ) from error
    path = Path(path)
    if not is_there:
        raise InputError(f"{path} does not exist; {_EXPECTED}")
    if not path.is_file() and not path.is_dir():
        raise InputError(f"{path} is neither a file nor a folder; {_EXPECTED}")
    return path
