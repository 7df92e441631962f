"""Seconds that pymatgen and PyXtal take for the work of the generator, on one core."""

import contextlib
import signal
import statistics
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from experiments.throughput.stopwatch import pin
from xrdjax.crystals.crystal import Structure, expand_sites
from xrdjax.crystals.elements import SYMBOLS


class _TooLong(Exception):
    """A crystal exceeded its time limit."""


@contextlib.contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    """Raises _TooLong in its body after the seconds, on systems with alarms."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def ring(*_):
        raise _TooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _summary(seconds: Sequence[float], **more: Any) -> dict[str, Any]:
    total = sum(seconds)
    return {
        "crystals": len(seconds),
        "cores": 1,
        "seconds": total,
        "ms_each": 1000 * total / len(seconds),
        "median_ms": 1000 * statistics.median(seconds),
        "longest_ms": 1000 * max(seconds),
    } | more


def time_pymatgen(
    structures: Sequence[Structure], wavelength: float, ends_deg: tuple[float, float]
) -> dict[str, Any]:
    """Times the peak lists of pymatgen's XRDCalculator, its pattern without a profile.

    Args:
        structures: crystals, whose conventional cells pymatgen gets.
        wavelength: angstrom.
        ends_deg: first and last angle 2 theta, degrees.
    """
    pin(1)
    from pymatgen.analysis.diffraction.xrd import XRDCalculator
    from pymatgen.core import Lattice
    from pymatgen.core import Structure as Cell

    calculator = XRDCalculator(wavelength)
    seconds = []
    for structure in structures:
        positions, site = expand_sites(structure)
        symbols = [SYMBOLS[z] for z in structure.elements[site]]
        cell = Cell(Lattice(structure.lattice), symbols, positions)
        began = time.perf_counter()
        calculator.get_pattern(cell, two_theta_range=ends_deg)
        seconds.append(time.perf_counter() - began)
    return _summary(seconds)


def time_pyxtal(structures: Sequence[Structure], limit_s: int) -> dict[str, Any]:
    """Times PyXtal's random crystals of the groups and compositions of given ones.

    Unlike this program, PyXtal keeps atoms apart, and samples until they are.

    Args:
        structures: crystals whose groups and conventional-cell contents are requested.
        limit_s: seconds after which a crystal is abandoned; they count.
    """
    pin(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations of its dependencies
        from pyxtal import pyxtal

    seconds, valid, too_long, none_found = [], 0, 0, 0
    for number, structure in enumerate(structures):
        _, site = expand_sites(structure)
        elements, counts = np.unique(structure.elements[site], return_counts=True)
        crystal = pyxtal()
        began = time.perf_counter()
        try:
            with _at_most(limit_s):
                crystal.from_random(
                    3,
                    structure.space_group,
                    [SYMBOLS[z] for z in elements],
                    counts.tolist(),
                    random_state=number,
                )
            valid += bool(crystal.valid)
        except _TooLong:
            too_long += 1
        except RuntimeError:  # raised by PyXtal if it finds no crystal
            none_found += 1
        seconds.append(time.perf_counter() - began)
    return _summary(
        seconds,
        valid=valid,
        too_long=too_long,
        none_found=none_found,
        limit_s=limit_s,
    )
