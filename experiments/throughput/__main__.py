"""Speed of sampling, simulation and training, and of other programs.

    python -m experiments.throughput --compare --out=FILE.json --figure=FILE.png

Every number is the median of the repeats after a first run, without compilation, at the
paper's settings (8501 points from 5 to 90 degrees, the bundled statistics). The
repeats go through several batches of synthetic crystals, the same for every stage. On
a CPU the stages are measured on one core, in a process of their own; other processes
measure memory, one core against all, and whether several virtual devices that share
the batch are faster than one that uses all cores. With --compare, pymatgen and PyXtal
do the same work on one core.

Nothing else should run on the machine meanwhile: the load before the start is printed.
"""

import argparse
import json
from collections.abc import Sequence

from experiments.shared.flags import require_positive
from experiments.throughput.benchmark import benchmark
from experiments.throughput.figure import plot_throughput
from experiments.throughput.stages import Bench
from experiments.throughput.table import table
from xrdjax.errors import exit_on_input_error
from xrdjax.files import require_writable, write_text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.throughput",
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--compare", action="store_true", help="measure pymatgen and PyXtal as well")
    add("--out", help="file for all numbers, .json")
    add("--figure", help="figure to write, .png")
    add("--batch", type=int, default=512, help="crystals of one run of the generator")
    add("--repeats", type=int, default=5, help="measured runs, of which the median")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints and writes as the command line states."""
    given = _parser().parse_args(arguments)
    with exit_on_input_error():
        for flag in ("batch", "repeats"):
            require_positive(flag, getattr(given, flag))
        for path in filter(None, (given.out, given.figure)):
            require_writable(path, overwrite=True)
        numbers = benchmark(Bench(given.batch, given.repeats), given.compare)
        print(table(numbers))
        if given.out:
            write_text(given.out, json.dumps(numbers, indent=1) + "\n")
        if given.figure:
            plot_throughput(numbers, given.figure)


if __name__ == "__main__":
    main()
