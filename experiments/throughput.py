"""How fast crystals are drawn, simulated and learned from; beside other programs.

    python -m experiments.throughput --compare --out=FILE.json --figure=FILE.png

Every figure is the median of the repeats after a first run, compilation apart, at the
paper's settings (8501 points from 5 to 90 degrees, the bundled statistics). The
repeats go through several batches of random crystals, the same for every stage. On a
CPU the stages are measured on one core, in a process of their own; others measure
memory, one core against all, and whether several virtual devices that share the batch
beat one that uses all cores. With --compare, pymatgen and PyXtal do the same work on
one core.

Nothing else should run on the machine meanwhile: the load before the start is printed.
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.crystal_scaling import time_scaling
from experiments.generator_stages import (
    Bench,
    draw,
    time_devices,
    time_stages,
    time_stages_on_one_core,
)
from experiments.other_programs import time_pymatgen, time_pyxtal
from experiments.stopwatch import circumstances, cores, peak_device_mib
from experiments.throughput_figure import STAGES, draw_throughput
from experiments.training_step import time_training
from xrdjax.crystals.crystal import Structure
from xrdjax.errors import InputError, exit_on_input_error
from xrdjax.prior.sites import sites_to_structure

# PyXtal: crystals that are asked for, and seconds after which one is given up.
_PYXTAL_CRYSTALS = 48
_PYXTAL_LIMIT_S = 10


def _apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in a fresh process, so that JAX starts anew there."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def time_all_devices(bench: Bench) -> list[dict[str, Any]]:
    """The generator on one core, on all as one device, and as a device each."""
    everything = cores()
    ways = [(1, 1), (everything, 1), (everything, everything)]
    fitting = [way for way in dict.fromkeys(ways) if bench.batch % way[1] == 0]
    return [_apart(time_devices, bench, *way) for way in fitting]


def drawn_structures(bench: Bench) -> list[Structure]:
    """The first batch of the benchmark, for other programs."""
    prior, _ = bench.tables()
    sites, _, _ = jax.jit(lambda key, prior: draw(key, prior, bench))(
        bench.random_keys()[0], prior
    )
    sites = jax.tree.map(np.asarray, sites)
    return [
        sites_to_structure(jax.tree.map(lambda x, i=i: x[i], sites), f"drawn {i}")
        for i in range(bench.batch)
    ]


def compare(stages: dict[str, Any], others: dict[str, Any]) -> list[dict[str, Any]]:
    """Crystals a second of each core: this program's beside others'.

    This program's figure is that of one device, which is one core if it is a CPU.
    What it does is a little more than what pymatgen does, which forms no profile, and
    the drawing differs from PyXtal's, which keeps atoms at a distance.
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
    """Everything that is measured, as for JSON."""

    def tell(what: str) -> None:
        print(f"measuring {what} ...", file=sys.stderr, flush=True)

    numbers: dict[str, Any] = {
        "circumstances": circumstances(),
        "dtype": "float32",
        "batch": bench.batch,
        "repeats": bench.repeats,
        "points": bench.simulation.diffractometer.points,
    }
    tell("the generator's stages")
    if jax.default_backend() == "cpu":
        numbers |= _apart(time_stages_on_one_core, bench)
        tell("memory, cores and devices")
        numbers["devices"] = time_all_devices(bench)
    else:
        numbers |= time_stages(bench)
        numbers["peak_device_mib"] = peak_device_mib()
    tell("large crystals")
    numbers["scaling"] = time_scaling(bench)
    numbers["training"] = {}
    for variant in ("quick", "10", "50"):
        tell(f"a training step of configs/resnet.py:{variant}")
        numbers["training"][variant] = _apart(time_training, variant, bench.repeats)
    if with_others:
        structures = drawn_structures(bench)
        tell("pymatgen")
        others = {
            "pymatgen": _apart(
                time_pymatgen, structures, bench.simulation.diffractometer
            )
        }
        tell("PyXtal")
        few = structures[:_PYXTAL_CRYSTALS]
        others["PyXtal"] = _apart(time_pyxtal, few, _PYXTAL_LIMIT_S)
        numbers["others"] = others
        numbers["comparison"] = compare(numbers["stages"], others)
    return numbers


