"""R factors of patterns."""

import numpy as np
import pytest

from xrdjax.measured.agreement import r_factors


def test_noise_alone_has_a_goodness_of_one_and_a_factor_by_the_formula():
    rng = np.random.default_rng(0)
    true = 100 + 900 * np.exp(-(np.linspace(-3, 3, 20_000) ** 2))
    counts = rng.poisson(true).astype(float)
    sigma = np.sqrt(counts)
    found = r_factors(counts, true, sigma)
    assert found.goodness == pytest.approx(1, abs=0.02)
    assert found.r_wp == pytest.approx(found.goodness * found.r_exp)
    assert found.r_exp == pytest.approx(np.sqrt(len(counts) / counts.sum()))
    assert r_factors(counts, counts, sigma).r_wp == 0
