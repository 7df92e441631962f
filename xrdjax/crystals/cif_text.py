"""Bytes of a CIF to the values of its blocks: strictly, or tolerantly with notes.

The grammar of CIF 1.1 comes first. Where a file breaks it (bytes that are no ASCII, a
quote that is not closed, a bibliographic line gone wrong), a second reading passes over
what it cannot understand and says so: cell, symmetry and atoms are all that is needed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gemmi import cif

from xrdjax.crystals.cif_columns import Columns, add_column, block_columns, has_atoms
from xrdjax.errors import InputError

_TOKEN = re.compile(
    r"""\s*(?:'(?:[^']|'(?=\S))*'(?=\s|$) | "(?:[^"]|"(?=\S))*"(?=\s|$)
        | \#.* | ['"].* | \S+)""",
    re.VERBOSE,
)

# Loops that the crystal depends on: one that is spoilt is an error.
_NEEDED = ("_atom_site_fract_x", "symop", "_symmetry_equiv_pos")

# What word processors put in the place of ASCII, wherever it stands.
_SPACES_AND_DASHES = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\u00ad", "-")
    | dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u202f\u3000", " ")
    | dict.fromkeys("\ufeff\u200b\u00b0", "")  # marks, and the degree sign
)
_QUOTES = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u2032", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u2033", '"')
)

_MOST_NOTES = 3


@dataclass(frozen=True)
class Block:
    """Values of one data block."""

    name: str
    columns: Columns


@dataclass(frozen=True)
class Document:
    """Blocks of a file, and what was passed over in reading them."""

    blocks: list[Block]
    notes: list[str]


