"""Philips UDF: text of keys, and of counts that a slash ends."""

import numpy as np

from xrdjax.measured.contents import number_of
from xrdjax.measured.pattern import NotReadable, Scan, evenly, make_beam


def is_philips_udf(text: str) -> bool:
    """Whether a text is that of a UDF file."""
    return text.lstrip("\ufeff \r\n").startswith("SampleIdent")


def read_philips_udf(text: str) -> list[Scan]:
    """The one scan of a UDF file.

    Raises:
        NotReadable: it is damaged.
    """
    head, found, tail = text.partition("RawScan")
    keys = {}
    for line in head.splitlines():
        key, *values = [word.strip() for word in line.split(",")]
        keys[key] = [value for value in values if value not in ("/", "")]

    def number(key: str, place: int = 0) -> float | None:
        values = keys.get(key, [])
        return number_of(values[place]) if place < len(values) else None

    start, step = number("DataAngleRange"), number("ScanStepSize")
    words = tail.partition("/")[0].replace(",", " ").split()
    try:
        intensity = np.array(words, dtype=np.float64)
    except ValueError as error:
        raise NotReadable(f"has damaged counts ({error}): export it again") from error
    if not found or start is None or step is None or "/" not in tail:
        raise NotReadable(
            "is a damaged udf file: expected DataAngleRange, ScanStepSize, RawScan and "
            "counts that a slash ends: export it again"
        )
    beam = make_beam(
        "header",
        number("LabdaAlpha1"),
        number("LabdaAlpha2"),
        number("RatioAlpha21"),
        (keys.get("Anode") or [""])[0],
    )
    x = evenly(start, step, len(intensity))
    return [Scan(x, intensity, beam=beam, about="udf RawScan")]
