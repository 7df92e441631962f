"""Rigaku RASX: a zip of profiles as text and of conditions as XML (SmartLab)."""

import re

import numpy as np

from xrdjax.measured.contents import Archive, as_text, number_of, parse_xml
from xrdjax.measured.pattern import Beam, NotReadable, Scan, make_beam

_PROFILE = re.compile(r"(?:.*/)?Data(\d+)/Profile\d+\.txt", re.IGNORECASE)
# Rigaku's own spelling, and the right one.
_CONDITIONS = re.compile(
    r"(?:.*/)?Data(\d+)/Mea?surementConditions\d+\.xml", re.IGNORECASE
)


def is_rasx(archive: Archive) -> bool:
    """Whether a zip is that of a RASX file."""
    return any(
        re.match(r"(?:.*/)?Data\d+/", name, re.IGNORECASE) for name in archive.names
    )


def read_rasx(archive: Archive) -> list[Scan]:
    """The scans of a RASX file, in the order of their numbers.

    Raises:
        NotReadable: it is damaged, or holds images.
    """
    profiles = _by_number(_PROFILE, archive)
    if not profiles:
        raise NotReadable(
            "holds no profile, as that of images does: export the integrated pattern "
            "as text"
        )
    conditions = _by_number(_CONDITIONS, archive)
    return [
        _scan(archive, name, conditions.get(number), number)
        for number, name in sorted(profiles.items())
    ]


def _by_number(pattern: re.Pattern[str], archive: Archive) -> dict[int, str]:
    found = ((pattern.fullmatch(name), name) for name in archive.names)
    return {int(match[1]): name for match, name in found if match}


def _scan(archive: Archive, profile: str, conditions: str | None, number: int) -> Scan:
    """One profile: two theta, intensity, factor of the attenuator."""
    text = as_text(archive.read(profile)) or ""
    try:
        rows = np.array([line.split() for line in text.splitlines() if line.strip()])
        table = rows.astype(np.float64)
    except ValueError as error:
        raise NotReadable(
            f"has a damaged profile ({str(error)[:60]}): export the pattern as text"
        ) from error
    if table.ndim != 2 or table.shape[1] < 2:
        raise NotReadable("has a profile without points: give a finished measurement")
    factor = table[:, 2] if table.shape[1] > 2 else 1.0
    axis, beam = None, Beam()
    if conditions is not None:
        root = parse_xml(archive.read(conditions))
        axis = root.findtext(".//ScanInformation/AxisName")
        beam = make_beam(
            "conditions of the measurement",
            number_of(root.findtext(".//WavelengthKalpha1")),
            _second(
                root.findtext(".//WaveType"), root.findtext(".//WavelengthKalpha2")
            ),
            anode=root.findtext(".//TargetName"),
        )
    about = f"rasx profile {number}"
    return Scan(table[:, 0], table[:, 1] * factor, axis=axis, beam=beam, about=about)


def _second(kind: str | None, wavelength: str | None) -> float | None:
    """K-alpha2, unless a monochromator has removed it."""
    return None if (kind or "").strip() == "Ka1" else number_of(wavelength)
