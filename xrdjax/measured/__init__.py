"""Measured powder patterns: files, background, the network's grid."""
