"""Seconds of the generator by stages, on one device and on several.

Each stage calls the functions of the package that a source of synthetic crystals calls,
in the same chunks; its result depends on all of its work, so that the compiler removes
none of it.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float, Int, Key

from experiments.throughput.stopwatch import Timing, measure, peak_resident_mib, pin
from xrdjax.crystals.crystal import Crystal
from xrdjax.devices import AXIS, global_mesh, per_device
from xrdjax.diffraction.capacity import simulation_cost
from xrdjax.diffraction.peaks import pattern_of_combs, s_range_of
from xrdjax.diffraction.reflections import find_reflections
from xrdjax.instrument.instrument import Instrument
from xrdjax.instrument.specimen import Specimen
from xrdjax.ops.chunks import map_in_chunks
from xrdjax.patterns.batch import Batch
from xrdjax.patterns.generator import Crystals, place_atoms
from xrdjax.patterns.synthetic import (
    SyntheticSource,
    describe_sites,
    make_synthetic_source,
    place_sites,
)
from xrdjax.prior.file import load_statistics
from xrdjax.prior.sampling import sample_crystals, sample_group_rows
from xrdjax.prior.sites import Sites

# Seed of the batches that the repeats use in turn.
SEED = 20


@dataclasses.dataclass(frozen=True)
class Bench:
    """Settings that all stages share.

    Attributes:
        batch: number of crystals B.
        repeats: measured runs of each stage.
    """

    batch: int
    repeats: int

    def random_keys(self) -> Key[Array, " R"]:
        """One random key a repeat."""
        return jax.random.split(jax.random.key(SEED), self.repeats)

    def source(self) -> SyntheticSource:
        """The paper's source of synthetic crystals, on the device."""
        return jax.device_put(make_synthetic_source(load_statistics(min_crystals=50)))


def sample_sites(
    key: Key[Array, ""], source: SyntheticSource, batch: int
) -> tuple[Sites, dict[str, Array]]:
    """Crystals by the groups' frequencies, with checked symmetry; counts of draws."""
    # split as in the source, so that the crystals are those of the whole generator
    group_key, crystal_key, _ = jax.random.split(key, 3)
    rows = sample_group_rows(group_key, source.prior, batch)
    sites, counts = sample_crystals(crystal_key, source.prior, rows, source.limits)
    return sites, vars(counts)


def _cost(crystals: Crystals, source: SyntheticSource) -> Float[Array, " B"]:
    return jax.vmap(simulation_cost, in_axes=(0, 0, 0, None))(
        crystals.lattices, crystals.symmetry, crystals.atoms, source.measurement.s_max
    )


def place(sites: Sites, source: SyntheticSource) -> Float[Array, " B"]:
    """Places the atoms of crystals, and sums over their coordinates and elements."""
    crystals = describe_sites(sites, source.prior)

    def stage(chunk):
        placed = place_atoms(
            chunk,
            lambda rows, index: place_sites(rows, index, source.prior),
            source.limits.max_atoms,
        )
        inside = placed.occupancies[..., None] * placed.positions
        elements = jnp.sum(placed.elements, axis=1)
        return jnp.sum(inside, axis=(1, 2)) + elements.astype(jnp.float32)

    cost = _cost(crystals, source)
    return map_in_chunks(stage, crystals, cost, source.capacity.chunk_of(len(cost)))


def reflect(
    sites: Sites, instruments: Instrument, source: SyntheticSource
) -> tuple[Float[Array, " B"], Int[Array, " B"]]:
    """Finds the reflections of crystals, and sums over multiplicities and indices."""
    crystals = describe_sites(sites, source.prior)
    u_range = source.measurement.peaks.u_range

    def stage(chunk):
        crystals, instruments = chunk
        count = crystals.lattices.shape[0]
        without_atoms = Crystal(
            lattice=crystals.lattices,
            positions=jnp.zeros((count, 0, 3)),
            elements=jnp.zeros((count, 0), jnp.int32),
            occupancies=jnp.zeros((count, 0)),
            symmetry=crystals.symmetry,
        )
        s_range = jax.vmap(lambda one: s_range_of(one, u_range))(instruments)
        found = find_reflections(
            without_atoms, s_range, source.capacity.max_reflections
        )
        return jnp.sum(found.multiplicity, axis=1), jnp.sum(found.keys, axis=1)

    cost = _cost(crystals, source)
    chunk = source.capacity.chunk_of(len(cost))
    return map_in_chunks(stage, (crystals, instruments), cost, chunk)


