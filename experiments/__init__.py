"""Experiments with xrdjax, a folder each: `python -m experiments.NAME --help`."""
