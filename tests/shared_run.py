"""A run that several processes or devices share, as a program for test_devices.

python tests/shared_run.py WORKDIR DEVICES [ADDRESS PROCESSES PROCESS]
"""

import sys
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from repository import get_config

from xrdjax import devices, evaluate
from xrdjax.checkpoints import writer as checkpoints
from xrdjax.crystals.cif import Reading
from xrdjax.crystals.textbook import gallery
from xrdjax.errors import InputError
from xrdjax.models.resnet import ResNet
from xrdjax.training import loop as train

POINTS = 64


def small_model(config, outputs):
    """One block, because a whole network takes long to compile."""
    return ResNet((1,), False, outputs=outputs, width=4, groups=2)


def draw(key, tables, batch_size):
    """One peak, whose position tells the label, and noise."""
    label_key, noise_key = jax.random.split(key)
    count = len(tables[0].statistics.space_groups)
    labels = jax.random.randint(label_key, (batch_size,), 0, count)
    noise = 0.1 * jax.random.uniform(noise_key, (batch_size, POINTS))
    peaks = jax.nn.one_hot(labels % POINTS, POINTS)
    return jnp.maximum(peaks, noise), labels, {"drawn": jnp.int32(batch_size)}


def draw_to_evaluate(key, batch_size):
    labels = jax.random.randint(key, (batch_size,), 0, 80)
    patterns = jax.nn.one_hot(labels % POINTS, POINTS)
    return patterns, labels, {"drawn": jnp.int32(batch_size)}


def simulate(structures, sizes_nm):
    """Patterns that depend on the crystallite, so that an exchange shows."""
    return np.repeat(sizes_nm[:, None] / 100, POINTS, axis=1)


def refused():
    """What each process says when the first cannot go on."""

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
    config = get_config("10")
    config.update(
        {
            "steps": 100,
            "steps_per_call": 50,
            "checkpoint_every": 50,
            "batch_size": 8,
            "points": POINTS,
            "optimizer": {"learning_rate": 1e-3},
            "evaluation": {"batch_size": 4},
        }
    )
    train.make_model = checkpoints.make_model = small_model
    state = train.train(config, workdir, draw)
    mesh = devices.global_mesh()
    with Path(f"{workdir}.{jax.process_index()}.npz").open("wb") as file:
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(state.params)]
        np.savez(file, *leaves, step=state.step, devices=mesh.size, **notes)

    names = ("halite", "quartz", "diamond", "corundum", "copper")
    crystals = Reading(tuple(gallery(name) for name in names), ())
    evaluate._read_gallery = lambda: crystals
    evaluate.draw_report_figures = lambda *arguments: {}
    evaluate.evaluate_run(
        workdir, draw=draw_to_evaluate, simulate=simulate, synthetic=27, progress=False
    )


if __name__ == "__main__":
    warnings.simplefilter("error")
    main(*sys.argv[1:])