def decode(content: bytes) -> str:
    """Text of a file, whatever it is encoded in, without what ends a DOS file."""
    head = content[:200]
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = content.decode("utf-16", errors="replace")
    elif head.count(0) >= 0.4 * len(head) > 0:
        is_little = content[1:2] == b"\0"
        text = content.decode("utf-16-le" if is_little else "utf-16-be", "replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:  # old files
            text = content.decode("cp1252", errors="replace")
    return text.rstrip("\x1a\0 \t\r\n") + "\n"


def _plain(text: str) -> str:
    """The text in ASCII: what has no counterpart becomes "?"."""
    text = text.translate(_QUOTES)
    text = re.sub(r"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f]", " ", text)
    return text.encode("ascii", errors="replace").decode("ascii")


def _strict(text: str) -> list[Block]:
    """Blocks by the grammar; where a tag occurs twice, the first one counts."""
    document = cif.read_string(text, check_level=0)
    return [Block(block.name, block_columns(block)) for block in document]


def _shown(line: str) -> str:
    return repr(line.strip()[:60])


class _Tolerant:
    """Reads line by line; a value or loop that is spoilt spoils no other.

    Attributes:
        blocks: read so far.
        passed: numbers (from 1) of the lines that were passed over.
    """

    def __init__(self, text: str):
        self.blocks: list[Block] = []
        self.passed: list[int] = []
        self._lines = text.splitlines()
        self._tag = ""  # waits for its value
        self._tags: list[str] = []  # of the open loop
        self._values: list[tuple[str, int]] = []  # of the open loop, and their lines
        self._in_header = False

    def read(self) -> None:
        for token, number in self._tokens():
            self._take(token, number)
        self._close()

    def line(self, number: int) -> str:
        return self._lines[number - 1]

    def _tokens(self) -> Iterator[tuple[str, int]]:
        """Tokens with their lines; text fields as one, raw."""
        i = 0
        while i < len(self._lines):
            line = self._lines[i]
            if not line.startswith(";"):
                for match in _TOKEN.finditer(line):
                    token = match[0].strip()
                    if token and not token.startswith("#"):
                        if token[0] in "'\"" and token[-1:] != token[0]:
                            self.passed.append(i + 1)  # not closed
                        yield token, i + 1
                i += 1
                continue
            end = self._end_of_text(i)
            if end is None:  # not closed: no text field
                self.passed.append(i + 1)
                i += 1
                continue
            yield "\n".join([*self._lines[i:end], ";"]), i + 1
            i = end + 1

    def _end_of_text(self, start: int) -> int | None:
        """The line that closes a text field; None if tags come before it."""
        for i in range(start + 1, len(self._lines)):
            if self._lines[i].startswith(";"):
                return i
            if re.match(r"_(cell_|atom_site_|symm|space_g)|loop_\s*$", self._lines[i]):
                return None
        return None

    def _take(self, token: str, number: int) -> None:
        word = token.lower()
        if word.startswith("data_"):
            self._close()
            self.blocks.append(Block(token[5:], {}))
        elif word == "loop_":
            self._close()
            self._in_header = True
        elif token.startswith("_"):
            if self._tags and self._values:
                self._close()
            if self._in_header:
                self._tags.append(token)
            else:
                self._tag = token
        elif self._tag:
            self._add(self._tag, [token])
            self._tag = ""
        elif self._tags:
            self._values.append((token, number))
        elif word not in ("global_", "stop_") and not word.startswith("save_"):
            self.passed.append(number)

    def _add(self, tag: str, values: list[str]) -> None:
        if not self.blocks:
            self.blocks.append(Block("", {}))
        add_column(self.blocks[-1].columns, tag, values)

    def _close(self) -> None:
        """Ends the open loop, if there is one."""
        tags, values = self._tags, self._values
        self._tags, self._values, self._in_header, self._tag = [], [], False, ""
        width = len(tags)
        if not values:
            return
        if len(values) % width:
            number = self._odd_line(values, width)
            if any(needed in tag.lower() for tag in tags for needed in _NEEDED):
                raise InputError(
                    f"not a readable CIF: line {number}, {_shown(self.line(number))}, "
                    f"has not the {width} values of its loop (from {tags[0]}): "
                    "complete the line, or remove it"
                )
            self.passed.append(number)
            return
        for i, tag in enumerate(tags):
            self._add(tag, [value for value, _ in values[i::width]])

    @staticmethod
    def _odd_line(values: list[tuple[str, int]], width: int) -> int:
        """The first line with another number of values than the loop has tags."""
        counts: dict[int, int] = {}
        for _, number in values:
            counts[number] = counts.get(number, 0) + 1
        odd = [number for number, count in counts.items() if count != width]
        return odd[0] if odd else values[-1][1]


def _tolerant(text: str) -> Document | None:
    """A second reading; None if it finds no atoms."""
    reader = _Tolerant(text)
    reader.read()
    if not any(has_atoms(block.columns) for block in reader.blocks):
        return None
    passed = sorted(set(reader.passed))
    notes = [
        f"line {number} was passed over: {_shown(reader.line(number))}"
        for number in passed[:_MOST_NOTES]
    ]
    if len(passed) > _MOST_NOTES:
        notes.append(f"{len(passed) - _MOST_NOTES} more lines were passed over")
    return Document(reader.blocks, notes or ["the file breaks the grammar of CIF"])


def _complaint(error: Exception, text: str) -> str:
    """gemmi's message, with the text of the line."""
    found = re.search(r"string:(\d+)", str(error))
    lines = text.splitlines()
    number = int(found[1]) if found else 0
    if not 0 < number <= len(lines):
        return f"not a readable CIF ({error})"
    return (
        f"not a readable CIF: line {number} is {_shown(lines[number - 1])} "
        f"({str(error).rpartition(': ')[2]}); expected blocks (data_NAME) of tags and values"
    )


def read_document(text: str) -> Document:
    """Blocks of a CIF, and notes of what had to be passed over.

    Raises:
        InputError: it is no CIF, or its cell, symmetry or atoms are spoilt.
    """
    if not text.isascii():
        text = text.translate(_SPACES_AND_DASHES)
    try:
        return Document(_strict(text), [])
    except (ValueError, RuntimeError) as error:
        complaint = _complaint(error, text)
    plain = _plain(text)
    if plain != text:
        try:
            notes = ["characters that are not ASCII were replaced"]
            return Document(_strict(plain), notes)
        except (ValueError, RuntimeError):
            pass
    document = _tolerant(plain)
    if document is None:
        raise InputError(complaint)
    return document
