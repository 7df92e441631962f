"""A pattern of five Gaussian peaks of height 1000, as if it were measured."""

import numpy as np

TWO_THETA = np.linspace(5, 90, 851)


def peaks(two_theta, width=0.1):
    """Its intensity at given angles, degrees."""
    centres = np.array([12.0, 27.5, 40.0, 55.3, 80.0])
    return 1e3 * np.exp(
        -0.5 * ((two_theta[:, None] - centres[None, :]) / width) ** 2
    ).sum(axis=1)
