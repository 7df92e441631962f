"""What instruments and specimens patterns are simulated for, and on which grid."""

import jax
from flax import struct
from jaxtyping import Array, Key

from xrdjax.instrument.direct import DirectPeaks
from xrdjax.instrument.effects import Effects
from xrdjax.instrument.exposure import ExposureRanges
from xrdjax.instrument.grid import PAPER_GRID, TwoThetaGrid
from xrdjax.instrument.instrument import (
    Instrument,
    InstrumentRanges,
    sample_instruments,
)
from xrdjax.instrument.profile import PeakGrid, peak_grid, peak_sigma
from xrdjax.instrument.pseudo_voigt import PseudoVoigtGrid, pseudo_voigt_grid
from xrdjax.instrument.ranges import is_always, spread_of
from xrdjax.instrument.specimen import Specimen, SpecimenRanges, sample_specimens

# How peaks are formed: Gaussians of one width in sin(theta), any, or one by one.
Peaks = PeakGrid | PseudoVoigtGrid | DirectPeaks


@struct.dataclass
class Measurement:
    """Grid and ranges of a simulated measurement; the paper's unless made otherwise.

    Attributes:
        peaks: the grid on which peaks are formed; an argument of compiled programs.
        grid: of 2 theta; static.
        instruments: ranges that `sample` takes instruments from; static.
        specimens: ranges that it takes specimens from; static.
        exposures: ranges of how patterns are recorded; static.
    """

    peaks: Peaks
    grid: TwoThetaGrid = struct.field(pytree_node=False)
    instruments: InstrumentRanges = struct.field(pytree_node=False)
    specimens: SpecimenRanges = struct.field(pytree_node=False)
    exposures: ExposureRanges = struct.field(
        pytree_node=False, default=ExposureRanges()
    )

    @property
    def is_recorded(self) -> bool:
        """Whether patterns have a background, noise, a window or other phases."""
        return not self.exposures.is_perfect

    @property
    def s_max(self) -> float:
        """Largest 1/d that any of the instruments shows, 1/angstrom."""
        return self.grid.u_range[1] / min(self.instruments.wavelengths)

    def sample(self, key: Key[Array, ""], count: int) -> tuple[Instrument, Specimen]:
        """Instruments and specimens with a leading axis B = count."""
        instrument_key, specimen_key = jax.random.split(key)
        return (
            sample_instruments(instrument_key, self.instruments, count),
            sample_specimens(specimen_key, self.specimens, count),
        )


def peaks_for(
    grid: TwoThetaGrid, instruments: InstrumentRanges, specimens: SpecimenRanges
) -> Peaks:
    """The grid of peaks that suits every instrument and specimen of the ranges.

    Raises:
        InputError: the narrowest peaks would need too many nodes.
    """
    effects = Effects(
        shifts=instruments.shifts,
        texture=specimens.texture,
        axial=not is_always(instruments.axial, 0.0),
    )
    if not (instruments.is_uniform and specimens.is_uniform):
        return pseudo_voigt_grid(grid, effects=effects)
    sizes, optics = spread_of(specimens.size_nm), spread_of(instruments.gaussian_deg)
    narrowest = peak_sigma(min(instruments.wavelengths), sizes.high, optics.low)
    widest = peak_sigma(max(instruments.wavelengths), sizes.low, optics.high)
    return peak_grid(grid, float(narrowest), float(widest), effects)


def make_measurement(
    grid: TwoThetaGrid = PAPER_GRID,
    instruments: InstrumentRanges | None = None,
    specimens: SpecimenRanges | None = None,
    exposures: ExposureRanges | None = None,
) -> Measurement:
    """A measurement with its grid of peaks; make it once, outside compiled functions.

    Args:
        grid: of 2 theta; the paper's by default.
        instruments: ranges; the paper's one instrument by default.
        specimens: ranges; crystallites of 20 to 100 nm, as in the paper, by default.
        exposures: ranges; no background, no noise, the whole grid by default.

    Raises:
        InputError: the narrowest peaks would need too many nodes.
    """
    instruments = instruments or InstrumentRanges()
    specimens = specimens or SpecimenRanges()
    exposures = exposures or ExposureRanges()
    peaks = peaks_for(grid, instruments, specimens)
    return Measurement(peaks, grid, instruments, specimens, exposures)
