"""Philips RD and SD: binary, versions V3 and V5; counts are packed as square roots.

Offsets: 84 type, 85 anode, 214 step, 222 first and 230 last angle (little-endian
float64); then unsigned 16-bit numbers n, each n^2 / 100 counts, from 250 (V3) or 810
(V5), as the xylib library describes them.
"""

import struct

import numpy as np

from xrdjax.measured.pattern import NotReadable, Scan, evenly, make_beam

_STARTS = {b"V3RD": 250, b"V5RD": 810}
_ANODES = ("Cu", "Mo", "Fe", "Cr")


def is_philips_rd(data: bytes) -> bool:
    """Whether the first bytes are those of an RD file."""
    return data[:4] in _STARTS


def read_philips_rd(data: bytes) -> list[Scan]:
    """The one scan of an RD file.

    Raises:
        NotReadable: it is damaged.
    """
    start = _STARTS[data[:4]]
    if len(data) < start:
        raise NotReadable("is a cut rd file: copy it from the instrument again")
    step, first, last = struct.unpack_from("<3d", data, 214)
    if not (0 < step < 10 and -180 < first < last <= 180):
        raise NotReadable(
            f"is a damaged rd file (from {first:g} to {last:g} in steps of {step:g} "
            "degrees): copy it from the instrument again"
        )
    points = round((last - first) / step) + 1
    held = (len(data) - start) // 2
    if held < points:
        raise NotReadable(
            f"holds {held} of {points} points: copy it from the instrument again"
        )
    packed = np.frombuffer(data, "<u2", points, start)
    anode = _ANODES[data[85]] if data[85] < len(_ANODES) else None
    beam = make_beam("header", None, anode=anode)
    x = evenly(first, step, points)
    return [Scan(x, packed.astype(np.float64) ** 2 / 100, beam=beam, about="rd file")]
