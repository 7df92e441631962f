"""Powder CIF: the items of the powder dictionary (International Tables G, ch. 3.3)."""

import re
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from xrdjax.measured.contents import number_of
from xrdjax.measured.pattern import (
    Beam,
    NotReadable,
    Quantity,
    Scan,
    evenly,
    make_beam,
)

_Column = list[str]
# A quoted word, a text field, or a word; comments are skipped.
_TOKEN = re.compile(
    r"(?m)^;(?P<field>[\s\S]*?)^;|'(?P<single>[^\n]*?)'(?=\s|$)"
    r'|"(?P<double>[^\n]*?)"(?=\s|$)|#[^\n]*|(?P<word>\S+)'
)
_ANGLES = (
    ("_pd_proc_2theta_corrected", "two_theta"),
    ("_pd_meas_2theta_scan", "two_theta"),
    ("_pd_meas_2theta_corrected", "two_theta"),
    ("_pd_proc_d_spacing", "d"),
)
_RANGES = ("_pd_meas_2theta_range_", "_pd_proc_2theta_range_")
_INTENSITIES = (
    "_pd_meas_counts_total",
    "_pd_meas_intensity_total",
    "_pd_meas_counts",
    "_pd_meas_intensity",
    "_pd_proc_intensity_total",
    "_pd_proc_intensity_net",
)


def is_cif(text: str) -> bool:
    """Whether a text is that of a CIF."""
    return bool(
        re.search(r"^[ \t]*data_", text[:20_000], re.MULTILINE | re.IGNORECASE)
    ) and (
        "_pd_" in text
        or bool(re.search(r"^_(cell|atom_site)_", text, re.MULTILINE | re.IGNORECASE))
    )


def read_powder_cif(text: str) -> list[Scan]:
    """The patterns of a CIF, one for each block that holds one.

    Raises:
        NotReadable: it holds none, or one of neutrons or times of flight.
    """
    scans, blocks = [], list(_blocks(text))
    for name, items in blocks:
        _refuse_other_radiation(items)
        if any(tag in items for tag in _INTENSITIES):
            scans.append(_scan(name, items, _beam([items, *(b for _, b in blocks)])))
    if not scans:
        raise NotReadable(
            "is a CIF without a measured pattern, expected items such as "
            "_pd_meas_counts_total: give the file of the measurement"
        )
    return scans


def _blocks(text: str) -> Iterator[tuple[str, dict[str, _Column]]]:
    """Name and items of each block; an item outside of a loop is a column of one."""
    name, items = "", {}
    tags: list[str] = []  # of the loop that is read
    values: list[str] = []
    heading, waiting = False, None

    def close() -> None:
        for i, tag in enumerate(tags):
            items[tag] = values[i :: len(tags)]

    for token in _TOKEN.finditer(text):
        word, lower = token["word"], (token["word"] or "").lower()
        value = next((v for v in token.groups() if v is not None), None)
        if value is None:
            continue
        if word and lower.startswith("data_"):
            close()
            if items:
                yield name, items
            name, items, tags, values, waiting = word[5:], {}, [], [], None
        elif lower == "loop_":
            close()
            tags, values, heading, waiting = [], [], True, None
        elif word and word.startswith("_"):
            tag = lower.replace(".", "_")
            if heading:
                tags.append(tag)
            else:
                close()
                tags, values, waiting = [], [], tag
        elif waiting:
            items[waiting], waiting = [value], None
        elif tags:
            heading = False
            values.append(value)
    close()
    yield name, items


def _refuse_other_radiation(items: dict[str, _Column]) -> None:
    probe = " ".join(
        items.get("_diffrn_radiation_probe", [])
        + items.get("_diffrn_radiation_type", [])
    ).lower()
    if "neutron" in probe:
        raise NotReadable("is a neutron measurement: give an X-ray powder pattern")
    if "_pd_meas_time_of_flight" in items:
        raise NotReadable("is a time of flight measurement: give an X-ray pattern")


def _scan(name: str, items: dict[str, _Column], beam: Beam) -> Scan:
    """The pattern of one block."""
    tag = next(tag for tag in _INTENSITIES if tag in items)
    y, sigma = _values(items[tag])
    x, quantity, source = _angles(items, len(y))
    # a point that was not measured has no intensity
    there = np.isfinite(y) if np.isfinite(y).any() else np.ones(len(y), dtype=bool)
    notes: tuple[str, ...] = ()
    if not there.all():
        notes = (f"Points without intensity, left out: {int((~there).sum())}.",)
    if np.isnan(sigma[there]).any():
        esd = items.get(f"{tag}_su", [])
        sigma = _values(esd)[0] if len(esd) == len(y) else np.full(len(y), np.nan)
    known = not np.isnan(sigma[there]).any()
    return Scan(
        x[there],
        y[there],
        sigma[there] if known else None,
        quantity=quantity,
        beam=beam,
        about=f"{source} and {tag} of block {name!r}",
        notes=notes,
    )


def _angles(
    items: dict[str, _Column], count: int
) -> tuple[Float[np.ndarray, " R"], Quantity, str]:
    """The abscissa of the points, what it is, and its item."""
    for tag, quantity in _ANGLES:
        if len(items.get(tag, [])) == count:
            return _values(items[tag])[0], quantity, tag  # type: ignore[return-value]
    for prefix in _RANGES:
        first, step = (
            number_of((items.get(prefix + end) or [""])[0].partition("(")[0])
            for end in ("min", "inc")
        )
        if first is not None and step is not None:
            return evenly(first, step, count), "two_theta", prefix + "min"
    raise NotReadable(
        f"has {count} intensities without two theta, expected _pd_meas_2theta_scan or "
        "_pd_meas_2theta_range_min and _inc: export the pattern as text"
    )


def _values(column: _Column) -> tuple[Float[np.ndarray, " R"], Float[np.ndarray, " R"]]:
    """Values and uncertainties, such as 12.3(4); NaN where there are none."""
    values, errors = [], []
    for word in column:
        number, _, error = word.partition("(")
        value = number_of(number)
        values.append(np.nan if value is None else value)
        digits = number_of(error.rstrip(")")) if error else None
        decimals = len(number.partition(".")[2].lower().partition("e")[0])
        errors.append(np.nan if digits is None else digits * 10.0**-decimals)
    return np.array(values), np.array(errors)


def _beam(blocks: list[dict[str, _Column]]) -> Beam:
    """The radiation, of the block itself or of another one of the file."""
    for items in blocks:
        stated = _values(items.get("_diffrn_radiation_wavelength", []))[0]
        found = [float(value) for value in stated if np.isfinite(value) and value > 0]
        if found:
            weights = _values(items.get("_diffrn_radiation_wavelength_wt", []))[0]
            ratio = None
            if len(found) > 1 and len(weights) == len(stated) and weights[0] > 0:
                ratio = float(weights[1] / weights[0])
            second = found[1] if len(found) > 1 else None
            type_ = " ".join(items.get("_diffrn_radiation_type", []))
            anode = re.match(r"(Cr|Fe|Co|Cu|Mo|Ag)", type_)
            name = anode[1] if anode else None
            origin = "_diffrn_radiation_wavelength"
            return make_beam(origin, found[0], second, ratio, name)
    return Beam()
