"""What parts known crystals from random ones, to a network that knows random ones.

    python -m experiments.gap_analysis --workdir=DIR --crystals=PATH --out=DIR

Takes the known crystals whose structure type was held out of the statistics, and makes
them random step by step: free coordinates drawn anew as in the prior; the shape of the
cell drawn anew, its volume kept; both; and, last, crystals that are wholly drawn, in
the same space groups and in groups by their frequency. Where accuracy rises is what
the prior has otherwise than known crystals do. Schopmans, Reiser and Friederich,
Digital Discovery 2 (2023) 1414, do the same on the ICSD.

Writes gap_analysis.md, gap_analysis.json and gap_analysis.png.
"""

import argparse
import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Bool, Float, Int
from xrdjax.patterns.sources import crystal_limits

from experiments.gap_answers import answer_groups, answer_structures
from experiments.gap_report import draw_gap, to_markdown
from experiments.redrawn_crystals import Redrawn, What, redraw
from xrdjax.checkpoints.writer import STATISTICS, Run
from xrdjax.errors import InputError, exit_on_input_error
from xrdjax.evaluation import report
from xrdjax.evaluation.metrics import mean_over_types, proportion, top_k_hits
from xrdjax.known.collection import known_crystals
from xrdjax.known.selection import Selection, select_crystals, split_of
from xrdjax.prior.file import read_provenance
from xrdjax.prior.prior import make_prior
from xrdjax.prior.sampling import sample_group_rows
from xrdjax.run import (
    add_checkpoint_flag,
    add_network_flags,
    is_weights,
    load_network,
)

TITLES = {
    "unchanged": "held-out crystals, unchanged",
    "coordinates": "coordinates redrawn",
    "cell": "cell shape redrawn",
    "both": "coordinates and cell shape redrawn",
    "same_groups": "synthetic, in the same groups",
    "synthetic": "synthetic, groups by frequency",
}
REDRAWN = {
    "coordinates": What(coordinates=True, cell=False),
    "cell": What(coordinates=False, cell=True),
    "both": What(coordinates=True, cell=True),
}


def held_out_crystals(
    run: Run,
    path: str | Path,
    provenance: Mapping,
    limit: int | None = None,
    seed: int = 0,
    part: str = "held_out",
) -> Selection:
    """Known crystals of the structure types that the run's statistics leave out.

    Args:
        run: the network.
        path: CIF file, folder or zip, or the .npz file of their analyses.
        provenance: of the run's statistics.
        limit: a random choice of so many of them; all without it.
        seed: of that choice.
        part: of them, as of `select_crystals`; "test" leaves out those for validation.

    Raises:
        InputError: there are none.
    """
    selection = select_crystals(
        known_crystals(path, run.config.symprec, progress=True),
        run.space_groups,
        split=split_of(provenance),
        part=part,
        **crystal_limits(run.config),
    )
    count = len(selection.structures)
    if not count:
        raise InputError(
            f"none of the {selection.counts['found']} crystals of {str(path)!r} is of a "
            "held-out structure type and a trained space group: give more crystals"
        )
    if limit is not None and limit < count:
        rng = np.random.default_rng(seed)
        selection = _subset(selection, np.sort(rng.choice(count, limit, replace=False)))
    return selection


def _subset(selection: Selection, rows: Int[np.ndarray, " m"]) -> Selection:
    return dataclasses.replace(
        selection,
        structures=tuple(selection.structures[i] for i in rows),
        labels=selection.labels[rows],
        type_keys=tuple(selection.type_keys[i] for i in rows),
    )


def gain(
    hits: Bool[np.ndarray, " n"], before: Bool[np.ndarray, " n"]
) -> dict[str, float]:
    """Mean difference of pairs of hits, with its 95 % interval.

    d +- 1.96 s / sqrt(n), s the standard deviation of the n differences.
    """
    differences = hits.astype(float) - before.astype(float)
    mean = float(differences.mean())
    spread = 1.96 * float(differences.std()) / np.sqrt(len(differences))
    return {"mean": mean, "low": mean - spread, "high": mean + spread}


