"""What distinguishes known crystals from synthetic ones, to a network.

    python -m experiments.gap_analysis --workdir=DIR --crystals=PATH --out=DIR

Takes the known crystals whose structure type was held out of the statistics, and
randomises them step by step: free coordinates, as in the prior; the shape of the cell
at constant volume; both; and finally entirely synthetic crystals, in the same space
groups and in groups by their frequency. The step at which the accuracy rises shows how
known crystals differ from the prior. Schopmans, Reiser and Friederich, Digital
Discovery 2 (2023) 1414, do the same on the ICSD.

Writes gap_analysis.md, gap_analysis.json and gap_analysis.png.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.gap_analysis.analysis import analyse_gap, held_out_crystals
from experiments.gap_analysis.report import plot_gap, to_markdown
from experiments.shared.flags import require_positive
from xrdjax.command_line import add_checkpoint_flag, add_network_flags
from xrdjax.errors import exit_on_input_error
from xrdjax.evaluation.report import circumstances, to_json
from xrdjax.files import write_text
from xrdjax.run import is_weights, load_network


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.gap_analysis",
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add_network_flags(parser)
    add_checkpoint_flag(parser)
    add("--crystals", type=Path, required=True, help="CIFs, or their analyses (.npz)")
    add("--out", type=Path, required=True, help="folder for table and figure")
    add("--limit", type=int, help="number of held-out crystals; all without it")
    add("--seed", type=int, default=0, help="of all random numbers")
    return parser


def analyse(given: argparse.Namespace) -> dict[str, Any]:
    """The numbers of the report, ready for JSON."""
    began = time.perf_counter()
    run = load_network(given.workdir, given.checkpoint)
    # those for validation chose the best checkpoint, and perhaps the weights
    chosen = given.checkpoint == "best" or is_weights(given.workdir)
    part = "test" if chosen else "held_out"
    selection = held_out_crystals(run, given.crystals, given.limit, given.seed, part)
    result = {
        "workdir": str(given.workdir),
        "step": run.step,
        "checkpoint": given.checkpoint,
        "part": part,
        "crystals": given.crystals.name,
        "counts": selection.counts,
        "limit": given.limit,
        "seed": given.seed,
    }
    result |= analyse_gap(run, selection, given.seed)
    return result | circumstances(time.perf_counter() - began)


def write_report(result: dict[str, Any], out: Path) -> None:
    """Writes numbers, page and figure, and prints the page."""
    out.mkdir(parents=True, exist_ok=True)
    plot_gap(result["sets"], out / "gap_analysis.png")
    page = to_markdown(result)
    write_text(out / "gap_analysis.md", page)
    write_text(out / "gap_analysis.json", to_json(result))
    print(page)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    given = _parser().parse_args(arguments)
    with exit_on_input_error():
        require_positive("limit", given.limit)
        write_report(analyse(given), given.out)


if __name__ == "__main__":
    main()
