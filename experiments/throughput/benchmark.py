"""The whole benchmark: what is measured, in which process and in which order."""

import concurrent.futures
import multiprocessing
import sys
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from experiments.throughput.measurements import time_measurements
from experiments.throughput.other_programs import time_pymatgen, time_pyxtal
from experiments.throughput.scaling import time_scaling
from experiments.throughput.stages import (
    Bench,
    sample_sites,
    time_devices,
    time_stages,
    time_stages_on_one_core,
)
from experiments.throughput.stopwatch import circumstances, cores, peak_device_mib
from experiments.throughput.training import time_training
from xrdjax.crystals.crystal import Structure
from xrdjax.instrument.grid import PAPER_GRID
from xrdjax.instrument.instrument import CU_K_ALPHA
from xrdjax.prior.sites import sites_to_structure

# PyXtal: number of crystals requested, and seconds after which one is abandoned.
_PYXTAL_CRYSTALS = 48
_PYXTAL_LIMIT_S = 10


def _in_fresh_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in a process of its own, so that JAX starts anew there."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def time_all_devices(bench: Bench) -> list[dict[str, Any]]:
    """The generator on one core, on all cores as one device, and as a device each."""
    everything = cores()
    ways = [(1, 1), (everything, 1), (everything, everything)]
    fitting = [way for way in dict.fromkeys(ways) if bench.batch % way[1] == 0]
    return [_in_fresh_process(time_devices, bench, *way) for way in fitting]


def synthetic_structures(bench: Bench) -> list[Structure]:
    """The first batch of the benchmark, for other programs."""
    sampling = jax.jit(lambda key, source: sample_sites(key, source, bench.batch))
    sites, _ = sampling(bench.random_keys()[0], bench.source())
    sites = jax.tree.map(np.asarray, sites)
    return [
        sites_to_structure(jax.tree.map(lambda x, i=i: x[i], sites), f"synthetic {i}")
        for i in range(bench.batch)
    ]


def time_other_programs(
    bench: Bench, announce: Callable[[str], None]
) -> dict[str, Any]:
    """pymatgen and PyXtal doing the same work on one core."""
    structures = synthetic_structures(bench)
    ends_deg = (PAPER_GRID.two_theta_min_deg, PAPER_GRID.two_theta_max_deg)
    announce("pymatgen")
    pymatgen = _in_fresh_process(time_pymatgen, structures, CU_K_ALPHA, ends_deg)
    announce("PyXtal")
    few = structures[:_PYXTAL_CRYSTALS]
    pyxtal = _in_fresh_process(time_pyxtal, few, _PYXTAL_LIMIT_S)
    return {"pymatgen": pymatgen, "PyXtal": pyxtal}


def compare(stages: dict[str, Any], others: dict[str, Any]) -> list[dict[str, Any]]:
    """Crystals per second and core of this program and of others.

    The number of this program is that of one device, which is one core if it is a CPU.
    It does a little more than pymatgen, which computes no profile, and samples
    differently from PyXtal, which keeps atoms apart.
    """
    pairs = (
        ("patterns", "simulate_sites", "pymatgen", "peak lists", "crystals"),
        ("crystals", "draw and label check", "PyXtal", "crystals", "valid"),
    )
    rows = []
    for work, stage, program, other_work, successes in pairs:
        ours = stages[stage]["per_second"]
        theirs = others[program][successes] / others[program]["seconds"]
        rows.append(
            {
                "work": work,
                "program": program,
                "other_work": other_work,
                "xrdjax_per_core": ours,
                "other_per_core": theirs,
                "ratio": ours / theirs if theirs else None,
            }
        )
    return rows


def benchmark(bench: Bench, with_others: bool) -> dict[str, Any]:
    """Everything that is measured, ready for JSON.

    Args:
        bench: size of the batches, and repeats.
        with_others: measure pymatgen and PyXtal as well.
    """

    def announce(what: str) -> None:
        print(f"measuring {what} ...", file=sys.stderr, flush=True)

    numbers: dict[str, Any] = {
        "circumstances": circumstances(),
        "dtype": "float32",
        "batch": bench.batch,
        "repeats": bench.repeats,
        "points": PAPER_GRID.points,
    }
    announce("the generator's stages")
    if jax.default_backend() == "cpu":
        numbers |= _in_fresh_process(time_stages_on_one_core, bench)
        announce("memory, cores and devices")
        numbers["devices"] = time_all_devices(bench)
    else:
        numbers |= time_stages(bench)
        numbers["peak_device_mib"] = peak_device_mib()
    announce("measurements")
    numbers["measurements"] = _in_fresh_process(time_measurements, bench)
    announce("large crystals")
    numbers["scaling"] = time_scaling(bench)
    numbers["training"] = {}
    for variant in ("quick", "10", "50"):
        announce(f"a training step of configs/resnet.py:{variant}")
        training = _in_fresh_process(time_training, variant, bench.repeats)
        numbers["training"][variant] = training
    if with_others:
        numbers["others"] = time_other_programs(bench, announce)
        numbers["comparison"] = compare(numbers["stages"], numbers["others"])
    return numbers
