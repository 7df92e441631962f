"""Patterns of synthetic crystals, sampled from the prior and never stored."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int, Key

from xrdjax.diffraction.capacity import Capacity
from xrdjax.instrument.measurement import Measurement, make_measurement
from xrdjax.patterns.batch import Batch
from xrdjax.patterns.generator import Crystals, capacity_for, measure_crystals
from xrdjax.prior.prior import DEFAULT_LIMITS, Limits, Prior, make_prior
from xrdjax.prior.sampling import sample_crystals, sample_group_rows
from xrdjax.prior.sites import Sites, atoms_of_sites, site_multiplicities
from xrdjax.prior.tables import Statistics


def describe_sites(sites: Sites, prior: Prior) -> Crystals:
    """A batch of sampled sites as crystals whose atoms are not placed yet."""
    multiplicities = jax.vmap(lambda one: site_multiplicities(one, prior))(sites)
    return Crystals(
        rows=sites,
        group_rows=sites.group_row,
        lattices=sites.lattice,
        symmetry=jax.tree.map(
            lambda x: jnp.asarray(x)[sites.space_group], prior.symmetry
        ),
        atoms=jnp.sum(multiplicities, axis=1, dtype=jnp.int32),
    )


def place_sites(
    sites: Sites, index: Int[Array, " K"], prior: Prior
) -> tuple[Float[Array, "C K 3"], Int[Array, "C K"], None, None]:
    """Atoms of each sampled crystal by their index, on full sites and at rest."""
    positions, elements = jax.vmap(lambda one: atoms_of_sites(one, prior, index))(sites)
    return positions, elements, None, None


@struct.dataclass
class SyntheticSource:
    """A `Source` of random crystals.

    Attributes:
        prior: statistics and tables.
        measurement: instruments, specimens and grid.
        limits: of the crystals; static.
        capacity: sizes of the buffers; static.
        uniform: all groups equally often, instead of by their frequency; static.
    """

    prior: Prior
    measurement: Measurement
    limits: Limits = struct.field(pytree_node=False)
    capacity: Capacity = struct.field(pytree_node=False)
    uniform: bool = struct.field(pytree_node=False, default=False)

    def sample(self, key: Key[Array, ""], size: int) -> Batch:
        """A batch of fresh crystals; the counts include the outcomes of the draws."""
        group_key, crystal_key, measurement_key = jax.random.split(key, 3)
        group_rows = sample_group_rows(
            group_key, self.prior, size, uniform=self.uniform
        )
        sites, counts = sample_crystals(
            crystal_key, self.prior, group_rows, self.limits
        )
        batch = self.measure(measurement_key, sites)
        return dataclasses.replace(batch, counts=vars(counts) | batch.counts)

    def measure(self, key: Key[Array, ""], sites: Sites) -> Batch:
        """The patterns of a batch of sampled crystals, each measured once."""
        return measure_crystals(
            key,
            describe_sites(sites, self.prior),
            lambda rows, index: place_sites(rows, index, self.prior),
            self.measurement,
            self.capacity,
            self.limits.max_atoms,
        )


def make_synthetic_source(
    statistics: Statistics | None = None,
    measurement: Measurement | None = None,
    limits: Limits = DEFAULT_LIMITS,
    *,
    uniform: bool = False,
    chunk: int = 0,
) -> SyntheticSource:
    """A source of random crystals; make it once, outside compiled functions.

    Example: `jax.jit(lambda key, source: source.sample(key, 64))(key, source)`

    Args:
        statistics: from `load_statistics`; the bundled ones by default.
        measurement: from `make_measurement`; the paper's by default.
        limits: of volume, sites, atoms and tries.
        uniform: all groups equally often, instead of by their frequency.
        chunk: crystals simulated together; 0 means what suits the backend.
    """
    measurement = make_measurement() if measurement is None else measurement
    return SyntheticSource(
        prior=make_prior(statistics),
        measurement=measurement,
        limits=limits,
        capacity=capacity_for(measurement, limits.max_volume, chunk=chunk),
        uniform=uniform,
    )
