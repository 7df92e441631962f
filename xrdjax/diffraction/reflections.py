"""Which reflections a crystal shows: each family once, with its multiplicity.

Miller indices are enumerated in the box that holds the Ewald sphere's range.
Of each family of symmetry-equivalent reflections (Friedel mates included) the
one with the largest (h, k, l) in lexicographic order is kept. That rule needs
the operations alone, so it holds in any setting of any space group.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from xrdjax.crystals.crystal import Crystal
from xrdjax.crystals.lattices import inverse_spacing
from xrdjax.diffraction.overflow import Overflow
from xrdjax.symmetry.space_groups import Symmetry

# An index is packed in ten bits, so that |h|, |k|, |l| < 512 and the order of
# packed keys is the lexicographic order of (h, k, l).
INDEX_LIMIT = 512
_KEY = (INDEX_LIMIT * INDEX_LIMIT * 4, INDEX_LIMIT * 2, 1)

# Candidates that are looked at together.
_CANDIDATES = 512
# Phases h.w are multiples of 1/24; anything farther from an integer is no rounding.
_FRACTION = 0.01


@struct.dataclass
class Box:
    """Range of Miller indices that can be in reach, one candidate per integer.

    Attributes:
        first: [3] smallest index of h, k, l.
        size: [3] number of values of h, k, l.
        count: [] candidates, the product of size.
        overflow: [] Overflow.INDICES when an index does not fit INDEX_LIMIT, else 0.
    """

    first: Int[Array, "3"]
    size: Int[Array, "3"]
    count: Int[Array, ""]
    overflow: Int[Array, ""]


@struct.dataclass
class Reflections:
    """One reflection of each family, padded to H.

    Attributes:
        keys: [H] packed Miller indices; 0 on padding (see `unpack_miller`).
        multiplicity: [H] reflections in the family, Friedel mates included;
            0 on padding, so that padding scatters nothing.
        count: [] reflections found.
        overflow: [] reasons (`Overflow`) why some are missing; 0 when none is.
    """

    keys: Int[Array, " H"]
    multiplicity: Float[Array, " H"]
    count: Int[Array, ""]
    overflow: Int[Array, ""]


def unpack_miller(keys: Int[Array, " H"]) -> Float[Array, "H 3"]:
    """Miller indices [H, 3], as exact floats, from packed keys [H]."""
    half = INDEX_LIMIT
    rest = keys + half * 2 * half + half  # all three indices made positive
    h = rest >> 20
    k = ((rest >> 10) & (2 * half - 1)) - half
    l = (rest & (2 * half - 1)) - half
    return jnp.stack([h, k, l], axis=-1).astype(jnp.float32)


def _laue_has(symmetry: Symmetry, signs: tuple[int, int, int]) -> Bool[Array, ""]:
    """Whether diag(signs) or its negative is a rotation: a mirror in k or l."""
    target = jnp.diag(jnp.array(signs, jnp.int32))
    equal = (symmetry.rotations == target[None]).all((-2, -1))
    opposite = (symmetry.rotations == -target[None]).all((-2, -1))
    return (equal | opposite).any()


def index_box(
    lattice: Float[Array | np.ndarray, "3 3"],
    symmetry: Symmetry,
    s_max: Float[Array, ""] | float,
) -> Box:
    """Box around all reflections with 1/d <= s_max that can represent a family.

    h = s . a, so |h| <= s_max |a|, and likewise for k and l. Friedel's law lets
    h start at 0; so do k and l where the Laue group has the mirror.

    Args:
        lattice: [3, 3] rows a, b, c, angstrom.
        symmetry: operations of the crystal's setting.
        s_max: [] largest 1/d, 1/angstrom.
    """
    lengths = jnp.sqrt(jnp.sum(lattice**2, axis=-1))
    # rounding must not lose an index that lies on the limit itself
    last = jnp.floor(lengths * s_max * (1 + 1e-6)).astype(jnp.int32)
    nonnegative = jnp.stack(
        [
            jnp.bool_(True),
            _laue_has(symmetry, (1, -1, 1)),
            _laue_has(symmetry, (1, 1, -1)),
        ]
    )
    overflow = jnp.where(jnp.any(last >= INDEX_LIMIT), Overflow.INDICES, 0)
    last = jnp.minimum(last, INDEX_LIMIT - 1)
    first = jnp.where(nonnegative, 0, -last)
    size = last - first + 1
    return Box(first=first, size=size, count=jnp.prod(size), overflow=overflow)


def _carry(
    digit: Int[Array, " H"], size: Int[Array, ""]
) -> tuple[Int[Array, " H"], Int[Array, " H"]]:
    """digit modulo size and digit // size, by float32, which vectorises.

    Exact below 2^22; a digit here is less than an index of the box and a block.
    """
    quotient = (digit.astype(jnp.float32) + 0.5) / size.astype(jnp.float32)
    carry = jnp.floor(quotient).astype(jnp.int32)
    return digit - carry * size, carry


def box_miller(box: Box, start: Int[Array, ""], block: int) -> Int[Array, "H 3"]:
    """Miller indices of the candidates start to start + block, l fastest."""
    row, l = jnp.divmod(start, box.size[2])
    h, k = jnp.divmod(row, box.size[1])
    l, carry = _carry(l + jnp.arange(block), box.size[2])
    k, carry = _carry(k + carry, box.size[1])
    return jnp.stack([h + carry, k, l], axis=-1) + box.first[None]


def family(
    miller: Int[Array, "H 3"], symmetry: Symmetry, order: Int[Array, ""] | int
) -> tuple[Bool[Array, " H"], Float[Array, " H"]]:
    """Whether each reflection stands for its family, and the family's size.

    A reflection h is equivalent to +-hW for every rotation W. It is absent if
    an operation (W, w) has hW = h while h.w is no integer, or if h.c is no
    integer for a centring vector c (International Tables A (2016), ch. 1.6).
    The multiplicity is 2 |P| / |{(W, +-): +-hW = h}|, P the point group.

    Args:
        miller: [H, 3] integer indices.
        symmetry: operations of the crystal's setting.
        order: [] operations to loop over; symmetry.order, or anything larger.

    Returns:
        kept [H]: h is the largest of its family, not (0, 0, 0), and present.
        multiplicity [H]: of its family, where kept.
    """
    h, k, l = miller[:, 0], miller[:, 1], miller[:, 2]
    key_vector = jnp.array(_KEY, jnp.int32)
    # the key is linear in h, so the key of hW is h . (W key_vector)
    equivalents = jnp.sum(symmetry.rotations * key_vector[None, None], axis=-1)
    # written out by component: short sums over the last axis do not vectorise
    key = h * key_vector[0] + k * key_vector[1] + l
    hf, kf, lf = (x.astype(jnp.float32) for x in (h, k, l))

    def is_fractional(w):
        phase = hf * w[0] + kf * w[1] + lf * w[2]
        return jnp.abs(phase - jnp.round(phase)) > _FRACTION

    def visit(g, carry):
        largest, stabilizer, absent = carry
        e = equivalents[g]
        image = h * e[0] + k * e[1] + l * e[2]
        magnitude = jnp.abs(image)
        fractional = is_fractional(symmetry.translations[g])
        return (
            jnp.maximum(largest, magnitude),
            stabilizer + (magnitude == key).astype(jnp.int32),
            absent | ((image == key) & fractional),
        )

    start = (key, jnp.zeros_like(key), jnp.zeros(key.shape, bool))
    largest, stabilizer, absent = lax.fori_loop(0, order, visit, start)
    for c in range(1, symmetry.centring.shape[-2]):
        absent |= is_fractional(symmetry.centring[c])
    kept = (key > 0) & (largest == key) & ~absent
    group_order = jnp.asarray(symmetry.order).astype(jnp.float32)
    return kept, 2 * group_order / jnp.maximum(stabilizer, 1).astype(jnp.float32)


def no_reflections(size: int) -> Reflections:
    """An empty list with room for `size` reflections."""
    return Reflections(
        keys=jnp.zeros(size, jnp.int32),
        multiplicity=jnp.zeros(size, jnp.float32),
        count=jnp.int32(0),
        overflow=jnp.int32(0),
    )


def append_reflections(
    found: Reflections,
    lattice: Float[Array, "3 3"],
    symmetry: Symmetry,
    box: Box,
    s_range: Float[Array, "2"],
    start: Int[Array, ""],
    order: Int[Array, ""],
    block: int,
) -> Reflections:
    """Looks at candidates start to start + block and appends those that are kept.

    Args:
        found: the list so far.
        lattice, symmetry: of the crystal.
        box: its candidates.
        s_range: [2] smallest and largest 1/d, 1/angstrom.
        start: [] first candidate.
        order: [] operations to loop over.
        block: number of candidates, static.
    """
    index = start + jnp.arange(block)
    miller = box_miller(box, start, block)
    s = inverse_spacing(miller.astype(jnp.float32), lattice)
    kept, multiplicity = family(miller, symmetry, order)
    kept &= (index < box.count) & (s >= s_range[0]) & (s <= s_range[1])
    size = found.keys.shape[0]
    slot = jnp.where(kept, found.count + jnp.cumsum(kept) - 1, size)
    count = found.count + jnp.sum(kept)
    keys = sum(miller[:, i] * _KEY[i] for i in range(3))
    return Reflections(
        keys=found.keys.at[slot].set(keys, mode="drop"),
        multiplicity=found.multiplicity.at[slot].set(multiplicity, mode="drop"),
        count=count,
        overflow=found.overflow | jnp.where(count > size, Overflow.REFLECTIONS, 0),
    )


def find_reflections(
    crystals: Crystal, s_range: Float[Array, "C 2"], size: int
) -> Reflections:
    """All reflection families of each crystal of a chunk with 1/d in its range, [C, H].

    The loop over blocks of candidates ends with the largest crystal of the chunk. No
    gradient flows: which reflections exist is decided at the given lattice.

    Args:
        crystals: with a leading axis C; only lattice and symmetry matter.
        s_range: [C, 2] smallest and largest 1/d, 1/angstrom.
        size: room H for reflections; `overflow` states when it was too small.
    """
    lattices, s_range = lax.stop_gradient((crystals.lattice, s_range))
    box = jax.vmap(index_box)(lattices, crystals.symmetry, s_range[:, 1])
    order = jnp.max(crystals.symmetry.order)

    def look(i, found):
        def append(found, lattice, symmetry, box, s_range):
            start = i * _CANDIDATES
            return append_reflections(
                found, lattice, symmetry, box, s_range, start, order, _CANDIDATES
            )

        return jax.vmap(append)(found, lattices, crystals.symmetry, box, s_range)

    count = lattices.shape[0]
    empty = jax.tree.map(
        lambda x: jnp.broadcast_to(x, (count, *x.shape)), no_reflections(size)
    )
    blocks = -(-jnp.max(box.count) // _CANDIDATES)
    found = lax.fori_loop(0, blocks, look, empty)
    return found.replace(overflow=found.overflow | box.overflow)