def _score(
    answers: Mapping[str, Float[np.ndarray, "n K"]],
    labels: Mapping[str, Int[np.ndarray, " n"]],
    known: Selection,
    redrawn: Mapping[str, Redrawn],
    kept: Int[np.ndarray, " n"],
) -> dict[str, dict]:
    """Figures of merit of each set; `kept` are the rows of `known` in `redrawn`."""
    before = top_k_hits(answers["unchanged"], known.labels, 1)
    sets: dict[str, dict] = {}
    for name, probabilities in answers.items():
        top1, top5 = (top_k_hits(probabilities, labels[name], k) for k in (1, 5))
        part: dict = {
            "title": TITLES[name],
            "top1": proportion(top1)._asdict(),
            "top5": proportion(top5)._asdict(),
        }
        if name in redrawn or name == "unchanged":
            mean, types = mean_over_types(top1, known.type_keys)
            part |= {"types": types, "top1_over_types": mean}
        if name in redrawn:
            part |= {
                "changed": int(redrawn[name].changed[kept].sum()),
                "drawn": redrawn[name].drawn,
                "rejected": redrawn[name].rejected,
                "gain": gain(top1, before),
            }
        sets[name] = part
    return sets


def analyse_gap(run: Run, selection: Selection, seed: int) -> dict:
    """Accuracy on known crystals, the same ones redrawn, and synthetic ones.

    Crystals of which any redrawing fails are left out of all sets, so that the sets
    are of the same crystals.

    Args:
        run: the network.
        selection: known crystals.
        seed: of all draws.

    Returns:
        For JSON: "sets" by name, and how many crystals were "given_up".
    """
    prior = jax.device_put(make_prior(run.statistics))
    keys = jax.random.split(jax.random.key(seed), len(TITLES))
    limits = crystal_limits(run.config)
    redrawn = {
        name: redraw(
            keys[i],
            selection.structures,
            selection.type_keys,
            selection.labels,
            prior,
            what,
            symprec=run.config.symprec,
            max_edge=limits["max_edge"],
            progress=True,
        )
        for i, (name, what) in enumerate(REDRAWN.items())
    }
    columns = list(zip(*(r.structures for r in redrawn.values()), strict=True))
    kept = np.flatnonzero([None not in column for column in columns])
    if not len(kept):
        raise InputError(
            f"none of the {len(columns)} crystals could be redrawn with the symmetry "
            "of its label: give more crystals"
        )
    known = _subset(selection, kept)
    rng = np.random.default_rng(seed)
    smallest, largest = run.config.crystallite_size_nm
    sizes_nm = rng.uniform(smallest, largest, len(kept)).astype(np.float32)
    answers = {
        "unchanged": answer_structures(
            run, known.structures, sizes_nm, TITLES["unchanged"]
        )
    }
    for name, crystals in redrawn.items():
        structures = [s for i in kept if (s := crystals.structures[i]) is not None]
        answers[name] = answer_structures(run, structures, sizes_nm, TITLES[name])
    labels = {name: known.labels for name in (*answers, "same_groups")}
    labels["synthetic"] = np.asarray(sample_group_rows(keys[3], prior, len(kept)))
    for key, name in zip(keys[4:], ("same_groups", "synthetic"), strict=True):
        groups = labels[name].astype(np.int32)
        answers[name] = answer_groups(key, run, prior, groups, sizes_nm, TITLES[name])

    sets = _score(answers, labels, known, redrawn, kept)
    return {"sets": sets, "given_up": len(selection.structures) - len(kept)}


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
    add("--limit", type=int, help="held-out crystals to take; all without it")
    add("--seed", type=int, default=0, help="of all draws")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    given = _parser().parse_args(arguments)
    with exit_on_input_error():
        began = time.perf_counter()
        if given.limit is not None and given.limit < 1:
            raise InputError(f"--limit is {given.limit}: expected 1 or more")
        run = load_network(given.workdir, given.checkpoint)
        provenance = read_provenance(given.workdir / STATISTICS)
        # those for validation chose the best checkpoint, and perhaps the weights
        chosen = given.checkpoint == "best" or is_weights(given.workdir)
        part = "test" if chosen else "held_out"
        selection = held_out_crystals(
            run, given.crystals, provenance, given.limit, given.seed, part
        )
        result = {
            "workdir": str(given.workdir),
            "step": int(run.step),
            "checkpoint": given.checkpoint,
            "part": part,
            "crystals": given.crystals.name,
            "counts": selection.counts,
            "limit": given.limit,
            "seed": given.seed,
        } | analyse_gap(run, selection, given.seed)
        result |= {
            "seconds": time.perf_counter() - began,
            "device": f"{jax.device_count()} {jax.devices()[0].device_kind}",
            "versions": report.versions(),
        }
        given.out.mkdir(parents=True, exist_ok=True)
        draw_gap(result["sets"], given.out / "gap_analysis.png")
        page = to_markdown(result)
        report.write_text(given.out / "gap_analysis.md", page)
        report.write_text(given.out / "gap_analysis.json", report.to_json(result))
        print(page)


if __name__ == "__main__":
    main()
