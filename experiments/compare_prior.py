"""Drawn crystals beside known ones: what the prior keeps, and what it drops.

    python -m experiments.compare_prior --crystals=PATH --count=5000 --out=prior.png

The known crystals are those that the statistics may know: of structure types that
were not held out, of a group with statistics, and within the limits of size. The
figure in `experiments/figures` is of the Materials Project's entries that are matched
to an experimental record (CC-BY 4.0; A. Jain et al., APL Materials 1, 011002 (2013)):

    python -m experiments.compare_prior --crystals=mp_experimental_cifs.zip \\
        --limit=15000 --count=12000 --out=experiments/figures/compare_prior.png
"""

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from experiments.crystal_traits import Traits, measure
from experiments.prior_figure import (
    draw_comparison,
    element_shares,
    group_shares,
    pair_shares,
    system_shares,
)
from xrdjax.crystals.cif import read_crystals
from xrdjax.crystals.crystal import Structure
from xrdjax.crystals.structure_types import Analysis
from xrdjax.errors import InputError, exit_on_input_error
from xrdjax.known.analyses import analyse_all
from xrdjax.known.splits import split_by_hash
from xrdjax.prior.file import load_statistics, read_provenance
from xrdjax.prior.fit import eligible_crystals
from xrdjax.prior.prior import make_prior
from xrdjax.prior.sampling import sample_crystals, sample_group_rows
from xrdjax.prior.sites import sites_to_structure
from xrdjax.prior.tables import Statistics

BATCH = 1000


def ordered(analysis: Analysis) -> Structure:
    """The crystal with the majority element on each site, as statistics see it."""
    standard = analysis.standard
    rows = np.argsort(-standard.occupancies, kind="stable")
    _, first = np.unique(np.array(analysis.sites)[rows], return_index=True)
    rows = rows[first]
    return dataclasses.replace(
        standard,
        positions=standard.positions[rows],
        elements=standard.elements[rows],
        occupancies=np.ones(len(rows)),
        b_iso=standard.b_iso[rows],
    )


def known_crystals(
    structures: Sequence[Structure],
    statistics: Statistics,
    provenance: Mapping,
    processes: int | None = None,
) -> list[Structure]:
    """Those crystals that the statistics may have been made from, ordered.

    Args:
        structures: crystals as read.
        statistics: to draw from; they say which space groups count.
        provenance: of the statistics: symprec, and which types were held out.
        processes: how many to use; all cores without it.

    Raises:
        InputError: none is left.
    """
    analyses, _ = analyse_all(structures, provenance["symprec"], processes, True)
    out = split_by_hash(
        [a.type_key for a in analyses], provenance["held_out"], provenance["seed"]
    )
    allowed = [a for a, is_out in zip(analyses, out, strict=True) if not is_out]
    groups = set(np.asarray(statistics.space_groups).tolist())
    kept = [
        ordered(a)
        for a in eligible_crystals(allowed, min_crystals=1).analyses
        if a.space_group in groups
    ]
    if not kept:
        raise InputError(
            f"none of the {len(structures)} crystals is of a structure type and a space "
            "group that the statistics may know: give more crystals"
        )
    return kept