def profile(
    combs: Float[Array, "B M"],
    instruments: Instrument,
    specimens: Specimen,
    source: SyntheticSource,
) -> Float[Array, "B T"]:
    """Patterns from combs of lines, of one emission line each."""

    def stage(chunk):
        return jax.vmap(
            lambda comb, instrument, specimen: pattern_of_combs(
                (comb,), instrument, specimen, source.measurement.peaks, None
            )
        )(*chunk)

    sizes_nm = specimens.size_nm
    chunk = source.capacity.chunk_of(len(sizes_nm))
    patterns, _ = map_in_chunks(stage, (combs, instruments, specimens), sizes_nm, chunk)
    return patterns


def simulate_sites(key: Key[Array, ""], sites: Sites, source: SyntheticSource) -> Batch:
    """Everything after the sampling: from occupied sites to patterns."""
    return source.measure(key, sites)


def synthetic_patterns(
    key: Key[Array, ""], source: SyntheticSource, batch: int
) -> Batch:
    """The whole generator: from a random key to patterns."""
    return source.sample(key, batch)


def _time_parts(
    keys: Key[Array, " R"],
    sites: list[Sites],
    source: SyntheticSource,
    bench: Bench,
) -> dict[str, Timing]:
    """Timings of everything after the sampling, by parts and as a whole."""
    measured = [source.measurement.sample(key, bench.batch) for key in keys]
    nodes = len(source.measurement.peaks.skew)
    random = np.random.default_rng(0).random((bench.batch, nodes), np.float32)
    combs = jnp.asarray(random)
    repeats = bench.repeats
    return {
        "placing atoms": measure(place, [(one, source) for one in sites], repeats),
        "reflections": measure(
            reflect,
            [
                (one, instruments, source)
                for one, (instruments, _) in zip(sites, measured, strict=True)
            ],
            repeats,
        ),
        "profile": measure(
            profile, [(combs, *both, source) for both in measured], repeats
        ),
        "simulate_sites": measure(
            simulate_sites,
            [(key, one, source) for key, one in zip(keys, sites, strict=True)],
            repeats,
        ),
    }


def _structure_factors(timings: dict[str, Timing], batch: int) -> dict[str, Any]:
    """Time of the structure factors: what remains after the other stages."""
    others = ("placing atoms", "reflections", "profile")
    rest = timings["simulate_sites"].median_s
    rest -= sum(timings[name].median_s for name in others)
    return {"by_difference": True, "median_s": rest, "ms_each": 1000 * rest / batch}


def time_stages(bench: Bench) -> dict[str, Any]:
    """Timings of each stage and of the whole; structure factors by difference."""
    source, batch, keys = bench.source(), bench.batch, bench.random_keys()
    sampling = jax.jit(lambda key, source: sample_sites(key, source, batch))
    whole = jax.jit(lambda key, source: synthetic_patterns(key, source, batch))
    inputs = [(key, source) for key in keys]
    # measured before its first call, which would keep the compiled program
    timings = {"draw and label check": measure(sampling, inputs, bench.repeats)}
    found = [sampling(*one) for one in inputs]
    timings |= _time_parts(keys, [sites for sites, _ in found], source, bench)
    timings["synthetic_patterns"] = measure(whole, inputs, bench.repeats)
    stages = {name: timing.as_dict(batch) for name, timing in timings.items()}
    stages["structure factors"] = _structure_factors(timings, batch)
    names = found[0][1]
    draws = {name: int(sum(counts[name] for _, counts in found)) for name in names}
    return {"stages": stages, "draws": draws}


def time_stages_on_one_core(bench: Bench) -> dict[str, Any]:
    """`time_stages` on one core; to be called in a process that has not used JAX."""
    pin(1)
    return time_stages(bench)


def time_devices(bench: Bench, cores: int, devices: int) -> dict[str, Any]:
    """Times the generator on some cores, as some devices that share the batch.

    To be called in a process of its own, which has not used JAX yet: it sets the number
    of cores and devices, and measures the memory of the process.
    """
    pin(cores)
    jax.config.update("jax_num_cpu_devices", devices)
    mesh = global_mesh()
    source = bench.source()
    before = peak_resident_mib()

    def share(key, source):
        key = jax.random.fold_in(key, lax.axis_index(AXIS))
        return synthetic_patterns(key, source, bench.batch // devices).patterns

    mapped = per_device(share, mesh, PartitionSpec(), PartitionSpec(AXIS))
    timing = measure(
        mapped, [(key, source) for key in bench.random_keys()], bench.repeats
    )
    return timing.as_dict(bench.batch) | {
        "cores": cores,
        "devices": devices,
        "resident_before_mib": before,
        "resident_peak_mib": peak_resident_mib(),
    }
