"""From a measured pattern, a file or two arrays, to the ranking of its space groups."""

import functools
import os
from pathlib import Path
from typing import TypeAlias

import numpy as np

from xrdjax.checkpoints.calibration import Calibration
from xrdjax.errors import InputError
from xrdjax.evaluation.measured import (
    Prepared,
    classify_measured,
    prepare_pattern,
    reads_recorded,
)
from xrdjax.evaluation.ranked import SPACE_GROUPS_IN_ALL, Seen
from xrdjax.evaluation.ranking import Ranking
from xrdjax.instrument.radiation import ANODES, parse_wavelength
from xrdjax.measured.checks import pattern_of
from xrdjax.measured.pattern import MeasuredPattern, NotReadable, Scan
from xrdjax.measured.reader import read_pattern
from xrdjax.run import Run, load_measured

Measurement: TypeAlias = str | os.PathLike | MeasuredPattern | tuple | list | np.ndarray

# Share of the range that may be missing without a note.
_NEGLIGIBLE = 0.005
# Relative difference of wavelengths that are meant to be the same.
_SAME_WAVELENGTH = 1e-3
_ASSUMED = "assumed"
_UNNAMED = "pattern"
# Steps wider than the lines of most patterns, degrees.
_COARSE_DEG = 0.1


@functools.cache
def _bundled() -> Run:
    return load_measured()


def rank_space_groups(
    pattern: Measurement,
    run: Run | None = None,
    *,
    wavelength: float | str | None = None,
    scan: int | None = None,
    subtract_background: bool = True,
) -> Ranking:
    """Ranks the space groups of a measured powder pattern.

    Args:
        pattern: path of a file that `read_pattern` reads, what it returns, or two theta
            in degrees and intensity: a pair of [R], or [R, 2].
        run: whose network answers; by default the bundled one that has learned from
            simulated measurements.
        wavelength: of the measurement, angstrom or a name such as "CuKa1" or "Mo"; by
            default that of the file, else that of the network.
        scan: number of the scan in a file of several, from 1; by default the first that
            is a powder pattern.
        subtract_background: for a network that has seen clean patterns only.

    Returns:
        The answer, which may be that the pattern does not tell: see `Ranking.refusal`.

    Raises:
        InputError: the pattern cannot be read, is none, or too little of the network's
            range was measured.
    """
    run = _bundled() if run is None else run
    name, measured = _read(pattern, scan)
    known = run.measurement.instruments.wavelengths[0]
    value, origin = _wavelength(measured, wavelength, known)
    try:
        prepared = prepare_pattern(
            run, measured.two_theta_deg, measured.intensity, value, subtract_background
        )
    except InputError as error:
        raise InputError(_named(name, str(error))) from error
    (probabilities,) = classify_measured(run, [prepared], batch_size=1)
    order = np.argsort(-probabilities, kind="stable")
    return Ranking(
        name=name,
        space_groups=run.space_groups[order],
        probabilities=probabilities[order],
        refusal=_refusal(float(probabilities.max()), run.calibration),
        measured=measured,
        wavelength=value,
        wavelength_origin=origin,
        seen=Seen(
            prepared.pattern,
            prepared.mask,
            run.network_input,
            known,
            prepared.share,
        ),
        step=run.step,
        calibration=run.calibration,
        notes=(
            *measured.notes,
            *_about(origin, known),
            *_notes(run, measured, prepared, value),
        ),
    )


def _named(name: str, message: str) -> str:
    """A message on a pattern, with the name of its file in it."""
    if name == _UNNAMED:
        return message
    return message.replace("the pattern", f"the pattern {name!r}", 1)


