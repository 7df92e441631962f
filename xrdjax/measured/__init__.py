"""Measured powder patterns: text files, background, the network's grid."""
