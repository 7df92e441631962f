"""Seconds of the generator by stages, on one device and on several, and of training."""

import dataclasses
import runpy
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float, Int

from experiments.stopwatch import Timing, measure, peak_resident_mib, pin
from xrdjax.chunks import map_in_chunks
from xrdjax.config import make_generator, make_model
from xrdjax.crystals.crystal import Crystal
from xrdjax.crystals.prior import DEFAULT_LIMITS, Limits, Prior, make_prior
from xrdjax.crystals.sampling import draw_groups, sample_crystals
from xrdjax.crystals.sites import Sites
from xrdjax.crystals.statistics import load_statistics
from xrdjax.diffraction import batches
from xrdjax.diffraction.batches import Simulation, simulation_cost
from xrdjax.diffraction.profiles import (
    ProfileGrid,
    broaden,
    normalise,
    profile_grid,
    scherrer_sigma,
)
from xrdjax.pipeline import (
    DEFAULT_SIMULATION,
    _place_atoms,
    simulate_sites,
    synthetic_patterns,
)
from xrdjax.train_step import init_state, make_optimizer, make_train_steps

# Keys of the batches that the repeats take in turn.
_SEED = 20
# Diffractograms a training step of the full network where the device is a CPU.
_SMALL_BATCH = 16


@dataclasses.dataclass(frozen=True)
class Bench:
    """What all stages share.

    Attributes:
        batch: crystals B.
        repeats: measured runs of each stage.
        simulation, limits: settings of the generator.
    """

    batch: int
    repeats: int
    simulation: Simulation = DEFAULT_SIMULATION
    limits: Limits = DEFAULT_LIMITS

    def random_keys(self) -> Array:
        """One random key a repeat."""
        return jax.random.split(jax.random.key(_SEED), self.repeats)

    def tables(self) -> tuple[Prior, ProfileGrid]:
        """The generator's tables, on the device."""
        grid = profile_grid(self.simulation.diffractometer, *self.simulation.sizes_nm)
        return jax.device_put((make_prior(), grid))


def draw(
    key: Array, prior: Prior, bench: Bench
) -> tuple[Sites, Float[Array, " B"], dict[str, Array]]:
    """Crystals by the groups' frequencies, checked; their sizes; counts of draws."""
    group_key, crystal_key, size_key = jax.random.split(key, 3)
    groups = draw_groups(group_key, prior, bench.batch)
    sites, counts = sample_crystals(crystal_key, prior, groups, bench.limits)
    low, high = bench.simulation.sizes_nm
    sizes_nm = jax.random.uniform(size_key, (bench.batch,), minval=low, maxval=high)
    return sites, sizes_nm, vars(counts)


def _work(
    sites: Sites, prior: Prior, simulation: Simulation
) -> tuple[Int[Array, " B"], Float[Array, " B"]]:
    """Atoms [B] and cost [B] of crystals, by which `simulate_sites` sorts them."""

    def one(sites):
        table = jnp.asarray(prior.wyckoff.primitive_multiplicity)[sites.space_group]
        atoms = jnp.sum(jnp.where(sites.elements > 0, table[sites.letters], 0))
        symmetry = jax.tree.map(
            lambda x: jnp.asarray(x)[sites.space_group], prior.symmetry
        )
        cost = simulation_cost(
            sites.lattice, symmetry, atoms, simulation.diffractometer
        )
        return atoms, cost

    return jax.vmap(one)(sites)


def place(sites: Sites, prior: Prior, bench: Bench) -> Float[Array, " B"]:
    """Places the atoms as `simulate_sites` does, and sums over them."""
    atoms, cost = _work(sites, prior, bench.simulation)

    def stage(chunk):
        sites, atoms = chunk
        crystals = _place_atoms(sites, prior, atoms, bench.limits.max_atoms)
        inside = crystals.occupancies[..., None] * crystals.positions
        return jnp.sum(inside, axis=(1, 2)) + jnp.sum(crystals.elements, axis=1)

    return map_in_chunks(
        stage, (sites, atoms), cost, bench.simulation.chunk_of(len(cost))
    )


def reflect(sites: Sites, prior: Prior, bench: Bench) -> Array:
    """Finds the reflections as `simulate_chunk` does, and sums over them."""
    _, cost = _work(sites, prior, bench.simulation)

    def stage(sites):
        count = sites.lattice.shape[0]
        crystals = Crystal(
            lattice=sites.lattice,
            positions=jnp.zeros((count, 0, 3)),
            elements=jnp.zeros((count, 0), jnp.int32),
            occupancies=jnp.zeros((count, 0)),
            b_iso=jnp.zeros((count, 0)),
            symmetry=jax.tree.map(
                lambda x: jnp.asarray(x)[sites.space_group], prior.symmetry
            ),
        )
        found = batches._find(crystals, bench.simulation)
        return jnp.sum(found.keys, axis=1) + jnp.sum(found.multiplicity, axis=1)

    return map_in_chunks(stage, sites, cost, bench.simulation.chunk_of(len(cost)))