def _read(pattern: Measurement, scan: int | None) -> tuple[str, MeasuredPattern]:
    """A name for the pattern, and the pattern."""
    if isinstance(pattern, MeasuredPattern):
        return _UNNAMED, pattern
    if isinstance(pattern, str | os.PathLike):
        return str(pattern), read_pattern(Path(pattern), scan)
    try:
        columns = np.asarray(pattern, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"the pattern is no pair of arrays of numbers ({error}): give two theta in "
            "degrees and the intensities, as many of each"
        ) from error
    if columns.ndim == 2 and columns.shape[0] != 2:
        columns = columns.T
    if columns.ndim != 2 or columns.shape[0] != 2:
        raise InputError(
            f"the pattern has the shape {np.shape(pattern)}, expected two theta in "
            "degrees and the intensities: a pair of [R], or [R, 2]"
        )
    try:
        return _UNNAMED, pattern_of(Scan(columns[0], columns[1], about="arrays"))
    except NotReadable as error:
        raise InputError(f"the pattern {error}") from error


def _wavelength(
    measured: MeasuredPattern, given: float | str | None, known: float
) -> tuple[float, str]:
    """Wavelength of the measurement, angstrom, and where it comes from."""
    if given is not None:
        return parse_wavelength(str(given)), "as given"
    if measured.wavelengths:
        return measured.wavelengths[0], measured.origin.get("wavelengths", "file")
    if measured.anode in ANODES:
        origin = measured.origin.get("anode", "file")
        return ANODES[measured.anode].k_alpha1, f"{measured.anode} anode, {origin}"
    return known, _ASSUMED


def _about(origin: str, known: float) -> list[str]:
    """A sentence on a wavelength that nothing states."""
    if origin != _ASSUMED:
        return []
    assumed = f"Nothing states the wavelength; {known:g} angstrom is assumed"
    return [f"{assumed}: name another one with --wavelength."]


def _refusal(probability: float, calibration: Calibration | None) -> str | None:
    """Why an answer of that probability should not be believed; None if it should."""
    if calibration is None or probability >= calibration.refusal_confidence:
        return None
    if calibration.refusal_confidence > 1:
        return (
            f"fewer than half of this network's answers to {calibration.patterns} "
            "measured patterns were right, however sure it was"
        )
    return (
        f"the first answer has {100 * probability:.0f} %, and of answers below "
        f"{100 * calibration.refusal_confidence:.0f} %, fewer than half were right "
        f"({calibration.patterns} measured patterns)"
    )


def _notes(
    run: Run, measured: MeasuredPattern, prepared: Prepared, wavelength: float
) -> list[str]:
    """Sentences on what the network was not given, or cannot say."""
    notes = []
    stated = measured.wavelengths
    if stated and abs(stated[0] / wavelength - 1) > _SAME_WAVELENGTH:
        notes.append(
            f"The file states {stated[0]:g} angstrom; {wavelength:g} angstrom is taken, "
            "as given."
        )
    step = float(np.median(np.diff(measured.two_theta_deg)))
    if step > _COARSE_DEG:
        notes.append(
            f"Steps of {step:.2g} degrees are wider than most lines: trust the answer "
            "less."
        )
    if (missing := 1 - prepared.share) > _NEGLIGIBLE:
        share = f"{100 * missing:.0f} % of the range was not measured"
        notes.append(
            f"{share}, which the network knows."
            if reads_recorded(run)
            else f"{share} and counts as zero: trust the answer less."
        )
    if (named := len(run.space_groups)) < SPACE_GROUPS_IN_ALL:
        notes.append(
            f"The network can name {named} of the {SPACE_GROUPS_IN_ALL} space "
            f"groups{_known(run)}; the right one may be none of them."
        )
    if run.calibration is None:
        notes.append(
            "This network's answers to measured patterns were never counted, so that it "
            "refuses none."
        )
    return notes


def _known(run: Run) -> str:
    """Which share of the known crystals these groups have, where that is stated."""
    counts = run.provenance.get("counts", {})
    try:
        crystals = counts["crystals of groups"]
        kept = sum(crystals[str(number)] for number in run.space_groups)
        share = kept / sum(crystals.values())
        return f", those of {100 * share:.0f} % of known compounds"
    except (KeyError, TypeError, AttributeError, ZeroDivisionError):
        return ""
