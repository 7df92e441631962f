"""What instruments and specimens patterns are simulated for, and on which grid."""

import jax
from flax import struct
from jaxtyping import Array, Key

from xrdjax.instrument.grid import PAPER_GRID, TwoThetaGrid
from xrdjax.instrument.instrument import (
    Instrument,
    InstrumentRanges,
    sample_instruments,
)
from xrdjax.instrument.profile import PeakGrid, peak_grid, peak_sigma
from xrdjax.instrument.specimen import Specimen, SpecimenRanges, sample_specimens


@struct.dataclass
class Measurement:
    """Grid and ranges of a simulated measurement; the paper's unless made otherwise.

    Attributes:
        peaks: the grid on which peaks are formed; an argument of compiled programs.
        grid: of 2 theta; static.
        instruments: ranges that `sample` takes instruments from; static.
        specimens: ranges that it takes specimens from; static.
    """

    peaks: PeakGrid
    grid: TwoThetaGrid = struct.field(pytree_node=False)
    instruments: InstrumentRanges = struct.field(pytree_node=False)
    specimens: SpecimenRanges = struct.field(pytree_node=False)

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
) -> PeakGrid:
    """The grid of peaks that suits every instrument and specimen of the ranges.

    Raises:
        InputError: the narrowest peaks would need too many nodes.
    """
    narrowest = peak_sigma(
        min(instruments.wavelengths), specimens.size_nm[1], instruments.gaussian_deg[0]
    )
    widest = peak_sigma(
        max(instruments.wavelengths), specimens.size_nm[0], instruments.gaussian_deg[1]
    )
    return peak_grid(grid, float(narrowest), float(widest))


def make_measurement(
    grid: TwoThetaGrid = PAPER_GRID,
    instruments: InstrumentRanges | None = None,
    specimens: SpecimenRanges | None = None,
) -> Measurement:
    """A measurement with its grid of peaks; make it once, outside compiled functions.

    Args:
        grid: of 2 theta; the paper's by default.
        instruments: ranges; the paper's one instrument by default.
        specimens: ranges; crystallites of 20 to 100 nm, as in the paper, by default.

    Raises:
        InputError: the narrowest peaks would need too many nodes.
    """
    instruments = instruments or InstrumentRanges()
    specimens = specimens or SpecimenRanges()
    peaks = peaks_for(grid, instruments, specimens)
    return Measurement(peaks, grid, instruments, specimens)