def profile(
    combs: Float[Array, "B M"],
    sizes_nm: Float[Array, " B"],
    grid: ProfileGrid,
    bench: Bench,
) -> Float[Array, "B T"]:
    """Broadens combs of lines as `simulate_chunk` does."""

    def stage(chunk):
        return jax.vmap(
            lambda comb, size: normalise(broaden(comb, scherrer_sigma(size), grid))
        )(*chunk)

    return map_in_chunks(
        stage, (combs, sizes_nm), sizes_nm, bench.simulation.chunk_of(len(sizes_nm))
    )


def time_stages(bench: Bench) -> dict[str, Any]:
    """Timings of each stage and of the whole; structure factors by difference."""
    prior, grid = bench.tables()
    batch, repeats = bench.batch, bench.repeats
    drawn = jax.jit(lambda key, prior: draw(key, prior, bench))
    keys = bench.random_keys()
    # measured before its first call, which would keep the compiled program
    drawing = measure(drawn, [(key, prior) for key in keys], repeats)
    found = [drawn(key, prior) for key in keys]
    sites = [(sites, prior) for sites, _, _ in found]
    combs = jnp.asarray(
        np.random.default_rng(0).random((batch, len(grid.skew)), np.float32)
    )
    timings: dict[str, Timing] = {
        "draw and label check": drawing,
        "placing atoms": measure(lambda s, p: place(s, p, bench), sites, repeats),
        "reflections": measure(lambda s, p: reflect(s, p, bench), sites, repeats),
        "profile": measure(
            lambda c, z, g: profile(c, z, g, bench),
            [(combs, sizes_nm, grid) for _, sizes_nm, _ in found],
            repeats,
        ),
        "simulate_sites": measure(
            lambda s, z, p, g: simulate_sites(
                s, z, p, g, bench.simulation, bench.limits
            ),
            [(s, sizes_nm, prior, grid) for s, sizes_nm, _ in found],
            repeats,
        ),
        "synthetic_patterns": measure(
            lambda k, p, g: synthetic_patterns(
                k, p, g, batch, bench.simulation, bench.limits
            ),
            [(key, prior, grid) for key in keys],
            repeats,
        ),
    }
    stages = {name: timing.as_dict(batch) for name, timing in timings.items()}
    parts = ("placing atoms", "reflections", "profile")
    rest = timings["simulate_sites"].median_s - sum(timings[p].median_s for p in parts)
    stages["structure factors"] = {
        "by_difference": True,
        "median_s": rest,
        "ms_each": 1000 * rest / batch,
    }
    counts = {name: int(sum(c[name] for *_, c in found)) for name in found[0][2]}
    return {"stages": stages, "draws": counts}


def time_devices(bench: Bench, cores: int, devices: int) -> dict[str, Any]:
    """Times the generator on so many cores, as so many devices that share the batch.

    Belongs in a process of its own, which has not used JAX yet: it settles how many
    cores and devices there are, and measures the memory of the process.
    """
    pin(cores)
    jax.config.update("jax_num_cpu_devices", devices)
    mesh = jax.make_mesh(
        (devices,), ("devices",), axis_types=(jax.sharding.AxisType.Auto,)
    )
    prior, grid = bench.tables()
    before = peak_resident_mib()

    def share(key, prior, grid):
        key = jax.random.fold_in(key, lax.axis_index("devices"))
        patterns, _, _ = synthetic_patterns(
            key, prior, grid, bench.batch // devices, bench.simulation, bench.limits
        )
        return patterns

    mapped = jax.shard_map(
        share,
        mesh=mesh,
        in_specs=PartitionSpec(),
        out_specs=PartitionSpec("devices"),
        check_vma=False,
    )
    timing = measure(
        mapped, [(k, prior, grid) for k in bench.random_keys()], bench.repeats
    )
    return timing.as_dict(bench.batch) | {
        "cores": cores,
        "devices": devices,
        "resident_before_mib": before,
        "resident_peak_mib": peak_resident_mib(),
    }


def time_training(variant: str, repeats: int) -> dict[str, Any]:
    """Times one training step of configs/resnet.py, and its generator alone.

    Args:
        variant: of the configuration, "quick" or a depth.
        repeats: measured steps.
    """
    path = Path(__file__).parents[1] / "configs" / "resnet.py"
    config = runpy.run_path(str(path))["get_config"](variant)
    statistics = load_statistics()
    groups = len(statistics.space_groups)
    batch = config.batch_size or groups
    if jax.default_backend() == "cpu" and variant != "quick":
        batch = _SMALL_BATCH
    model = make_model(config, outputs=groups)
    optimizer = make_optimizer(**config.optimizer)
    mesh = jax.make_mesh(
        (1,),
        ("devices",),
        axis_types=(jax.sharding.AxisType.Auto,),
        devices=jax.local_devices()[:1],
    )
    state = init_state(config.seed, model, optimizer, config.points, mesh)
    generate, tables = make_generator(config, statistics)
    tables = jax.device_put(tables)
    keys = jax.random.split(jax.random.key(_SEED), repeats)
    generator = measure(
        lambda key, tables: generate(key, tables, batch),
        [(key, tables) for key in keys],
        repeats,
    )
    steps = make_train_steps(model, optimizer, generate, mesh, batch, steps=1)
    training = measure(steps, [(state, tables)], repeats, donate=True)
    return training.as_dict(batch) | {
        "points": config.points,
        "dtype": jnp.dtype(model.dtype).name,
        "generator": generator.as_dict(batch),
        "generator_share": generator.median_s / training.median_s,
    }
