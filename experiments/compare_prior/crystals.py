"""The two kinds of crystals that are compared."""

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import numpy as np
from jaxtyping import Bool
from tqdm import tqdm

from xrdjax.crystals.crystal import Structure
from xrdjax.crystals.structure_types import Analysis
from xrdjax.errors import InputError
from xrdjax.known.analyses import analyse_all
from xrdjax.known.selection import split_of
from xrdjax.known.splits import members
from xrdjax.prior.fit import eligible_crystals
from xrdjax.prior.prior import make_prior
from xrdjax.prior.sampling import sample_crystals, sample_group_rows
from xrdjax.prior.sites import sites_to_structure
from xrdjax.prior.tables import Statistics

# Synthetic crystals sampled together.
_BATCH = 1000


def ordered(analysis: Analysis) -> Structure:
    """The crystal with the majority element on each site, as statistics count it."""
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


def _is_known(
    analyses: Sequence[Analysis], provenance: Mapping
) -> Bool[np.ndarray, " n"]:
    """Whether the statistics can have been made from each crystal."""
    if not provenance.get("held_out"):
        return np.ones(len(analyses), bool)
    return members(analyses, split_of(provenance), "statistics")


def eligible_structures(
    structures: Sequence[Structure],
    statistics: Statistics,
    provenance: Mapping,
    processes: int | None = None,
) -> list[Structure]:
    """Crystals that the statistics can have been made from, with ordered sites.

    Args:
        structures: crystals as read.
        statistics: their space groups are eligible.
        provenance: of the statistics: symprec, and what was held out.
        processes: how many to use; all cores without it.

    Raises:
        InputError: none is left.
    """
    analyses, _ = analyse_all(structures, provenance["symprec"], processes, True)
    is_known = _is_known(analyses, provenance)
    known = [a for a, is_in in zip(analyses, is_known, strict=True) if is_in]
    space_groups = set(np.asarray(statistics.space_groups).tolist())
    kept = [
        ordered(analysis)
        for analysis in eligible_crystals(known, min_crystals=1).analyses
        if analysis.space_group in space_groups
    ]
    if not kept:
        raise InputError(
            f"none of the {len(structures)} crystals is of a structure type and a space "
            "group that the statistics can have counted: give more crystals"
        )
    return kept


def synthetic_structures(
    statistics: Statistics, count: int, seed: int
) -> list[Structure]:
    """Synthetic crystals, their groups by frequency."""
    prior = jax.device_put(make_prior(statistics))
    batch = min(_BATCH, count)
    structures: list[Structure] = []
    for key in tqdm(jax.random.split(jax.random.key(seed), -(-count // batch))):
        group_key, crystal_key = jax.random.split(key)
        rows = sample_group_rows(group_key, prior, batch)
        sites = jax.tree.map(np.asarray, sample_crystals(crystal_key, prior, rows)[0])
        structures += [
            sites_to_structure(
                jax.tree.map(lambda leaf, i=i: leaf[i], sites), "synthetic"
            )
            for i in range(min(batch, count - len(structures)))
        ]
    return structures
