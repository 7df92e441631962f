"""A run stops when too many crystals have been abandoned, and only then."""

import pytest

from xrdjax.errors import InputError
from xrdjax.training.exhausted import ExhaustedCrystals


def test_one_crystal_in_a_thousand_may_be_abandoned():
    counted = ExhaustedCrystals()
    counted.add(100, {"exhausted": 10})
    for _ in range(100):
        counted.add(1000, {"exhausted": 0.0})
        counted.add(1000, {})
    counted.add(100, {"exhausted": 190})
    with pytest.raises(
        InputError, match=r"202 of 200,201 crystals exceeded the limits"
    ):
        counted.add(1, {"exhausted": 2})


def test_settings_that_allow_no_crystal_stop_a_run_at_once():
    with pytest.raises(InputError, match="raise max_volume or max_sites"):
        ExhaustedCrystals().add(16, {"exhausted": 16})
