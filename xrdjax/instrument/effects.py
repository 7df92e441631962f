"""Which effects a compiled program computes; static."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Effects:
    """What need not be computed where it is known to be absent.

    Attributes:
        shifts: zero, displacement and transparency of the instrument.
        texture: preferred orientation of the specimen.
        axial: axial divergence.
    """

    shifts: bool = True
    texture: bool = True
    axial: bool = True


ALL_EFFECTS = Effects()
