"""Measured powder patterns: files of instruments, background, the network's grid."""
