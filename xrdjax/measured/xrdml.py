"""PANalytical XRDML: XML of scans, intensities corrected for attenuation or counts.

XRDML schema 1.0 to 2.1 (www.xrdml.com).
"""

from xml.etree.ElementTree import Element

import numpy as np
from jaxtyping import Float

from xrdjax.measured.contents import number_of, parse_xml
from xrdjax.measured.pattern import Beam, NotReadable, Scan, make_beam


def read_xrdml(data: bytes) -> list[Scan]:
    """The scans of an XRDML file.

    Raises:
        NotReadable: it is other XML, is damaged, or is the map of an area.
    """
    root = parse_xml(data)
    if root.tag != "xrdMeasurements":
        raise NotReadable(
            f"is XML of {root.tag!r}, expected 'xrdMeasurements' (PANalytical xrdml): "
            "export the pattern as xrdml or as text"
        )
    scans = []
    for measurement in root.iter("xrdMeasurement"):
        kind = measurement.get("measurementType", "Scan")
        beam = _beam(measurement)
        for scan in measurement.iter("scan"):
            scans.append(_scan(scan, beam, kind))
    return scans


def _beam(measurement: Element) -> Beam:
    """The radiation of a measurement."""
    used = measurement.find("usedWavelength")
    anode = measurement.findtext(".//anodeMaterial")
    if used is None:
        return make_beam("anodeMaterial", None, anode=anode)
    return make_beam(
        "usedWavelength",
        number_of(used.findtext("kAlpha1")),
        number_of(used.findtext("kAlpha2")),
        number_of(used.findtext("ratioKAlpha2KAlpha1")),
        anode,
    )


def _scan(scan: Element, beam: Beam, kind: str) -> Scan:
    """One scan, whatever it measured."""
    axis = scan.get("scanAxis")
    points = scan.find("dataPoints")
    if points is None:
        raise NotReadable("holds a scan without points: give a finished measurement")
    intensity = _intensities(points)
    refusal = None
    if "area" in kind.lower():
        refusal = (
            f"is the map of an area ({kind!r}), expected one scan of two theta: give a "
            "powder pattern"
        )
    x = _angles(points, len(intensity))
    if x is None:
        axis = axis or "unknown"
        x = np.arange(len(intensity), dtype=np.float64)
        refusal = refusal or (
            f"does not move two theta (scan axis {axis!r}): give a powder pattern, "
            "not a rocking curve"
        )
    about = f"xrdml scan of {axis}"
    return Scan(x, intensity, axis=axis, beam=beam, about=about, refusal=refusal)


def _angles(points: Element, count: int) -> Float[np.ndarray, " R"] | None:
    """Two theta of each point; None where it stands still."""
    for positions in points.iter("positions"):
        if positions.get("axis") != "2Theta":
            continue
        if (listed := positions.findtext("listPositions")) is not None:
            return _values(listed, count, "positions")
        first = number_of(positions.findtext("startPosition"))
        last = number_of(positions.findtext("endPosition"))
        if first is not None and last is not None:
            return np.linspace(first, last, count)
    return None


def _intensities(points: Element) -> Float[np.ndarray, " R"]:
    """Intensities; counts are corrected for attenuation and for the time of a step."""
    text = points.findtext("intensities")
    corrected = text is not None
    text = points.findtext("counts") if text is None else text
    if not (text or "").strip():
        raise NotReadable("holds a scan without intensities: give a finished one")
    values = _values(text or "", None, "intensities")
    factors = points.findtext("beamAttenuationFactors")
    if factors and not corrected:
        values = values * _values(factors, len(values), "beamAttenuationFactors")
    times = points.findtext("countingTimes")
    if times:
        seconds = _values(times, len(values), "countingTimes")
        if (seconds > 0).all():
            values = values * (seconds.mean() / seconds)
    return values


def _values(text: str, count: int | None, what: str) -> Float[np.ndarray, " R"]:
    """The numbers of a list, as many as expected."""
    try:
        values = np.array(text.split(), dtype=np.float64)
    except ValueError as error:
        raise NotReadable(
            f"holds {what} that are no numbers ({error}): export the pattern again"
        ) from error
    if count is not None and len(values) != count:
        raise NotReadable(
            f"holds {len(values)} {what} for {count} intensities, expected as many: "
            "export the pattern again"
        )
    return values
