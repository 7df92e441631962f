"""A run that several processes or devices share, as a program for test_devices.

python tests/shared_run.py WORKDIR DEVICES [ADDRESS PROCESSES PROCESS]
"""

import sys
import warnings
from pathlib import Path

import jax
import numpy as np
from peaks import Linear
from tiny_run import POINTS, SOURCE, tiny_config

import xrdjax.run
from xrdjax import devices
from xrdjax.crystals.textbook import gallery
from xrdjax.errors import InputError
from xrdjax.evaluation import evaluator, sets
from xrdjax.evaluation.evaluator import Request, evaluate_run
from xrdjax.training.loop import train

GALLERY = ("halite", "quartz", "diamond", "corundum", "copper")


def simulate(structures, sizes_nm):
    """Patterns that depend on the crystallite, so that an exchange shows."""
    return np.repeat(sizes_nm[:, None] / 100, POINTS, axis=1)


def refused():
    """The message of each process when the first cannot continue."""

    def give_up():
        raise InputError("the disk is full")

    try:
        devices.on_first(give_up)
    except InputError as error:
        return str(error)


def main(workdir, cpu_devices, address=None, processes=None, process=None):
    devices.start(
        coordinator_address=address,
        num_processes=None if processes is None else int(processes),
        process_id=None if process is None else int(process),
        cpu_devices=int(cpu_devices),
    )
    notes = {"refused": refused()}
    last = jax.process_index() == jax.process_count() - 1
    notes["any"] = [devices.any_process(flag) for flag in (last, False)]
    rows = np.full((len(devices.share_of_process(1)), 2), 7.0)  # none in the second
    notes["gathered"] = devices.gather_shares(rows, 1)

    # a real network would take long to compile, in each process
    xrdjax.run.make_model = lambda config, outputs: Linear(outputs)
    config = tiny_config(
        steps=100,
        steps_per_call=50,
        checkpoint_every=50,
        batch_size=8,
        **{"optimizer.learning_rate": 1e-3, "optimizer.halve_every_steps": 1000},
    )
    state = train(config, workdir, SOURCE)
    mesh = devices.global_mesh()
    with Path(f"{workdir}.{jax.process_index()}.npz").open("wb") as file:
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(state.params)]
        np.savez(file, *leaves, step=state.step, devices=mesh.size, **notes)

    sets.gallery_structures = lambda: {name: gallery(name) for name in GALLERY}
    evaluator.plot_report = lambda *arguments: {}
    evaluate_run(
        Request(workdir, synthetic=27, progress=False),
        source=SOURCE,
        simulate=simulate,
    )


if __name__ == "__main__":
    warnings.simplefilter("error")
    main(*sys.argv[1:])