def _generator_table(numbers: dict[str, Any]) -> list[str]:
    stages = numbers["stages"]
    whole = stages["synthetic_patterns"]["median_s"]
    lines = [f"{'stage':28}{'ms / crystal':>14}{'share':>9}{'compile / s':>13}"]
    for name in (*STAGES, "simulate_sites", "synthetic_patterns"):
        row = stages[name]
        compiled = f"{row['compile_s']:.1f}" if "compile_s" in row else "difference"
        share = row["median_s"] / whole
        lines.append(f"{name:28}{row['ms_each']:14.3f}{share:9.1%}{compiled:>13}")
    speed = stages["synthetic_patterns"]["per_second"]
    lines.append(f"patterns: {speed:,.0f} / s, {speed * 3600:,.0f} / h")
    if numbers.get("peak_device_mib") is not None:
        lines.append(f"most memory of the device: {numbers['peak_device_mib']:.0f} MiB")
    return lines


def _devices_table(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        f"\n{'cores':>6}{'devices':>9}{'patterns / s':>14}{'peak memory / MiB':>19}"
    ]
    for row in rows:
        peak = row["resident_peak_mib"]
        memory = "unknown" if peak is None else f"{peak:.0f}"
        lines.append(
            f"{row['cores']:6}{row['devices']:9}{row['per_second']:14,.0f}{memory:>19}"
        )
    return lines


def table(numbers: dict[str, Any]) -> str:
    """The numbers in lines of text."""
    on = numbers["circumstances"]
    load = "unknown" if on["load_before"] is None else f"{on['load_before']:.1f}"
    machine = f"{on['device']} ({on['platform']}), {on['cores']} cores"
    settings = f"float32, batch {numbers['batch']}, {numbers['points']} points"
    columns = f"{'training':10}{'batch':>7}{'points':>8}{'dtype':>10}{'ms / step':>11}"
    lines = [
        f"{machine}, {on['devices']} device(s), load before {load}",
        f"{settings}, median of {numbers['repeats']}",
        f"jax {on['jax']}, commit {on['commit']}\n",
        *_generator_table(numbers),
        *_devices_table(numbers.get("devices", [])),
        f"\n{columns}{'patterns / s':>14}{'generator':>11}{'floor':>8}{'compile / s':>13}",
    ]
    for name, row in numbers["training"].items():
        lines.append(
            f"{name:10}{row['batch']:7}{row['points']:8}{row['dtype']:>10}"
            f"{1000 * row['step_s']:11.0f}{row['per_second']:14,.0f}"
            f"{row['generator_share']:11.1%}{row['floor_share']:8.1%}"
            f"{row['compile_s']:13.1f}"
        )
    lines.append(
        "generator: its share of the step's time; floor: that of the network's "
        "operations,\nat the speed of a plain matrix product, in the time of the rest"
    )
    lines.append("\ntime for a crystal grows as a power of its size")
    for curve in numbers["scaling"]:
        ends = f"{curve['ms_each'][0]:.3f} to {curve['ms_each'][-1]:.3f} ms"
        span = f"{curve['against']} {curve['x'][0]} to {curve['x'][-1]}"
        lines.append(
            f"{curve['symbol']:9}{span:22}{ends:>24}: power {curve['slope']:.2f}, "
            f"of the last three {curve['last_slope']:.2f}"
        )
    for row in numbers.get("comparison", []):
        ratio = "no crystal" if row["ratio"] is None else f"{row['ratio']:,.0f} times"
        lines.append(
            f"\n{row['work']} / s of one core or device: {row['xrdjax_per_core']:,.1f}; "
            f"{row['program']}, {row['other_work']}: {row['other_per_core']:,.2f} "
            f"({ratio})"
        )
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.throughput",
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--compare", action="store_true", help="measure pymatgen and PyXtal as well")
    add("--out", help="file for all numbers, .json")
    add("--figure", help="figure to write, .png")
    add("--batch", type=int, default=512, help="crystals of one run of the generator")
    add("--repeats", type=int, default=5, help="measured runs, of which the median")
    return parser


def run(args: argparse.Namespace) -> None:
    """Checks, measures, prints and writes."""
    for name in ("batch", "repeats"):
        if getattr(args, name) < 1:
            raise InputError(f"--{name} is {getattr(args, name)}: expected 1 or more")
    for name in ("out", "figure"):
        path = getattr(args, name)
        if path and not Path(path).parent.is_dir():
            raise InputError(f"the folder of --{name}={path!r} does not exist: make it")
    numbers = benchmark(Bench(args.batch, args.repeats), args.compare)
    print(table(numbers))
    if args.out:
        text = json.dumps(numbers, indent=1)
        Path(args.out).write_text(text + "\n", encoding="utf-8")
    if args.figure:
        draw_throughput(numbers, args.figure)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command."""
    args = _parser().parse_args(argv)
    with exit_on_input_error():
        run(args)


if __name__ == "__main__":
    main()
