"""Synthetic crystals beside known ones: what the prior keeps, and what it loses.

    python -m experiments.compare_prior --crystals=PATH --count=5000 --out=prior.png

The known crystals are those that the statistics can have been made from: of structure
types that were not held out, of a group with statistics, and within the limits of size.
The figure in `experiments/figures` is of the Materials Project's entries that are
matched to an experimental record (CC-BY 4.0; A. Jain et al., APL Materials 1, 011002
(2013)):

    python -m experiments.compare_prior --crystals=mp_experimental_cifs.zip \\
        --limit=15000 --count=12000 --out=experiments/figures/compare_prior.png
"""

import argparse
from collections.abc import Sequence

import numpy as np

from experiments.compare_prior.crystals import eligible_structures, synthetic_structures
from experiments.compare_prior.figure import plot_comparison
from experiments.compare_prior.table import table
from experiments.compare_prior.traits import measure
from experiments.shared.flags import require_positive
from xrdjax.crystals.cif import read_crystals
from xrdjax.crystals.crystal import Structure
from xrdjax.errors import exit_on_input_error
from xrdjax.files import require_writable
from xrdjax.prior.file import load_statistics, read_provenance


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.compare_prior",
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--crystals", required=True, help="a folder or a zip of CIFs, or a CIF")
    add("--out", required=True, help="figure to write, .png")
    add("--count", type=int, default=5000, help="number of synthetic crystals")
    add("--limit", type=int, help="number of known crystals; all without it")
    add("--seed", type=int, default=0, help="of the sampling, and of the choice")
    add("--statistics", help="file of python -m xrdjax.statistics; bundled without it")
    add("--processes", type=int, help="how many to use; all cores without it")
    return parser


def _choose(
    structures: Sequence[Structure], limit: int | None, seed: int
) -> Sequence[Structure]:
    """A random choice of up to `limit` crystals, in their order; by default all."""
    if limit is None or limit >= len(structures):
        return structures
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(structures), limit, replace=False))
    return [structures[i] for i in rows]


def compare(given: argparse.Namespace) -> None:
    """Reads known crystals, samples synthetic ones, and reports how they differ."""
    statistics = load_statistics(given.statistics)
    reading = read_crystals(given.crystals, given.processes, progress=True)
    known = measure(
        eligible_structures(
            _choose(reading.structures, given.limit, given.seed),
            statistics,
            read_provenance(given.statistics),
            given.processes,
        )
    )
    synthetic = measure(synthetic_structures(statistics, given.count, given.seed))
    print(f"{len(known.sites)} known crystals, {len(synthetic.sites)} synthetic\n")
    print(table(known, synthetic))
    plot_comparison(known, synthetic, given.out)
    print(f"\nwritten to {given.out}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    given = _parser().parse_args(arguments)
    with exit_on_input_error():
        require_positive("count", given.count)
        require_positive("limit", given.limit)
        require_writable(given.out, overwrite=True)
        compare(given)


if __name__ == "__main__":
    main()
