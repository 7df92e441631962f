"""The answer to a measured pattern as text for a terminal or a notebook."""

import textwrap

from xrdjax.evaluation.classes import describe_sums, sum_probabilities
from xrdjax.evaluation.ranked import Ranked
from xrdjax.symmetry.space_groups import space_group

_WIDTH = 88


def to_text(ranking: Ranked) -> str:
    """The pattern, the five most probable groups, sums over classes, and notes."""
    sums = sum_probabilities(ranking.probabilities[None], ranking.space_groups)
    lines = [*_about(ranking), ""]
    if ranking.refusal:
        lines += [*_wrapped(f"cannot tell: {ranking.refusal}"), ""]
    lines += [*_table(ranking), "", *describe_sums(sums), ""]
    for note in ranking.notes:
        lines += _wrapped(note)
    return "\n".join(lines).rstrip()


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _about(ranking: Ranked) -> list[str]:
    """What was measured, and with what it is compared."""
    angles = ranking.measured.two_theta_deg
    first, last = ranking.seen.range_deg
    learned = "simulated measurements"
    if not ranking.seen.removes_background:
        learned = "clean patterns"
    pattern = (
        f"{ranking.short_name}: {len(angles)} points from {angles[0]:g} to "
        f"{angles[-1]:g} degrees, {ranking.wavelength:g} angstrom ({whence(ranking)})"
    )
    network = (
        f"network of step {ranking.step} for {len(ranking.space_groups)} space groups, "
        f"trained on {learned}, {first:g} to {last:g} degrees"
    )
    return [pattern, network]


def percent(share: float) -> str:
    """A share in per cent, such as "94 %"."""
    return f"{100 * share:.0f} %"


def whence(ranking: Ranked) -> str:
    """Where the wavelength comes from, in words."""
    if ranking.wavelength_origin in ("assumed", "as given"):
        return ranking.wavelength_origin
    return f"from the file: {ranking.wavelength_origin}"


def _table(ranking: Ranked) -> list[str]:
    """Lines with probability, number, symbol and crystal system of each space group."""
    lines = ["probability  number  symbol        crystal system"]
    for number, probability in ranking.most_probable():
        group = space_group(number)
        lines.append(
            f"{100 * probability:9.1f} %  {number:6d}  {group.hermann_mauguin:12s}  "
            f"{group.crystal_system}"
        )
    return lines
