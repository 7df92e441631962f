"""Kills a run again and again, and compares its end with that of an uninterrupted run.

    python -m experiments.kill_and_resume --kills=20 --out=DIR

The real command, with the real generator of crystals and a small network, is killed by
SIGKILL at random moments: while it starts, while it trains, and, every second time,
while it writes a checkpoint. Then it resumes and finishes. Parameters, best checkpoint
and metrics must equal those of a run that was never killed, bit for bit.

Twenty kills at steps 50 to 530 of 600, ten of them while a checkpoint was written, left
no difference (jax 0.10.1, two cores of a CPU, commit 1779318).
"""

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.kill_and_resume.kills import kill_once
from experiments.kill_and_resume.runs import STEPS, command_of, differences, finish
from experiments.shared.flags import require_positive
from xrdjax.errors import InputError, exit_on_input_error

# Longest delay of a kill after a step was reached, seconds.
_LATEST = 0.5


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.kill_and_resume",
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--kills", type=int, default=20, help="number of kills")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    return parser


def kill_and_finish(
    command: Sequence[str], workdir: Path, kills: int, rng: random.Random
) -> None:
    """Kills a run at random steps, prints a line a kill, and lets the run end."""
    print("kill  step  newest checkpoint  while writing", flush=True)
    steps = sorted(rng.randrange(int(0.9 * STEPS)) for _ in range(kills))
    for i, step in enumerate(steps):
        delay = rng.uniform(0.0, _LATEST)
        kill = kill_once(command, workdir, step, delay, writing=i % 2 == 1)
        print(
            f"{i + 1:4d}{kill.step:6d}{kill.checkpoint:19d}"
            f"{'yes' if kill.writing else 'no':>15}",
            flush=True,
        )
    finish(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a table of the kills; exits with status 1 if they changed the result."""
    given = _parser().parse_args(arguments)
    with exit_on_input_error():
        require_positive("kills", given.kills)
        if given.out.exists():
            raise InputError(f"{str(given.out)!r} exists already: name a new folder")
        given.out.mkdir(parents=True)
        killed, unbroken = given.out / "killed", given.out / "unbroken"
        cache = given.out / "cache"
        finish(command_of(unbroken, cache))
        rng = random.Random(given.seed)
        kill_and_finish(command_of(killed, cache), killed, given.kills, rng)
        found = differences(killed, unbroken)
    if found:
        sys.exit(f"the killed run ended differently: {', '.join(found)}")
    print(f"after {given.kills} kills everything is the same, bit for bit")


if __name__ == "__main__":
    main()
