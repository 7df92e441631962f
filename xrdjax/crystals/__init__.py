"""Crystals: elements, lattices, atoms, CIFs, textbook crystals, structure types."""
