"""Checks of a figure that need nobody to look at it."""

from matplotlib.image import imread


def assert_plotted(path):
    """The file is a picture, and not a blank one."""
    pixels = imread(path)
    assert pixels.shape[0] > 300 and pixels.shape[1] > 600
    assert pixels[..., :3].std() > 0.02
