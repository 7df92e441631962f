"""Analysis of a network's errors, as tables of the report's page."""

from collections.abc import Iterator, Mapping

from xrdjax.evaluation.classes import TITLES
from xrdjax.evaluation.markdown import percent, table

_SHARES = {
    "right_bravais_lattice": "right Bravais lattice / %",
    "right_extinction_symbol": "right extinction symbol / %",
    "right_laue_class": "right Laue class / %",
    "right_extinction_symbol_and_laue_class": "right symbol and Laue class / %",
}
LEGEND = (
    "Classes: each is answered by the sum of its space groups' probabilities, with "
    "enantiomorphs as one. Ceiling of positions: the accuracy of a reader who knows the "
    "lattice and the extinction symbol of each pattern, and answers the group that is "
    "most frequent among theirs in the statistics. Why it errs: errors are answers with "
    "another space group than the true one; the other columns give the share of the "
    "errors whose group has the right Bravais lattice (crystal family and centring), "
    "the right extinction symbol (which implies the lattice, so that only intensities "
    "could have prevented the error), and the right Laue class. Lines are the d spacings "
    "that the symmetry allows within the angular range; patterns are grouped by "
    "quartiles of their number."
)


def why_it_errs(score: Mapping) -> list[str]:
    """Accuracy of classes, the ceiling of positions, and what the errors get right.

    Args:
        score: of one set of patterns, as `sets.full_score` gives it.
    """
    header = ["patterns", "number", "errors / %", *_SHARES.values()]
    return [
        table(["class", "classes", "top-1 / %"], list(_classes(score))),
        "",
        _ceiling(score),
        "",
        "### Why it errs",
        "",
        table(header, list(_errors(score["why_it_errs"]))),
        "",
    ]


def _classes(score: Mapping) -> Iterator[list[object]]:
    for kind, entry in score["by_summed_probabilities"].items():
        yield [TITLES[kind], entry["classes"], percent(entry["top1"])]


def _ceiling(score: Mapping) -> str:
    symbol, both = (
        f"{percent(score['ceiling_of_positions'][name])} %"
        for name in ("extinction_symbol", "extinction_symbol_and_laue_class")
    )
    return f"Ceiling of positions alone: {symbol}; with the Laue class: {both}."


def _errors(about: Mapping) -> Iterator[list[object]]:
    yield _row("all", about["all"])
    for system, entry in about["by_crystal_system"].items():
        yield _row(system, entry)
    for entry in about.get("by_number_of_lines", ()):
        low, high = entry["lines"]
        yield _row(f"{low} to {high} lines", entry)


def _row(name: str, entry: Mapping) -> list[object]:
    errors = entry["errors"]
    shares = [
        "-" if entry[key] is None else percent(entry[key], interval=False)
        for key in _SHARES
    ]
    return [name, errors["count"], percent(errors), *shares]
