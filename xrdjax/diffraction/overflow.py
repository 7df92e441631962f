"""Why a compiled program could not simulate a crystal completely."""

import enum


class Overflow(enum.IntFlag):
    """What a program had no room for; a pattern with any of them is not to be trusted.

    Compiled functions return it as int32, one bit a reason.
    """

    REFLECTIONS = 1
    INDICES = 2
    ELEMENTS = 4
    WIDTH = 8
    EFFECT = 16

    @property
    def hint(self) -> str:
        """What happened and what helps, for each reason that is set."""
        return "; ".join(text for flag, text in _HINTS.items() if flag in self)


_HINTS = {
    Overflow.REFLECTIONS: "more families of reflections than there is room for: raise "
    "max_reflections or max_volume, or narrow the range of 2 theta",
    Overflow.INDICES: "Miller indices of 512 or more: choose a longer wavelength or a "
    "narrower range of 2 theta",
    Overflow.ELEMENTS: "more distinct elements than there is room for: raise "
    "max_elements",
    Overflow.WIDTH: "peaks narrower or wider than the grid was made for: widen the "
    "ranges of crystallite size, wavelength and instrumental width",
    Overflow.EFFECT: "an effect of instrument or specimen that its grid of peaks leaves "
    "out: make the grid by peaks_for from ranges that have it",
}
