"""Comparison of analysed crystals."""

import numpy as np

from xrdjax.known.analyses import AnalysedCrystals


def assert_same(found: AnalysedCrystals, expected: AnalysedCrystals) -> None:
    assert vars(found) | {"analyses": ()} == vars(expected) | {"analyses": ()}
    for one, other in zip(found.analyses, expected.analyses, strict=True):
        for name, value in vars(other).items():
            if name != "standard":
                assert getattr(one, name) == value
        for name, value in vars(other.standard).items():
            np.testing.assert_array_equal(getattr(one.standard, name), value)
