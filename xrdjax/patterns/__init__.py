"""Batches of labelled powder patterns, from synthetic and known crystals."""
