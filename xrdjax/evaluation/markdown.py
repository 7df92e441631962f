"""Numbers and tables in Markdown."""

from collections.abc import Mapping, Sequence


def percent(proportion: Mapping, interval: bool = True) -> str:
    """A proportion in per cent with its 95 % interval, such as "79.9 (78.9-80.8)"."""
    text = f"{100 * proportion['fraction']:.1f}"
    if interval:
        text += f" ({100 * proportion['low']:.1f}-{100 * proportion['high']:.1f})"
    return text


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [header, ["---", *("---:" for _ in header[1:])], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
