"""Synthetic crystals: statistics of known ones, sampling, symmetry check."""
