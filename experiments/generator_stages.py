"""Seconds of the generator by stages, on one device and on several."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float
from xrdjax.instrument.profiles import (
    ProfileGrid,
    broaden,
    normalise,
    profile_grid,
    scherrer_sigma,
)
from xrdjax.patterns.pipeline import (
    DEFAULT_SIMULATION,
    place_atoms,
    simulate_sites,
    sites_cost,
    synthetic_patterns,
)

from experiments.stopwatch import Timing, measure, peak_resident_mib, pin
from xrdjax.crystals.crystal import Crystal
from xrdjax.devices import AXIS, global_mesh, per_device
from xrdjax.diffraction.kernel import Simulation, chunk_reflections
from xrdjax.ops.chunks import map_in_chunks
from xrdjax.prior.prior import DEFAULT_LIMITS, Limits, Prior, make_prior
from xrdjax.prior.sampling import sample_crystals, sample_group_rows
from xrdjax.prior.sites import Sites

# Keys of the batches that the repeats take in turn.
SEED = 20


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
        return jax.random.split(jax.random.key(SEED), self.repeats)

    def tables(self) -> tuple[Prior, ProfileGrid]:
        """The generator's tables, on the device."""
        grid = profile_grid(self.simulation.diffractometer, *self.simulation.sizes_nm)
        return jax.device_put((make_prior(), grid))


def draw(
    key: Array, prior: Prior, bench: Bench
) -> tuple[Sites, Float[Array, " B"], dict[str, Array]]:
    """Crystals by the groups' frequencies, checked; their sizes; counts of draws."""
    group_key, crystal_key, size_key = jax.random.split(key, 3)
    groups = sample_group_rows(group_key, prior, bench.batch)
    sites, counts = sample_crystals(crystal_key, prior, groups, bench.limits)
    low, high = bench.simulation.sizes_nm
    sizes_nm = jax.random.uniform(size_key, (bench.batch,), minval=low, maxval=high)
    return sites, sizes_nm, vars(counts)


def place(sites: Sites, prior: Prior, bench: Bench) -> Float[Array, " B"]:
    """Places the atoms as `simulate_sites` does, and sums over them."""
    atoms, cost = sites_cost(sites, prior, bench.simulation)

    def stage(chunk):
        sites, atoms = chunk
        crystals = place_atoms(sites, prior, atoms, bench.limits.max_atoms)
        inside = crystals.occupancies[..., None] * crystals.positions
        return jnp.sum(inside, axis=(1, 2)) + jnp.sum(crystals.elements, axis=1)

    return map_in_chunks(
        stage, (sites, atoms), cost, bench.simulation.chunk_of(len(cost))
    )


def reflect(sites: Sites, prior: Prior, bench: Bench) -> Array:
    """Finds the reflections as `simulate_chunk` does, and sums over them."""
    _, cost = sites_cost(sites, prior, bench.simulation)

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
        found = chunk_reflections(crystals, bench.simulation)
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


def time_stages_on_one_core(bench: Bench) -> dict[str, Any]:
    """`time_stages` on one core; belongs in a process that has not used JAX yet."""
    pin(1)
    return time_stages(bench)


def time_devices(bench: Bench, cores: int, devices: int) -> dict[str, Any]:
    """Times the generator on so many cores, as so many devices that share the batch.

    Belongs in a process of its own, which has not used JAX yet: it settles how many
    cores and devices there are, and measures the memory of the process.
    """
    pin(cores)
    jax.config.update("jax_num_cpu_devices", devices)
    mesh = global_mesh()
    prior, grid = bench.tables()
    before = peak_resident_mib()

    def share(key, prior, grid):
        key = jax.random.fold_in(key, lax.axis_index(AXIS))
        patterns, _, _ = synthetic_patterns(
            key, prior, grid, bench.batch // devices, bench.simulation, bench.limits
        )
        return patterns

    mapped = per_device(share, mesh, PartitionSpec(), PartitionSpec(AXIS))
    timing = measure(
        mapped, [(k, prior, grid) for k in bench.random_keys()], bench.repeats
    )
    return timing.as_dict(bench.batch) | {
        "cores": cores,
        "devices": devices,
        "resident_before_mib": before,
        "resident_peak_mib": peak_resident_mib(),
    }
