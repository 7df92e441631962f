"""Share of synthetic crystals in which spglib finds the labelled space group.

    python -m experiments.check_labels --count=10000

Half of the crystals are sampled by the groups' frequencies, half with all groups
equally often. spglib (symprec 0.001 angstrom) has to find the labelled group and no
smaller primitive cell; it fails where two atoms are closer than symprec.
"""

import argparse
from collections.abc import Sequence

from experiments.check_labels.labels import describe, find_groups, sample_labelled
from xrdjax.errors import InputError, exit_on_input_error
from xrdjax.prior.file import load_statistics
from xrdjax.prior.prior import Prior, make_prior


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.check_labels",
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--count", type=int, default=10000, help="crystals in all")
    parser.add_argument("--statistics", help="of groups to sample; the bundled ones")
    parser.add_argument("--seed", type=int, default=0, help="of the sampling")
    return parser


def check_half(prior: Prior, count: int, uniform: bool, seed: int) -> str:
    """Samples crystals, has spglib find their groups, and describes the outcome."""
    title = "all groups alike" if uniform else "by frequency"
    crystals = sample_labelled(prior, count, uniform, seed, title)
    return describe(title, crystals, find_groups(crystals))


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    given = _parser().parse_args(arguments)
    with exit_on_input_error():
        if given.count < 2:
            raise InputError(f"--count is {given.count}: expected 2 crystals or more")
        prior = make_prior(load_statistics(given.statistics))
        half = given.count // 2
        print(check_half(prior, given.count - half, False, given.seed))
        print(check_half(prior, half, True, given.seed + 1))


if __name__ == "__main__":
    main()