def drawn_crystals(statistics: Statistics, count: int, seed: int) -> list[Structure]:
    """Random crystals, their groups by frequency."""
    prior = jax.device_put(make_prior(statistics))
    batch = min(BATCH, count)
    structures: list[Structure] = []
    for key in tqdm(jax.random.split(jax.random.key(seed), -(-count // batch))):
        group_key, crystal_key = jax.random.split(key)
        groups = sample_group_rows(group_key, prior, batch)
        sites = jax.tree.map(np.asarray, sample_crystals(crystal_key, prior, groups)[0])
        structures += [
            sites_to_structure(jax.tree.map(lambda leaf, i=i: leaf[i], sites), "drawn")
            for i in range(min(batch, count - len(structures)))
        ]
    return structures


def largest_gap(
    first: Float[np.ndarray, " n"], second: Float[np.ndarray, " m"]
) -> float:
    """Kolmogorov-Smirnov distance max |F1(x) - F2(x)| of two samples."""
    points = np.concatenate([first, second])
    shares = [
        np.searchsorted(np.sort(sample), points, side="right") / len(sample)
        for sample in (first, second)
    ]
    return float(np.max(np.abs(shares[0] - shares[1])))


def table(known: Traits, drawn: Traits) -> str:
    """Medians and Kolmogorov-Smirnov distances; for kinds, the share that differs.

    The share that differs is half the sum of |p - q|, divided by the number of kinds
    that a crystal has in the mean (one space group, but several elements); beside it
    stands what two samples of one distribution show.
    """
    both = (known, drawn)
    columns = {
        "number of elements": [t.elements.sum(axis=1) for t in both],
        "sites in the asymmetric unit": [t.sites for t in both],
        "atoms in the primitive cell": [t.primitive_atoms for t in both],
        "volume of the cell / A^3": [t.volumes for t in both],
        "packing factor": [t.packing_factors for t in both],
        "c / a, tetragonal": [t.ratios_of("tetragonal") for t in both],
        "c / a, hexagonal": [t.ratios_of("hexagonal") for t in both],
        "shortest distance / A": [t.distances for t in both],
    }
    lines = [f"{'median':32}{'known':>10}{'drawn':>10}{'KS':>10}{'5 % level':>12}"]
    for name, (first, second) in columns.items():
        if not (len(first) and len(second)):
            continue
        # two samples of one distribution differ by more than this in 5 % of cases
        level = 1.358 * np.sqrt(1 / len(first) + 1 / len(second))
        lines.append(
            f"{name:32}{np.median(first):10.2f}{np.median(second):10.2f}"
            f"{largest_gap(first, second):10.3f}{level:12.3f}"
        )
    kinds = {
        "space groups": group_shares,
        "crystal systems": system_shares,
        "elements": element_shares,
        "pairs of elements": pair_shares,
    }
    lines += ["", f"{'share that differs':52}{'by chance':>12}"]
    for name, shares_of in kinds.items():
        first, second = map(shares_of, both)
        pooled = (first + second) / 2
        # mean of |x| is sigma sqrt(2 / pi) for a normal x of mean zero
        sizes = 1 / len(known.sites) + 1 / len(drawn.sites)
        chance = np.sqrt(2 / np.pi * sizes * pooled * (1 - pooled))
        kinds_each = max(pooled.sum(), np.finfo(float).tiny)
        differs, by_chance = (
            np.sum(gaps) / 2 / kinds_each for gaps in (np.abs(first - second), chance)
        )
        lines.append(f"{name:42}{differs:10.1%}{by_chance:12.1%}")
    return "\n".join(lines)


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
    add("--count", type=int, default=5000, help="crystals to draw")
    add("--limit", type=int, help="known crystals to look at; all without it")
    add("--seed", type=int, default=0, help="of the draws, and of the limited choice")
    add("--statistics", help="file of python -m xrdjax.statistics; bundled without it")
    add("--processes", type=int, help="how many to use; all cores without it")
    return parser


def compare(args: argparse.Namespace) -> None:
    """Reads, draws, measures, prints and writes."""
    if args.count < 1 or (args.limit is not None and args.limit < 1):
        raise InputError(
            f"--count is {args.count} and --limit {args.limit}: expected 1 or more"
        )
    if not Path(args.out).parent.is_dir():
        raise InputError(f"the folder of --out={args.out!r} does not exist: make it")
    statistics = load_statistics(args.statistics)
    structures = read_crystals(args.crystals, args.processes, progress=True).structures
    if args.limit is not None and args.limit < len(structures):
        rng = np.random.default_rng(args.seed)
        chosen = np.sort(rng.choice(len(structures), args.limit, replace=False))
        structures = [structures[i] for i in chosen]
    provenance = read_provenance(args.statistics)
    known = measure(known_crystals(structures, statistics, provenance, args.processes))
    drawn = measure(drawn_crystals(statistics, args.count, args.seed))
    print(f"{len(known.sites)} known crystals, {len(drawn.sites)} drawn\n")
    print(table(known, drawn))
    draw_comparison(known, drawn, args.out)
    print(f"\nwritten to {args.out}")


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command."""
    args = _parser().parse_args(argv)
    with exit_on_input_error():
        compare(args)


if __name__ == "__main__":
    main()
