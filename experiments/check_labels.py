"""How many drawn crystals have, to spglib, the space group that they were drawn from.

    python -m experiments.check_labels --count=10000

Half of the crystals are drawn by the groups' frequencies, half with all groups alike.
spglib (symprec 0.001 angstrom) has to find the drawn group, and no smaller primitive
cell; it gives up where two atoms are closer than symprec.
"""

import argparse
import collections
import concurrent.futures
import multiprocessing
import os
import warnings
from functools import partial

import jax
import numpy as np
import spglib
from tqdm import tqdm

from xrdjax.crystals.crystal import Crystal
from xrdjax.prior.prior import Limits, Prior, make_prior
from xrdjax.prior.sampling import sample_crystals, sample_group_rows
from xrdjax.prior.sites import sites_to_crystal

SYMPREC = 1e-3  # angstrom
BATCH = 1000


def found_group(
    lattice: np.ndarray,
    positions: np.ndarray,
    elements: np.ndarray,
    centring: np.ndarray,
) -> tuple[int, int] | None:
    """Number of the group, and of atoms in the primitive cell, that spglib finds.

    Args:
        lattice: [3, 3] rows a, b, c, angstrom.
        positions: [N, 3] atoms of one primitive cell, fractions of a, b, c.
        elements: [N] atomic numbers.
        centring: [C, 3] centring vectors, zero among them.

    Returns:
        None where spglib gives up.
    """
    everywhere = (positions + centring[:, None]).reshape(-1, 3)
    cell = (lattice, everywhere, np.tile(elements, len(centring)))
    with warnings.catch_warnings():
        # spglib 2.7 and later announce, at every call, how errors will be told in 3.0
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            dataset = spglib.get_symmetry_dataset(cell, symprec=SYMPREC)
        except getattr(spglib, "SpglibError", ()):
            return None
    if dataset is None:
        return None
    return int(dataset.number), int(dataset.mapping_to_primitive.max()) + 1


def _draw(key: jax.Array, prior: Prior, uniform: bool) -> tuple[np.ndarray, Crystal]:
    """Numbers of the groups [BATCH], and the crystals drawn from them."""
    group_key, crystal_key = jax.random.split(key)
    groups = sample_group_rows(group_key, prior, BATCH, uniform=uniform)
    sites, _ = _sample(crystal_key, prior, groups)
    return np.asarray(sites.space_group), jax.tree.map(
        np.asarray, _expand(sites, prior)
    )


_sample = jax.jit(sample_crystals)
_expand = jax.jit(
    jax.vmap(partial(sites_to_crystal, max_atoms=Limits().max_atoms), in_axes=(0, None))
)


def _questions(numbers: np.ndarray, crystals: Crystal):
    """Arguments of `found_group`, crystal by crystal, without padding."""
    for row in range(len(numbers)):
        real = crystals.elements[row] > 0
        yield (
            crystals.lattice[row].astype(float),
            crystals.positions[row][real].astype(float),
            crystals.elements[row][real],
            crystals.symmetry.centring[row][: crystals.symmetry.centring_order[row]],
        )


def check_half(pool, prior: Prior, count: int, uniform: bool, seed: int) -> str:
    """Draws, asks spglib, and puts the outcome into a few lines."""
    wrong, given_up, checked = collections.Counter(), collections.Counter(), 0
    keys = jax.random.split(jax.random.key(seed), -(-count // BATCH))
    name = "all groups alike" if uniform else "by frequency"
    for key in tqdm(keys, desc=name, unit="batch", disable=None):
        numbers, crystals = _draw(key, prior, uniform)
        numbers = numbers[: count - checked]
        questions = list(_questions(numbers, crystals))
        answers = pool.map(
            found_group, *zip(*questions, strict=True), chunksize=BATCH // 40
        )
        for number, question, answer in zip(numbers, questions, answers, strict=True):
            if answer is None:
                given_up[int(number)] += 1
            elif answer != (number, len(question[2])):
                wrong[int(number), answer[0]] += 1
        checked += len(numbers)
    missed = wrong.total() + given_up.total()
    lines = [f"{name}: {checked - missed} of {checked} ({1 - missed / checked:.3%})"]
    lines += [
        f"  {number} was found to be {found}: {times}"
        for (number, found), times in sorted(wrong.items())
    ]
    lines += [
        f"  {number}, atoms too close for spglib: {times}"
        for number, times in sorted(given_up.items())
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10000, help="crystals in all")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.count < 2:
        parser.error(f"--count={arguments.count}: expected at least 2 crystals")
    prior = make_prior()
    half = arguments.count // 2
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        os.cpu_count(), mp_context=context
    ) as pool:
        print(check_half(pool, prior, arguments.count - half, False, arguments.seed))
        print(check_half(pool, prior, half, True, arguments.seed + 1))


if __name__ == "__main__":
    main()
