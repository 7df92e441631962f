"""Bruker BRML: a zip of XML, one RawData*.xml for each scan (DIFFRAC.SUITE)."""

import re
from xml.etree.ElementTree import Element

import numpy as np
from jaxtyping import Float

from xrdjax.measured.contents import Archive, number_of, parse_xml
from xrdjax.measured.pattern import Beam, NotReadable, Scan, make_beam

_RAW_DATA = re.compile(r"(?:.*/)?RawData(\d*)\.xml", re.IGNORECASE)
# Scans of more ranges than this are maps.
_MOST_SCANS = 1000


def is_brml(archive: Archive) -> bool:
    """Whether a zip is that of a BRML file."""
    return any(_RAW_DATA.fullmatch(name) for name in archive.names)


def read_brml(archive: Archive) -> list[Scan]:
    """The scans of a BRML file, in the order of their numbers.

    Raises:
        NotReadable: it is damaged.
    """
    names = [name for name in archive.names if _RAW_DATA.fullmatch(name)]
    if len(names) > _MOST_SCANS:
        raise NotReadable(
            f"holds {len(names)} scans, as the map of an area does: give a powder "
            "pattern"
        )
    names.sort(key=lambda name: int(re.sub(r"\D", "", name.rpartition("/")[2]) or 0))
    return [_scan(parse_xml(archive.read(name)), name) for name in names]


def _scan(root: Element, name: str) -> Scan:
    """The scan of one RawData file."""
    route = root.find(".//DataRoute")
    route = root if route is None else route
    rows = _rows(route)
    information = route.find(".//ScanInformation")
    axis = None if information is None else information.get("VisibleName")
    x, y, refusal = _columns(route, rows)
    return Scan(
        x=x,
        intensity=y,
        axis=(axis or "").strip() or None,
        beam=_beam(root),
        about=f"brml {name.rpartition('/')[2]}",
        refusal=refusal,
    )


def _rows(route: Element) -> Float[np.ndarray, "R C"]:
    """The numbers of each point."""
    rows = [(datum.text or "").split(",") for datum in route.iter("Datum")]
    try:
        table = np.array(rows, dtype=np.float64)
    except ValueError as error:
        raise NotReadable(
            f"holds points of different lengths ({str(error)[:60]}): export the "
            "pattern as text"
        ) from error
    if table.ndim != 2 or table.shape[1] < 3:
        raise NotReadable(
            "holds a scan without points in its XML: finish the measurement, or export "
            "the pattern as text"
        )
    return table


def _columns(
    route: Element, rows: Float[np.ndarray, "R C"]
) -> tuple[Float[np.ndarray, " R"], Float[np.ndarray, " R"], str | None]:
    """Two theta, the intensity, and why it is no pattern."""
    scanned = [info.get("AxisName", "") for info in route.findall(".//ScanAxes/*")]
    # a column of factors of absorbers: the counts are corrected for them already
    x, y, wide = 2, rows.shape[1] - 1, 1
    if "TwoTheta" in scanned:
        x = 2 + scanned.index("TwoTheta")
    recorded = False
    for view in route.iter("RawDataView"):
        first = int(number_of(view.get("Start")) or 0)
        length = int(number_of(view.get("Length")) or 1)
        fields = [field.get("FieldName", "") for field in view.iter("FieldDefinitions")]
        if "TwoTheta" in fields:
            x = first + fields.index("TwoTheta")
        elif view.get("type") == "RecordedRawDataView" and not recorded:
            y, wide, recorded = first, length, True
    refusal = None
    if wide > 1 or len(rows) == 1:
        refusal = (
            "holds an image of a detector at each point, expected one intensity: "
            "export the integrated pattern as text"
        )
    elif scanned and "TwoTheta" not in scanned:
        refusal = (
            f"is a scan of {', '.join(scanned)}, expected one of two theta: give a "
            "powder pattern, not a rocking curve"
        )
    if max(x, y) >= rows.shape[1]:
        raise NotReadable("has fewer columns than it names: export it as text")
    return rows[:, x], rows[:, y], refusal


def _beam(root: Element) -> Beam:
    """The radiation of the tube."""

    def value(tag: str) -> float | None:
        found = root.find(f".//{tag}")
        return None if found is None else number_of(found.get("Value"))

    return make_beam(
        "mounted tube",
        value("WaveLengthAlpha1"),
        value("WaveLengthAlpha2"),
        value("WaveLengthRatio"),
        root.findtext(".//TubeMaterial"),
    )
