"""Synthetic crystals beside known ones: what the prior keeps, and what it loses."""
