"""Random crystals, their powder diffractograms, and networks that read them."""
