"""Bruker and Siemens RAW: binary, versions 1, 3 (RAW1.01) and 4 (RAW4.00).

Little-endian. The places of the values follow the appendix of the DIFFRAC plus XCH
manual, as the xylib library (versions 1 and 3) and the geddes package (version 4) give
them.
"""

import struct

import numpy as np
from jaxtyping import Float

from xrdjax.measured.pattern import Beam, NotReadable, Scan, evenly, make_beam

# Types of scans of version 3, by number.
_SCAN_TYPES = {
    0: "locked coupled",
    1: "unlocked coupled",
    2: "detector scan",
    3: "rocking curve",
    4: "khi",
    5: "phi",
    6: "x",
    7: "y",
    8: "z",
}
_FIRST_3, _FIRST_4 = 712, 61  # lengths of the file headers
_RANGE_4 = 160  # length of the header of a range of version 4
_MOST_RANGES = 1000


def is_bruker_raw(data: bytes) -> bool:
    """Whether the first bytes are those of a RAW file."""
    return data.startswith((b"RAW ", b"RAW2", b"RAW1.01", b"RAW4.00"))


def read_bruker_raw(data: bytes) -> list[Scan]:
    """The ranges of a RAW file.

    Raises:
        NotReadable: it is damaged, or of version 2.
    """
    if data.startswith(b"RAW2"):
        raise NotReadable(
            "is a raw file of version 2, expected 1, 3 or 4: convert it to text or to "
            "a newer raw with the program XCH or EVA"
        )
    read = {b"RAW ": _version_1, b"RAW1": _version_3, b"RAW4": _version_4}[data[:4]]
    try:
        return read(data)
    except struct.error as error:
        raise NotReadable(
            f"is a cut raw file ({error}): copy it from the instrument again"
        ) from error


def _counts(data: bytes, place: int, points: int, size: int) -> Float[np.ndarray, " R"]:
    """The first float32 of each of so many records of a size."""
    if size < 4 or points < 0 or place + points * size > len(data):
        raise NotReadable(
            f"holds fewer than the {points} points that its header states: copy it "
            "from the instrument again"
        )
    records = np.frombuffer(data, np.uint8, points * size, place).reshape(points, size)
    with np.errstate(invalid="ignore"):  # damage: refused with all that is not finite
        return records[:, :4].copy().view("<f4")[:, 0].astype(np.float64)


def _version_1(data: bytes) -> list[Scan]:
    scans: list[Scan] = []
    place, more = 0, 1
    while more and len(scans) < _MOST_RANGES:
        if data[place : place + 4] == b"RAW ":
            place += 4
        points, _, step = struct.unpack_from("<Iff", data, place)
        (start,) = struct.unpack_from("<f", data, place + 20)
        alpha1, alpha2 = struct.unpack_from("<ff", data, place + 68)
        (more,) = struct.unpack_from("<I", data, place + 148)
        intensity = _counts(data, place + 152, points, 4)
        scans.append(
            Scan(
                _angles(start, step, points),
                intensity,
                beam=make_beam("raw header", _rounded(alpha1), _rounded(alpha2)),
                about=f"raw 1 range {len(scans) + 1}",
            )
        )
        place += 152 + 4 * points
    return scans


def _version_3(data: bytes) -> list[Scan]:
    (ranges,) = struct.unpack_from("<I", data, 12)
    beam = _beam(data, 624, data[608:612])
    scans: list[Scan] = []
    place = _FIRST_3
    for number in range(1, min(ranges, _MOST_RANGES) + 1):
        header, points = struct.unpack_from("<II", data, place)
        (start,) = struct.unpack_from("<d", data, place + 16)
        (step,) = struct.unpack_from("<d", data, place + 176)
        (kind,) = struct.unpack_from("<I", data, place + 196)
        size, extra = struct.unpack_from("<II", data, place + 252)
        place += header + extra
        intensity = _counts(data, place, points, size or 4)
        place += points * (size or 4)
        axis = _SCAN_TYPES.get(kind)
        about = f"raw 3 range {number}"
        x = _angles(start, step, points)
        scans.append(Scan(x, intensity, axis=axis, beam=beam, about=about))
    return scans


def _version_4(data: bytes) -> list[Scan]:
    scans: list[Scan] = []
    beam, place = Beam(), _FIRST_4
    while place + 8 <= len(data) and len(scans) < _MOST_RANGES:
        kind, length = struct.unpack_from("<II", data, place)
        if kind in (0, 160):
            if place + _RANGE_4 > len(data):
                break  # padding at the end
            scan, place = _range_4(data, place, beam, len(scans) + 1)
            scans.append(scan)
            continue
        if length < 8:
            raise NotReadable(
                "is a damaged raw file: copy it from the instrument again"
            )
        if kind == 30:
            beam = _beam(data, place + 80, data[place + 116 : place + 120])
        place += length
    return scans


def _range_4(data: bytes, place: int, beam: Beam, number: int) -> tuple[Scan, int]:
    """One range of version 4, and where the next one begins."""
    axis = data[place + 32 : place + 56].split(b"\0")[0].decode("latin-1").strip()
    start, step = struct.unpack_from("<dd", data, place + 72)
    (points,) = struct.unpack_from("<I", data, place + 88)
    size, extra = struct.unpack_from("<II", data, place + 136)
    place += _RANGE_4 + extra
    intensity = _counts(data, place, points, size)
    about = f"raw 4 range {number}"
    x = _angles(start, step, points)
    scan = Scan(x, intensity, axis=axis or None, beam=beam, about=about)
    return scan, place + points * size


def _angles(start: float, step: float, points: int) -> Float[np.ndarray, " R"]:
    """Angles of a range, from numbers that single precision may have rounded."""
    if not np.isfinite([start, step]).all():
        raise NotReadable("is a damaged raw file: copy it from the instrument again")
    return evenly(_rounded(start), _rounded(step), points)


def _beam(data: bytes, place: int, anode: bytes) -> Beam:
    """The radiation: K-alpha1, K-alpha2, K-beta and the ratio of the first two."""
    alpha1, alpha2, _, ratio = struct.unpack_from("<4d", data, place)
    name = anode.decode("latin-1")
    return make_beam("raw header", _rounded(alpha1), _rounded(alpha2), ratio, name)


def _rounded(value: float) -> float:
    """The shortest decimal of what single precision has rounded, such as 1.5406."""
    with np.errstate(over="ignore", invalid="ignore"):
        single = np.float32(value)
    return float(str(single)) if float(single) == value else float(value)
