"""Checkpoints of a run: writing, reading, and which of them are complete."""
