"""Answers to many files: which files, one after the other, and their pages."""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from xrdjax.errors import InputError
from xrdjax.evaluation.ranking import Ranking
from xrdjax.evaluation.ranking_records import Record, failure
from xrdjax.files import write_bytes, write_text

# Endings of files that hold patterns, which are looked for in folders.
_ENDINGS = (
    *(".xy", ".xye", ".xyd", ".dat", ".csv", ".tsv", ".txt", ".asc", ".chi", ".int"),
    *(".xrdml", ".brml", ".uxd", ".raw", ".rd", ".sd", ".udf", ".ras", ".rasx", ".cif"),
    *(".gsa", ".gsas", ".gss", ".gda", ".std", ".esd", ".fxye", ".fxy", ".jdx", ".dx"),
)
_GLOB = "*?["
_LONGEST_NAME = 100


def expand(names: Sequence[str | Path]) -> list[Path]:
    """Files that are meant: folders are searched, and patterns of names filled in.

    Args:
        names: files, folders, or names with * ? or [.

    Returns:
        Each file once, in the order of the names, those of one name sorted. A name
        without any file stays, so that it is reported as one that cannot be read.
    """
    files: list[Path] = []
    for name in names:
        path = Path(name)
        if _is_folder(path):
            files += _of_folder(path) or [path]
        elif any(mark in str(name) for mark in _GLOB) and not _exists(path):
            files += _matching(path) or [path]
        else:
            files.append(path)
    return list(dict.fromkeys(files))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _of_folder(folder: Path) -> list[Path]:
    """Files of a folder and below it that may hold patterns, not hidden ones."""
    try:
        return [
            path
            for path in sorted(folder.rglob("*"))
            if path.suffix.lower() in _ENDINGS
            and not any(p.startswith(".") for p in path.relative_to(folder).parts)
            and path.is_file()
        ]
    except OSError:
        return []


def _matching(path: Path) -> list[Path]:
    """Files whose names fit a pattern of names."""
    anchor = Path(path.anchor) if path.anchor else Path()
    relative = path.relative_to(path.anchor) if path.anchor else path
    try:
        return sorted(p for p in anchor.glob(str(relative)) if p.is_file())
    except (OSError, ValueError, NotImplementedError, IndexError):
        return []


def rank_files(
    paths: Sequence[Path],
    rank: Callable[[Path], Ranking],
    report: "ReportFolder | None",
    progress: bool,
) -> Iterator[Ranking | Record]:
    """The answer to each file, or the record of why it has none.

    Args:
        paths: of the files.
        rank: reads and answers one.
        report: where each answer gets a page; None for no pages.
        progress: whether to show a bar.

    Raises:
        InputError: a page cannot be written.
    """
    for path in tqdm(paths, unit="pattern", disable=not progress, file=sys.stderr):
        try:
            ranking = rank(path)
        except InputError as error:
            yield failure(str(path), str(error))
            continue
        if report is not None:
            report.write(ranking)
        yield ranking


class ReportFolder:
    """Writes a page for each answer into a folder, under a name of its own.

    Args:
        folder: to write into; made if absent.
        overwrite: whether pages of the same names may be replaced.
        png: whether to write the figures as PNG, too.

    Raises:
        InputError: it cannot be written to, or holds files.
    """

    def __init__(self, folder: Path, *, overwrite: bool, png: bool) -> None:
        self.folder, self._overwrite, self._png = folder, overwrite, png
        self._taken: set[str] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            occupied = any(folder.iterdir())
            probe = folder / ".xrdjax"
            probe.touch()
            probe.unlink()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(
                f"cannot write to the folder {str(folder)!r} ({reason}): give --report "
                "one that you may write to"
            ) from error
        if occupied and not overwrite:
            raise InputError(
                f"the folder {str(folder)!r} holds files: give --report an empty one, "
                "or --overwrite"
            )

    def write(self, ranking: Ranking) -> Path:
        """Writes the page of an answer, and returns its place."""
        from xrdjax.evaluation.ranking_page import to_page
        from xrdjax.evaluation.ranking_plots import figure_of, to_png

        name = self._free_name(ranking.short_name[:_LONGEST_NAME])
        page = self.folder / f"{name}.html"
        write_text(page, to_page(ranking), overwrite=self._overwrite)
        if self._png:
            contents = to_png(figure_of(ranking))
            write_bytes(
                self.folder / f"{name}.png", contents, overwrite=self._overwrite
            )
        return page

    def _free_name(self, wanted: str) -> str:
        """The wanted name, with a number if it was used before."""
        name, number = wanted, 2
        while name.casefold() in self._taken:
            name, number = f"{wanted}-{number}", number + 1
        self._taken.add(name.casefold())
        return name
